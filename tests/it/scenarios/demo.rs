//! The bundled lab as a user runs it.

use std::collections::BTreeSet;

use agent::config::Config;
use agent::eval::run_lab;
use serde_json::Value;
use state::model::Outcome;
use tests::workbench::{Lab, nightdesk, scenario_config, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn config() -> Config {
    let mut config = scenario_config();
    config.paths.playbooks = None;
    config
}

#[test]
fn the_demo_works_the_queue_and_leaves_cases_to_look_at() {
    let dir = tempfile::tempdir().unwrap();
    let output = nightdesk(PROGRAM, dir.path(), &["demo", "--json"]).unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let alerts = result["alerts"].as_array().unwrap();
    let labels = agent::eval::read_labels(&dir.path().join("nightdesk-demo/lab")).unwrap();
    let ids: BTreeSet<&str> = alerts
        .iter()
        .map(|a| a["source_alert_id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        labels.keys().map(String::as_str).collect(),
        "every alert exactly once"
    );
    assert!(alerts.len() >= 24);
    let at = |tier: i64, outcome: &str| {
        alerts
            .iter()
            .any(|a| a["tier"] == tier && a["outcome"] == outcome)
    };
    assert!(at(1, "closed") && at(2, "escalated") && at(3, "escalated"));

    let run = dir.path().join("nightdesk-demo");
    nothing_was_sent(alerts, &run);
    let list = nightdesk(PROGRAM, &run, &["case", "list", "--json"]).unwrap();
    let cases: Value = serde_json::from_str(&stdout(&list)).unwrap();
    for case in cases["cases"].as_array().unwrap().iter().step_by(6) {
        let id = case["case"]["id"].as_str().unwrap();
        for view in ["show", "timeline", "report"] {
            let people = nightdesk(PROGRAM, &run, &["case", view, id]).unwrap();
            assert!(people.status.success(), "{view} {id}: {}", stderr(&people));
            let machines = nightdesk(PROGRAM, &run, &["case", view, id, "--json"]).unwrap();
            serde_json::from_str::<Value>(&stdout(&machines)).unwrap();
        }
    }
    let incident = cases["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["verdict"] == "true_positive" && c["alerts"].as_i64() > Some(1));
    let id = incident.expect("a multi-alert incident")["case"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let report = stdout(&nightdesk(PROGRAM, &run, &["case", "report", &id]).unwrap());
    for part in [
        "DRAFT",
        "## Executive summary",
        "```mermaid",
        "## ATT&CK",
        "## Containment",
        "D3-",
        "## Appendix: evidence",
    ] {
        assert!(report.contains(part), "the report lacks {part}:\n{report}");
    }
    let verify = nightdesk(PROGRAM, &run, &["audit", "verify"]).unwrap();
    assert!(verify.status.success(), "{}", stderr(&verify));
}

/// Writes are proposed and recorded; none leaves the house.
fn nothing_was_sent(alerts: &[Value], run: &std::path::Path) {
    let effects: Vec<&Value> = alerts
        .iter()
        .flat_map(|a| a["effects"].as_array().unwrap())
        .collect();
    assert!(
        effects
            .iter()
            .any(|e| e["tool"] == "ticketing.create_ticket" && e["decision"] == "dry_run")
    );
    assert!(
        effects.iter().all(|e| e["decision"] != "executed"),
        "{effects:?}"
    );
    assert!(
        !run.join("lab/tickets.out.jsonl").exists(),
        "a proposed write was sent"
    );
}

#[tokio::test]
async fn no_labelled_attack_of_the_demo_is_closed_and_every_close_is_right() {
    let lab = Lab::demo().unwrap();
    let report = run_lab(PROGRAM.as_ref(), lab.path(), (config(), None))
        .await
        .unwrap();
    assert_eq!(report.metrics.missed, Vec::<String>::new());
    assert_eq!(report.metrics.closing.auto_close_precision.value, Some(1.0));
    assert!(
        report.metrics.closing.auto_close_precision.n >= 5,
        "{:?}",
        report.metrics
    );
    assert_eq!(report.metrics.labelled, report.metrics.alerts);
    let table: Vec<String> = report
        .alerts
        .iter()
        .map(|a| {
            let j = &a.judgement;
            format!(
                "{} {} {} {}",
                a.subject.source_alert_id, j.verdict, j.outcome, j.tier
            )
        })
        .collect();
    let again = run_lab(PROGRAM.as_ref(), lab.path(), (config(), None))
        .await
        .unwrap();
    let same = again
        .alerts
        .iter()
        .zip(&report.alerts)
        .all(|(a, b)| a.reasons == b.reasons && a.timeline.len() == b.timeline.len());
    assert!(same, "two runs differ");
    insta::assert_snapshot!("demo", table.join("\n"));
}

#[tokio::test]
async fn nothing_is_seeded_a_verdict_falls_with_its_evidence() {
    let lab = Lab::demo().unwrap();
    let before = run_lab(PROGRAM.as_ref(), lab.path(), (config(), None))
        .await
        .unwrap();
    let closed = |r: &agent::eval::LabReport| -> BTreeSet<String> {
        r.alerts
            .iter()
            .filter(|a| a.judgement.outcome == Outcome::Closed)
            .map(|a| a.subject.source_alert_id.clone())
            .collect()
    };
    // Without change records nobody has approved anything any more.
    assert!(lab.remove("changes.jsonl", |_| true).unwrap() > 0);
    let after = run_lab(PROGRAM.as_ref(), lab.path(), (config(), None))
        .await
        .unwrap();
    assert!(closed(&after).is_subset(&closed(&before)));
    assert!(
        closed(&after).len() < closed(&before).len(),
        "closes did not rest on the change records"
    );
}
