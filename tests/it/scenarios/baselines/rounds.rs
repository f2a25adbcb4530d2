//! Baselines made anew: on schedule, at the servers' rates, never worse than before, and as people see them.

use agent::config::BaselinesConfig;
use agent::daemon::{Round, Share};
use agent::pipeline::{self, Renewed};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use state::model::{BaselineAnswer, BaselineOf};
use state::store::NewBaseline;
use tests::daemon::Site;
use tests::workbench::{Lab, USUAL, data, stderr, stdout};

use super::{Desk, PROGRAM, time};

const ANA: &str = "ana@corp.example";

fn share(kept: usize, stale: usize, left: usize) -> Share {
    Share { kept, stale, left }
}

#[tokio::test]
async fn a_round_comes_on_schedule_some_questions_a_minute() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let mut desk = Desk::open(&lab, time("03-02T00:30"), |c| {
        c.queries.baselines.at = "0 * * * *".to_owned();
        c.queries.baselines.per_minute = 1;
    })
    .await;
    let mut round = Round::default();
    let none = Share::default();
    // What the schedule asked for before the first alert came does not count.
    assert_eq!(round.go_on(desk.ctx()).await.unwrap(), none);
    desk.forward_to(time("03-02T01:00"));
    assert_eq!(round.go_on(desk.ctx()).await.unwrap(), share(1, 0, 1));
    // A daemon that starts in between goes on where the round was.
    let mut round = Round::default();
    assert_eq!(round.go_on(desk.ctx()).await.unwrap(), share(1, 0, 0));
    assert_eq!(round.go_on(desk.ctx()).await.unwrap(), none);
    desk.forward_to(time("03-02T02:00"));
    assert_eq!(round.go_on(desk.ctx()).await.unwrap(), share(1, 0, 1));
}

#[tokio::test]
async fn a_rate_that_is_used_up_puts_a_question_off() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let mut desk = Desk::open(&lab, time("03-02T00:30"), |c| {
        c.queries.baselines.at = "0 * * * *".to_owned();
        let siem = c.servers.get_mut("siem").unwrap();
        siem.tools
            .get_mut("query_logs")
            .unwrap()
            .max_calls_per_minute = Some(1);
    })
    .await;
    desk.forward_to(time("03-02T01:00"));
    let mut round = Round::default();
    assert_eq!(round.go_on(desk.ctx()).await.unwrap(), share(1, 0, 1));
    desk.forward_to(time("03-02T01:02"));
    assert_eq!(round.go_on(desk.ctx()).await.unwrap(), share(1, 0, 0));
}

#[tokio::test]
async fn an_answer_that_is_not_whole_leaves_the_one_before_and_says_so() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    // More than is read of one answer.
    let mut rows = lab.read("logs/okta.jsonl").unwrap();
    for row in &mut rows {
        row["padding"] = json!("x".repeat(100_000));
    }
    lab.lines("logs/okta.jsonl", &rows).unwrap();
    let now = time("03-02T00:30");
    let desk = Desk::open(&lab, now, |_| {}).await;
    let of = BaselineOf {
        query: "history_of".to_owned(),
        value: ANA.to_owned(),
    };
    let store = &desk.ctx().store;
    for had in [false, true] {
        let answer = BaselineAnswer {
            since: now - TimeDelta::days(40),
            until: now - TimeDelta::days(2),
            computed: now - TimeDelta::days(1),
            rows: vec![json!({"event_uid": "kept"})],
        };
        if had {
            let new = NewBaseline {
                of: of.clone(),
                asked_of: "siem".to_owned(),
                answer: answer.clone(),
            };
            store.keep_baseline(&new).await.unwrap();
        }
        let renewed = pipeline::renew(desk.ctx(), &of).await.unwrap();
        assert!(
            matches!(&renewed, Renewed::Stale(why) if why.contains("incomplete")),
            "{renewed:?}"
        );
        let left = store.baseline(&of).await.unwrap().unwrap();
        assert_eq!(left.answer, had.then_some(answer));
        assert!(left.stale.is_some());
    }
    // A tool that may not be asked is none that has nothing.
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let desk = Desk::open(&lab, now, |c| {
        let siem = c.servers.get_mut("siem").unwrap();
        siem.tools.get_mut("query_logs").unwrap().enabled = false;
    })
    .await;
    let renewed = pipeline::renew(desk.ctx(), &of).await.unwrap();
    assert!(
        matches!(&renewed, Renewed::Stale(why) if why.contains("rule 1")),
        "{renewed:?}"
    );
}

