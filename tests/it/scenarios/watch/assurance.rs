//! The golden lab: worked when it is due, and what comes out below the floor switches closing off.

use std::path::PathBuf;
use std::sync::Arc;

use agent::assurance::{beat, run};
use agent::config::Config;
use agent::ctx::SystemClock;
use agent::daemon::assemble_at;
use chrono::TimeDelta;
use serde_json::json;
use state::model::{Switch, SwitchState};
use state::store::Store;
use tests::daemon::Site;
use tests::workbench::{HandClock, Lab, STRANGE, USUAL, data, scenario_config, stdout};

use super::{PROGRAM, json_of};

/// One sign-in that is everyday work and one that is not.
fn golden() -> Lab {
    let lab = Lab::scenario(&[USUAL, STRANGE]).unwrap();
    let label = |id: &str, verdict: &str| json!({"source_alert_id": id, "verdict": verdict});
    let labels = [
        label("alert-0", "benign_positive"),
        label("alert-1", "true_positive"),
    ];
    lab.lines("labels.jsonl", &labels).unwrap();
    lab
}

/// The scenario's playbook in a folder of its own, changed.
fn changed(changes: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut text = std::fs::read_to_string(data("playbooks").join("scenario.yaml")).unwrap();
    for (before, after) in changes {
        assert!(text.contains(before), "{text}");
        text = text.replace(before, after);
    }
    std::fs::write(dir.path().join("scenario.yaml"), text).unwrap();
    dir
}

/// A known user speaks for harmless, wherever they come from.
fn sabotaged() -> tempfile::TempDir {
    changed(&[
        (
            "lean: malicious\n    weight: 2.0",
            "lean: benign\n    weight: 3.0",
        ),
        (
            "any.steps.who.complete && !any.steps.who.rows.exists(r, r.usual_addresses.exists(a, a == any.act.src_ip))",
            "trusted.steps.who.complete",
        ),
        ("    techniques: [T1078]\n", ""),
    ])
}

fn config(lab: &Lab) -> Config {
    let mut config = scenario_config();
    config.closing.assurance.lab = Some(lab.path().to_owned());
    config
}

