//! A baseline in the place of a question: the same verdict for fewer queries, and each reason for which the step asks after all.

use agent::config::Config;
use agent::replay::{self, Desk as ReplayDesk};
use state::model::{Evidence, Time};
use tests::workbench::{Lab, STRANGE, USUAL};

use super::{Desk, queries, time};
use agent::report::CaseFile;

/// Before the first alert of the lab, and within the day that steps allow.
const BEFORE: &str = "03-02T00:30";

fn history(file: &CaseFile) -> &Evidence {
    let mut found = file.evidence.iter();
    found.find(|e| e.asked_by == "history").unwrap()
}

fn plain(_: &mut Config) {}

#[tokio::test]
async fn a_kept_answer_gives_the_same_verdict_for_fewer_queries() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let desk = Desk::open(&lab, time(BEFORE), plain).await;
    let (asked, plainly) = desk.work_next().await;
    let desk = Desk::open(&lab, time(BEFORE), plain).await;
    assert_eq!(desk.renew(|_| true).await, 2, "the user and the address");
    let (kept, by_baseline) = desk.work_next().await;
    assert_eq!(history(&asked).tool, "siem.query_logs");
    assert_eq!(history(&kept).tool, "baseline");
    assert_eq!(history(&kept).activities, history(&asked).activities);
    assert!(
        history(&kept)
            .summary
            .contains("kept since 2026-03-02T00:30")
    );
    assert_eq!(queries(&kept) + 2, queries(&asked));
    assert_eq!(by_baseline.reasons, plainly.reasons);
    assert!(
        by_baseline
            .reasons
            .iter()
            .any(|r| r.contains("this very address"))
    );
    let of = |r: &agent::report::AlertResult| (r.judgement.verdict, r.judgement.outcome);
    assert_eq!(of(&by_baseline), of(&plainly));
    // Both the asking and the reading are on record.
    let log = desk.ctx().store.audit(0, 1_000).await.unwrap();
    let count = |kind: &str| log.iter().filter(|e| e.entry["kind"] == kind).count();
    assert_eq!((count("baseline_asked"), count("baseline")), (2, 2));
    // Judged again, the case rests on the same baseline: no server is asked and nothing differs.
    let again = ReplayDesk::open(desk.ctx().config.clone()).await.unwrap();
    let again = replay::replay(&again, &desk.ctx().store, kept.case.id);
    let again = again.await.unwrap();
    assert_eq!(again.alerts[0].differs, Vec::<String>::new());
}

/// What makes the step ask although something is kept: a name, when it is made, what is done then.
type Reason = (&'static str, &'static str, fn(&mut Config), Spoil);

enum Spoil {
    No,
    Stale,
    OfAnother,
}

const REASONS: [Reason; 6] = [
    ("made after the alert", "03-02T01:01", plain, Spoil::No),
    (
        "made more than a day before",
        "03-01T00:59",
        plain,
        Spoil::No,
    ),
    ("could not be made anew since", BEFORE, plain, Spoil::Stale),
    (
        "the answer of another tool",
        BEFORE,
        plain,
        Spoil::OfAnother,
    ),
    (
        "switched off",
        BEFORE,
        |c| c.queries.baselines.enabled = false,
        Spoil::No,
    ),
    (
        "not a tool of the tier",
        BEFORE,
        |c| {
            let siem = c.servers.get_mut("siem").unwrap();
            siem.tools
                .get_mut("query_logs")
                .unwrap()
                .tiers
                .retain(|t| t.number() > 1);
        },
        Spoil::No,
    ),
];

#[tokio::test]
async fn a_step_asks_where_nothing_kept_may_stand_for_the_answer() {
    for (why, at, change, spoil) in REASONS {
        let lab = Lab::scenario(&[USUAL]).unwrap();
        let desk = Desk::open(&lab, time(at), change).await;
        let store = &desk.ctx().store;
        assert_eq!(desk.renew(|_| true).await, 2, "{why}");
        for kept in store.baselines(None).await.unwrap() {
            match spoil {
                Spoil::No => {}
                Spoil::Stale => {
                    let marked = store.mark_baseline_stale(&kept.of, ("", "down"), time(at));
                    marked.await.unwrap();
                }
                Spoil::OfAnother => {
                    let new = state::store::NewBaseline {
                        of: kept.of,
                        asked_of: "siem.search in splunk-spl".to_owned(),
                        answer: kept.answer.unwrap(),
                    };
                    store.keep_baseline(&new).await.unwrap();
                }
            }
        }
        let (file, _) = desk.work_next().await;
        assert_eq!(history(&file).tool, "siem.query_logs", "{why}");
    }
}

