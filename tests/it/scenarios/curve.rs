//! The learning curve: a lab worked once for each cut point, scored on what none of the runs was told.

use agent::eval::{FeedbackUntil, run_curve};
use serde_json::{Value, json};
use tests::workbench::{Lab, STRANGE, scenario_config};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// An alert that nothing speaks for comes again every hour.
fn repeated(times: usize) -> Lab {
    let lab = Lab::scenario(&[STRANGE]).unwrap();
    let first = lab.read("alerts.jsonl").unwrap().remove(0);
    let (mut alerts, mut labels) = (Vec::new(), Vec::new());
    for n in 0..times {
        let (id, at) = (format!("alert-{n}"), format!("2026-03-02T0{n}:00:00.000Z"));
        let mut alert = first.clone();
        alert["rule_id"] = json!("scenario-repeated");
        alert["id"] = json!(id);
        alert["created_at"] = json!(at);
        alert["events"][0]["uuid"] = json!(format!("9f1c{n}d"));
        alert["events"][0]["published"] = json!(at);
        alerts.push(alert);
        labels.push(json!({"source_alert_id": id, "verdict": "benign_positive"}));
    }
    lab.lines("alerts.jsonl", &alerts).unwrap();
    lab.lines("labels.jsonl", &labels).unwrap();
    lab
}

#[tokio::test]
async fn a_curve_scores_the_same_untold_alerts_at_every_point() {
    let lab = repeated(8);
    let cuts = ["0%", "25%", "75%"].map(|c| c.parse::<FeedbackUntil>().unwrap());
    let curve = run_curve(PROGRAM.as_ref(), lab.path(), (scenario_config(), &cuts));
    let curve = serde_json::to_value(curve.await.unwrap()).unwrap();
    let point = |p: &Value| {
        let closed = |figures: &Value| {
            let rate = &figures["coverage"];
            (rate["k"].as_u64().unwrap(), rate["n"].as_u64().unwrap())
        };
        let until = p["feedback_until"].as_str().unwrap().to_owned();
        let taught = p["taught"].as_u64().unwrap();
        (until, taught, closed(&p["after"]), closed(&p["held_out"]))
    };
    let points: Vec<_> = curve["curve"]
        .as_array()
        .unwrap()
        .iter()
        .map(point)
        .collect();
    assert_eq!(
        points,
        [
            ("0%".to_owned(), 0, (0, 8), (0, 2)),
            ("25%".to_owned(), 2, (6, 6), (2, 2)),
            ("75%".to_owned(), 6, (2, 2), (2, 2)),
        ]
    );
}