#[tokio::test]
async fn what_comes_out_below_the_floor_fails_and_says_why() {
    let lab = golden();
    let (careless, timid) = (sabotaged(), changed(&[("at_most: 0.2", "at_most: 0.01")]));
    let only_benign = Lab::scenario(&[USUAL]).unwrap();
    let label = json!({"source_alert_id": "alert-0", "verdict": "benign_positive"});
    only_benign.lines("labels.jsonl", &[label]).unwrap();
    let unlabelled = Lab::scenario(&[USUAL]).unwrap();
    type Change<'c> = &'c dyn Fn(&mut Config);
    let playbooks = |dir: &tempfile::TempDir| Some(dir.path().to_owned());
    let cases: [(Change<'_>, Option<&str>); 7] = [
        (&|_| {}, None),
        // What narrows closing in daily work does not narrow it here.
        (&|c| c.closing.review_sample_percent = Some(100.0), None),
        (
            &|c| c.paths.playbooks = playbooks(&careless),
            Some("1 of 1 malicious alerts were closed: alert-1"),
        ),
        (
            &|c| c.paths.playbooks = playbooks(&timid),
            Some("coverage is 0/1, below the floor of 0.5"),
        ),
        (
            &|c| c.closing.assurance.lab = Some(only_benign.path().to_owned()),
            Some("0 malicious and 1 benign"),
        ),
        (
            &|c| c.closing.assurance.lab = Some(unlabelled.path().to_owned()),
            Some("without both it shows nothing"),
        ),
        (
            &|c| c.closing.assurance.lab = Some(PathBuf::from("/nowhere")),
            Some("could not be worked"),
        ),
    ];
    for (i, (change, fault)) in cases.iter().enumerate() {
        let mut config = config(&lab);
        change(&mut config);
        let ran = run(&config, PROGRAM.as_ref(), &SystemClock).await;
        assert_eq!(ran.passed, fault.is_none(), "{i}: {ran:?}");
        if let Some(part) = fault {
            assert!(ran.why.contains(part), "{i}: {}", ran.why);
        }
    }
}

#[tokio::test]
async fn what_could_not_be_judged_is_not_proven() {
    let unreadable = golden();
    let good = unreadable.read("alerts.jsonl").unwrap();
    let broken = json!({"id": "no-time"});
    let alerts = [&good[..], &[broken]].concat();
    unreadable.lines("alerts.jsonl", &alerts).unwrap();
    let lost = golden();
    let labels = lost.read("labels.jsonl").unwrap();
    let label = json!({"source_alert_id": "alert-9", "verdict": "true_positive"});
    lost.lines("labels.jsonl", &[&labels[..], &[label]].concat())
        .unwrap();
    for (lab, part) in [
        (&unreadable, "1 alerts of the lab could not be read: "),
        (&lost, "1 labels have no result: alert-9"),
    ] {
        let ran = run(&config(lab), PROGRAM.as_ref(), &SystemClock).await;
        assert!(!ran.passed, "{ran:?}");
        assert!(ran.why.contains(part), "{}", ran.why);
    }
}

#[tokio::test]
async fn it_is_worked_when_it_is_due_and_switches_closing_off() {
    let lab = golden();
    let careless = sabotaged();
    let mut base = config(&lab);
    base.paths.playbooks = Some(careless.path().to_owned());
    let config = agent::eval::lab_config(PROGRAM.as_ref(), lab.path(), base).unwrap();
    let start = "2026-03-02T12:00:00Z".parse().unwrap();
    let clock = Arc::new(HandClock::at(start));
    let store = Store::open("sqlite::memory:").await.unwrap();
    let assembled = assemble_at(config, store.clone(), clock.clone());
    let assembled = assembled.await.unwrap();
    let ctx = assembled.ctx.clone();
    let look = async || beat(&ctx, PROGRAM.as_ref(), start).await.unwrap();
    assert_eq!(look().await, None, "the next one is at 03:30");
    clock.forward(TimeDelta::minutes(15 * 60 + 29));
    assert_eq!(look().await, None);
    clock.forward(TimeDelta::minutes(1));
    let ran = look().await.unwrap();
    assert!(!ran.passed, "{ran:?}");
    let turn = store.switch(Switch::Closing).await.unwrap().unwrap();
    assert_eq!(turn.state, SwitchState::Off);
    assert!(turn.why.contains("alert-1"), "{}", turn.why);
    assert_eq!(look().await, None, "once a night");
    // However many nights it was down, one run makes up for them.
    clock.forward(TimeDelta::days(5));
    assert!(look().await.is_some());
    assert_eq!(look().await, None);
    assert_eq!(store.assurance_runs(9).await.unwrap().len(), 2);
    assembled.stop().await;
}

#[test]
fn by_hand_it_says_so_with_its_exit_code_and_is_remembered() {
    let site = Site::new(PROGRAM, golden()).unwrap();
    let lab = json!(site.lab.path());
    site.add(&format!("[closing.assurance]\nlab = {lab}"))
        .unwrap();
    site.once().unwrap();
    let passed = json_of(&site, &["assurance", "run", "--json"]);
    assert_eq!(passed["run"]["passed"], true, "{passed}");
    assert_eq!(passed["run"]["figures"]["coverage"]["k"], 1, "{passed}");
    let careless = sabotaged();
    let before = json!(data("playbooks")).to_string();
    site.change(&before, &json!(careless.path()).to_string())
        .unwrap();
    let only_told = site.run(&["assurance", "run", "--dry-run"]).unwrap();
    assert_eq!(only_told.status.code(), Some(1));
    let runs = json_of(&site, &["assurance", "list", "--json"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
    let failed = site.run(&["assurance", "run"]).unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(stdout(&failed).contains("alert-1"), "{}", stdout(&failed));
    let check = stdout(&site.run(&["check"]).unwrap());
    assert!(check.contains("closing: off: "), "{check}");
    assert!(check.contains("assurance: failed at "), "{check}");
}