/// Sign-ins of the lab's user, at these times from one address.
fn more(lab: &Lab, address: &str, times: &[&str]) {
    let mut rows = lab.read("logs/okta.jsonl").unwrap();
    let like = rows[0].to_string();
    let old = rows[0]["event_time"].as_str().unwrap().to_owned();
    for at in times {
        let row = like.replace(&old, &format!("2026-{at}:00.000Z"));
        let row = row
            .replace(USUAL, address)
            .replace("\"h1\"", &format!("\"{at}\""));
        rows.push(serde_json::from_str(&row).unwrap());
    }
    lab.lines("logs/okta.jsonl", &rows).unwrap();
}

fn within_an_hour(config: &mut Config) {
    config.queries.baselines.lag = "1h".parse().unwrap();
}

#[tokio::test]
async fn what_an_attack_did_makes_nothing_usual() {
    let lab = Lab::scenario(&[STRANGE, STRANGE]).unwrap();
    let attack = ["03-01T20:00", "03-01T20:10", "03-01T20:20"];
    more(&lab, STRANGE, &attack);
    let mut desk = Desk::open(&lab, time(BEFORE), within_an_hour).await;
    let (_, first) = desk.work_next().await;
    assert_eq!(first.judgement.outcome, state::model::Outcome::Escalated);
    let made: Time = time("03-02T01:30");
    desk.forward_to(made);
    assert_eq!(desk.renew(|of| of.value.contains('@')).await, 1);
    let (second, _) = desk.work_next().await;
    let read = history(&second);
    assert_eq!(read.tool, "baseline");
    assert_eq!(read.value["baseline"]["left_out"], attack.len());
    let from = |a: &state::model::Activity| a.get(state::model::Field::SrcIp).to_owned();
    assert!(read.activities.iter().all(|a| from(a) == USUAL));
    assert_eq!(read.activities.len(), 5);
    // Where that leaves nothing the step asks: nothing known is another thing than nothing done.
    let lab = Lab::scenario(&[STRANGE, STRANGE]).unwrap();
    more(&lab, STRANGE, &attack);
    lab.remove("logs/okta.jsonl", |r| r.to_string().contains(USUAL))
        .unwrap();
    let mut desk = Desk::open(&lab, time(BEFORE), within_an_hour).await;
    desk.work_next().await;
    desk.forward_to(made);
    desk.renew(|of| of.value.contains('@')).await;
    let (second, _) = desk.work_next().await;
    assert_eq!(history(&second).tool, "siem.query_logs");
}

#[tokio::test]
async fn the_demo_comes_out_the_same_with_what_is_kept() {
    let lab = Lab::demo().unwrap();
    let start = time("11-09T00:00");
    let plainly = Desk::open(&lab, start, |c| c.queries.baselines.enabled = false).await;
    let mut kept = Desk::open(&lab, start, plain).await;
    let (mut before, mut after, mut same) = (0, 0, Vec::new());
    while let Some(alert) = kept.next().await {
        let (file, asked) = plainly.work_next().await;
        before += queries(&file);
        // As the schedule would have done in the night before.
        kept.forward_to(alert.time - chrono::TimeDelta::hours(6));
        let raw = alert.raw.clone();
        kept.renew(|of| raw.contains(&of.value)).await;
        kept.forward_to(alert.time);
        let (file, read) = kept.work(alert).await;
        after += queries(&file);
        let of = |r: &agent::report::AlertResult| (r.judgement.verdict, r.judgement.outcome);
        if of(&read) != of(&asked) {
            let id = &read.subject.source_alert_id;
            same.push(format!("{id}: {:?} {:?}", of(&asked), of(&read)));
        }
    }
    eprintln!("{before} log queries without baselines, {after} with them");
    assert_eq!(same, Vec::<String>::new());
    assert!(after < before, "{after} {before}");
}
