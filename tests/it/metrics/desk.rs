//! What the real pipeline leaves behind is counted: clock points, the sample for review, people's words, polls.

use chrono::{Days, Utc};
use serde_json::Value;
use tests::daemon::Site;
use tests::workbench::{Lab, USUAL, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn json_of(site: &Site, command: &str) -> Value {
    let args: Vec<&str> = command.split(' ').collect();
    let output = site.run(&args).unwrap();
    assert!(output.status.success(), "{command}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// Value and n of a number as a whole.
fn number(made: &Value, metric: &str, stat: &str) -> (Option<f64>, i64) {
    let mut all = made["numbers"].as_array().unwrap().iter();
    let found = all
        .find(|n| n["metric"] == metric && n["dimension"] == "all" && n["stat"] == stat)
        .unwrap();
    (found["value"].as_f64(), found["n"].as_i64().unwrap())
}

#[test]
fn what_the_daemon_did_is_counted() {
    let lab = Lab::scenario(&[USUAL, USUAL]).unwrap();
    let site = Site::new(PROGRAM, lab).unwrap();
    site.change("review_sample_percent = 0", "review_sample_percent = 100")
        .unwrap();
    site.add("[approvals]\nclosers = [\"ana\"]").unwrap();
    site.once().unwrap();
    let drawn = json_of(&site, "case list --json");
    let drawn: Vec<&Value> = drawn["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|c| c["verdict"] == "benign_positive")
        .map(|c| &c["case"]["id"])
        .collect();
    assert!(!drawn.is_empty());
    // The alerts are of 2026-03-02, the sample of today.
    let week = json_of(&site, "metrics show --week 2026-W10 --json");
    assert_eq!(number(&week, "alert_volume", "value"), (Some(2.0), 2));
    assert_eq!(number(&week, "escalation_rate", "value"), (Some(1.0), 2));
    assert_eq!(number(&week, "tta_human", "p50").0, None);
    for (metric, n) in [("tta_machine", 2), ("tti", 2), ("time_to_decision", 2)] {
        assert_eq!(number(&week, metric, "p50").1, n, "{metric}");
    }
    assert!(number(&week, "cost_tool_calls", "value").0 > Some(0.0));
    assert_eq!(number(&week, "tool_error_rate", "value").0, Some(0.0));
    // Yesterday to tomorrow, so that midnight does not matter.
    let today = Utc::now().date_naive();
    let (from, to) = (today - Days::new(1), today + Days::new(1));
    let now = format!("metrics show --from {from} --to {to} --json");
    let made = json_of(&site, &now);
    let n = i64::try_from(drawn.len()).unwrap();
    assert_eq!(number(&made, "review_sample", "value").1, n);
    assert_eq!(number(&made, "review_share", "value"), (Some(1.0), n));
    assert_eq!(number(&made, "auto_close_precision", "value"), (None, 0));
    assert_eq!(made["ingest_gaps"][0]["minutes"], 0.0);
    // One close was right, as far as people say; then it turns out that it was not.
    let case = drawn[0].as_str().unwrap();
    for (word, right) in [("benign_positive", 1.0), ("true_positive", 0.0)] {
        json_of(
            &site,
            &format!("case feedback {case} --verdict {word} --by ana --json"),
        );
        let made = json_of(&site, &now);
        assert_eq!(
            number(&made, "auto_close_precision", "value"),
            (Some(right), 1)
        );
        assert_eq!(
            number(&made, "missed_tp_rate", "value"),
            (Some(1.0 - right), 1)
        );
    }
    let week = json_of(&site, "metrics show --week 2026-W10 --json");
    assert!(number(&week, "tta_human", "p50").0 >= Some(0.0));
}
