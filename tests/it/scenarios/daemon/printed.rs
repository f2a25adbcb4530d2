//! What `run --once --json` and `eval --json` print: the objects that others rely on, key by key.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::workbench::{Lab, STRANGE, USUAL, data, nightdesk, stderr, stdout};

use super::PROGRAM;

/// The keys of the objects that others rely on, and no other.
fn has_keys(object: &Value, keys: &str) {
    let found: BTreeSet<&str> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, keys.split(' ').collect(), "{object}");
}

fn has_alert_shape(alert: &Value) {
    has_keys(
        alert,
        "source_alert_id case_id verdict confidence probability outcome tier analyst playbook close_allowed duplicate_of techniques \
         timeline effects scanner_hits reasons gaps tool_calls model_turns seconds",
    );
    for line in alert["timeline"].as_array().unwrap() {
        has_keys(line, "at text evidence_ref event_uid entities technique");
    }
    for effect in alert["effects"].as_array().unwrap() {
        has_keys(effect, "tool class target decision approval_id raise");
    }
}

#[tokio::test]
async fn what_once_and_eval_print_has_the_shape_others_rely_on() {
    let site = Site::new(PROGRAM, Lab::scenario(&[STRANGE]).unwrap()).unwrap();
    let first = site.once().unwrap();
    has_keys(&first, "alerts seconds");
    let [alert] = first["alerts"].as_array().unwrap().as_slice() else {
        panic!("{first}")
    };
    has_alert_shape(alert);
    assert!(!alert["timeline"].as_array().unwrap().is_empty(), "{alert}");
    assert!(!alert["effects"].as_array().unwrap().is_empty(), "{alert}");
    assert!(alert["seconds"].as_f64().unwrap() > 0.0, "{alert}");
    let store = site.store().await.unwrap();
    let before = store.counts().await.unwrap();
    assert_eq!(
        site.once().unwrap()["alerts"],
        json!([]),
        "the second run has nothing to do"
    );
    assert_eq!(store.counts().await.unwrap(), before);

    let usual = Lab::scenario(&[USUAL]).unwrap();
    let labs = [
        site.lab.path().to_str().unwrap(),
        usual.path().to_str().unwrap(),
    ];
    let eval = |labs: &[&str]| -> Value {
        let output =
            nightdesk(PROGRAM, usual.path(), &[&["eval", "--json"], labs].concat()).unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let lab_shape = |lab: &Value| {
        has_keys(lab, "lab analyst alerts metrics effort");
        let alerts = lab["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 1, "{lab}");
        alerts.iter().for_each(has_alert_shape);
    };
    lab_shape(&eval(&labs[..1]));
    let both = eval(&labs);
    has_keys(&both, "labs");
    let labs = both["labs"].as_array().unwrap();
    assert_eq!(labs.len(), 2, "{both}");
    labs.iter().for_each(lab_shape);
    let curve = eval(
        &[
            &[site.lab.path().to_str().unwrap()][..],
            &["--feedback-until", "0%,100%"],
        ]
        .concat(),
    );
    has_keys(&curve, "lab analyst curve");
    let points = curve["curve"].as_array().unwrap();
    let taught: Vec<&Value> = points.iter().map(|p| &p["taught"]).collect();
    assert_eq!(taught, [0, 1], "{curve}");
    for point in points {
        has_keys(point, "feedback_until taught after held_out");
        for figures in [&point["after"], &point["held_out"]] {
            assert!(figures["missed_true_positives"]["n"].is_u64(), "{point}");
        }
    }
}

#[test]
fn an_eval_names_the_playbook_that_judged() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let dir = lab.path().to_str().unwrap();
    std::fs::write(
        lab.path().join("nightdesk.toml"),
        format!("[paths]\nplaybooks = {}\n", json!(data("playbooks"))),
    )
    .unwrap();
    let output = nightdesk(PROGRAM, lab.path(), &["eval", "--alerts", dir]).unwrap();
    let told = stdout(&output);
    assert!(told.contains("tier 1 playbook scenario"), "{told}");
    let output = nightdesk(PROGRAM, lab.path(), &["eval", "--json", dir]).unwrap();
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(report["alerts"][0]["playbook"], "scenario", "{report}");
}
