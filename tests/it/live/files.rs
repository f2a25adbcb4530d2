//! The dashboard and the alert rules that are shipped name metrics that there are.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use agent::telemetry::{Exposition, Meters};
use serde_json::Value;
use state::model::{Analyst, CallOutcome, CaseStatus, Switch, SwitchState, Tier, VerdictKind};
use state::store::Live;
use tests::ask::Exposed;

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../deploy")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Meters on which everything was counted once.
fn all() -> Meters {
    let (meters, now) = (Meters::default(), chrono::Utc::now());
    meters.received("feed", 1, now);
    meters.poll_failed("feed");
    let given = (VerdictKind::Suspicious, Tier::Two, Analyst::Playbook);
    meters.worked(&[given], Duration::from_secs(1));
    meters.refused(7);
    meters.called("siem", CallOutcome::Ok, Duration::from_secs(1));
    meters.answered(1, 1);
    meters.unanswered("timeout");
    meters.know_way("slack", Some(now));
    let live = Live {
        cases: vec![(CaseStatus::New, 1)],
        ..Live::default()
    };
    meters.read_store(&live, now);
    meters.read_switch(Switch::Closing, SwitchState::On);
    meters.read_integrity(None);
    meters
}

fn exposed() -> BTreeSet<String> {
    let text = all().render(Exposition::Prometheus).unwrap();
    let samples = Exposed::read(&text).unwrap().samples;
    samples.into_iter().map(|s| s.name).collect()
}

/// Names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let plain = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let words = text.split(plain).filter(|w| w.starts_with("soc_"));
    words.map(str::to_owned).collect()
}

#[test]
fn every_metric_of_the_dashboard_and_the_rules_is_exported() {
    let exported = exposed();
    for (file, least) in [
        ("grafana/nightdesk.json", 15),
        ("prometheus/nightdesk.rules.yml", 10),
    ] {
        let text = shipped(file);
        let used = named(&text);
        assert!(used.len() >= least, "{file} uses only {used:?}");
        let unknown: Vec<_> = used.difference(&exported).collect();
        assert!(
            unknown.is_empty(),
            "{file} uses {unknown:?}; there are {exported:?}"
        );
    }
    let board: Value = serde_json::from_str(&shipped("grafana/nightdesk.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|p| p["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    // A metric that nobody shows or watches is one that nobody misses.
    let shown = named(&format!(
        "{}{}",
        shipped("grafana/nightdesk.json"),
        shipped("prometheus/nightdesk.rules.yml")
    ));
    let families: BTreeSet<String> = exported
        .iter()
        .map(|n| {
            n.trim_end_matches("_count")
                .trim_end_matches("_sum")
                .to_owned()
        })
        .collect();
    let unseen: Vec<_> = families
        .iter()
        .filter(|f| !shown.iter().any(|s| s.starts_with(f.as_str())))
        .collect();
    assert!(unseen.is_empty(), "{unseen:?}");
}