/// The scenario's lab, its days moved so that its alert came today.
fn of_today() -> Lab {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let today = Utc::now().date_naive();
    // Its clock too: what lies after that is not listed yet.
    let clock = format!("{today}T23:59:59Z");
    let settings = std::fs::read_to_string(lab.path().join("lab.toml")).unwrap();
    let settings = settings.replace("2026-03-02T12:00:00Z", &clock);
    lab.write("lab.toml", &settings).unwrap();
    for name in ["alerts.jsonl", "logs/okta.jsonl"] {
        let text: String = lab
            .read(name)
            .unwrap()
            .iter()
            .map(|r| format!("{r}\n"))
            .collect();
        let text = text.replace("2026-03-02", &today.to_string());
        let moved = (21..=25).fold(text, |text, day| {
            let ago = today - TimeDelta::days(35 - day);
            text.replace(&format!("2026-02-{day}"), &ago.to_string())
        });
        lab.write(name, &moved).unwrap();
    }
    lab
}

#[tokio::test]
async fn people_list_show_and_refresh_what_is_kept() {
    let site = Site::new(PROGRAM, of_today()).unwrap();
    let shipped = format!("playbooks = {}", json!(data("playbooks")));
    site.change(&shipped, "").unwrap();
    site.once().unwrap();
    let json = |args: &[&str]| -> Value {
        let output = site
            .run(&[&["baseline"], args, &["--json"]].concat())
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    assert_eq!(json(&["list"]), json!({"baselines": []}));
    let asked = json(&["refresh"]);
    let became: Vec<&Value> = asked["asked"].as_array().unwrap().iter().collect();
    assert_eq!(became.len(), 2, "{asked}");
    assert!(became.iter().all(|a| a["became"] == "kept"), "{asked}");
    let listed = json(&["list"]);
    assert_eq!(listed["baselines"].as_array().unwrap().len(), 2, "{listed}");
    assert_eq!(json(&["list", "--stale"]), json!({"baselines": []}));
    let shown = json(&["show", "ANA@corp.example"]);
    let about = &shown["baselines"][0];
    assert_eq!((&about["value"], &about["rows"]), (&json!(ANA), &json!(5)));
    let habits = about["habits"].as_array().unwrap();
    let of = |aspect: &str| habits.iter().find(|h| h["aspect"] == aspect).unwrap();
    for (aspect, value) in [
        ("address", USUAL),
        ("hour", "08"),
        ("action", "user.session.start"),
        ("agent", "Mozilla/5.0"),
    ] {
        let habit = of(aspect);
        assert_eq!(habit["value"], value, "{habit}");
        assert_eq!((&habit["events"], &habit["days"]), (&json!(5), &json!(5)));
    }
    let text = stdout(&site.run(&["baseline", "show", ANA]).unwrap());
    assert!(
        text.contains("5 events from") && text.contains("192.0.2.10"),
        "{text}"
    );
    for unknown in [&["show", "nobody"][..], &["refresh", "nobody"]] {
        let output = site.run(&[&["baseline"], unknown].concat()).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    }
    let one = json(&["refresh", "ana@CORP.example"]);
    assert_eq!(one["asked"].as_array().unwrap().len(), 1, "{one}");
}

#[test]
fn settings_that_can_not_be_meant_are_told() {
    let read = |text: &str| agent::config::from_text(text, "test.toml");
    let config = read("[baselines]\nwindow = \"30d\"\nlag = \"2h\"").unwrap();
    let kept = config.queries.baselines;
    assert_eq!(
        (kept.window, kept.lag),
        ("30d".parse().unwrap(), "2h".parse().unwrap())
    );
    assert_eq!(kept.at, BaselinesConfig::default().at);
    for (setting, word) in [
        ("at = \"hourly\"", "baselines.at"),
        ("window = \"1d\"", "baselines.window"),
        ("lag = \"5m\"", "baselines.lag"),
        ("at_most = 0", "baselines.at_most"),
        ("per_minute = 0", "baselines.per_minute"),
        ("every = \"1h\"", "every"),
    ] {
        let fault = read(&format!("[baselines]\n{setting}")).unwrap_err();
        assert!(fault.to_string().contains(word), "{setting}: {fault}");
    }
}
