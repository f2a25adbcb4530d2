//! How long an intruder was there: what the pipeline keeps of it on the bundled lab, and what the week makes of it.

use std::collections::{BTreeMap, BTreeSet};

use agent::report::{AlertFile, CaseFile};
use agent::{config, daemon};
use serde_json::Value;
use state::model::{Activity, Evidence, Field, Time, VerdictKind};
use state::store::{CaseFilter, Store};
use tests::workbench::{nightdesk, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// Whether an event shares a session, a process or an address that few use with one of the alert's own.
fn near(alert: &AlertFile, found: &Evidence, event: &Activity) -> bool {
    let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for other in &found.activities {
        let user = other.get(Field::User);
        if !user.is_empty() {
            users
                .entry(other.get(Field::SrcIp))
                .or_default()
                .insert(user);
        }
    }
    let many = users.get(event.get(Field::SrcIp)).map_or(0, BTreeSet::len) > 3;
    alert.alert.activities.iter().any(|own| {
        [Field::Session, Field::ProcessId, Field::SrcIp]
            .iter()
            .any(|f| {
                let (a, b) = (event.get(*f), own.get(*f));
                !a.is_empty() && a.eq_ignore_ascii_case(b) && !(*f == Field::SrcIp && many)
            })
    })
}

/// The first line of an alert's story that is its own, or is near and shows a technique of its verdict.
fn first(file: &CaseFile, alert: &AlertFile) -> Option<Time> {
    let claimed = &alert.verdict.as_ref().unwrap().basis.techniques;
    let lines = alert.activity.iter().filter(|l| {
        let found = file.evidence.iter().find(|e| e.reference == l.evidence_ref);
        let event =
            found.and_then(|e| Some((e, e.activities.iter().find(|a| a.uid == l.event_uid)?)));
        l.at < alert.alert.time
            && l.technique.as_ref().is_some_and(|t| claimed.contains(t))
            && event.is_some_and(|(e, a)| near(alert, e, a))
    });
    let told = alert.alert.activities.iter().filter_map(|a| a.time);
    lines.map(|l| l.at).chain(told).min()
}

#[tokio::test]
async fn an_incident_begins_with_the_first_event_that_shows_it() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let output = nightdesk(PROGRAM, dir.path(), args).unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        stdout(&output)
    };
    run(&["demo", "--json"]);
    let home = dir.path().join("nightdesk-demo");
    let settings = home.join("nightdesk.toml");
    let library = daemon::data(&config::load(&settings).unwrap())
        .unwrap()
        .library;
    let url = format!("sqlite:{}", home.join("nightdesk.db").display());
    let store = Store::open(&url).await.unwrap();
    let mut dwelt: BTreeMap<String, f64> = BTreeMap::new();
    let mut before = 0;
    for line in store.list_cases(CaseFilter::default()).await.unwrap() {
        let file = CaseFile::read(&store, &library, line.case.id)
            .await
            .unwrap();
        let is_real = |a: &&AlertFile| {
            let verdict = a.verdict.as_ref();
            verdict.is_some_and(|v| v.kind == VerdictKind::TruePositive)
        };
        let real: Vec<&AlertFile> = file.alerts.iter().filter(is_real).collect();
        for alert in &real {
            let verdict = alert.verdict.as_ref().unwrap();
            assert_eq!(
                verdict.basis.earliest,
                first(&file, alert),
                "{}",
                line.case.id
            );
            let own = alert.alert.activities.iter().filter_map(|a| a.time).min();
            before += usize::from(verdict.basis.earliest < own);
        }
        let begun = real.iter();
        let begun = begun.filter_map(|a| a.verdict.as_ref().unwrap().basis.earliest);
        let found = real.iter().map(|a| a.alert.time).min();
        if let Some((found, begun)) = found.zip(begun.min()) {
            let dwell = (found - begun).as_seconds_f64();
            dwelt.insert(line.case.id.to_string(), dwell);
        }
    }
    store.close().await;
    assert!(dwelt.len() > 3 && before > 0, "{dwelt:?} {before}");
    let settings = settings.to_str().unwrap();
    let period = ["--from", "2024-01-01", "--to", "2026-12-31"];
    let show = ["metrics", "show", "--json", "--config", settings];
    let made: Value = serde_json::from_str(&run(&[&show[..], &period].concat())).unwrap();
    let number = |stat: &str| {
        let mut all = made["numbers"].as_array().unwrap().iter();
        let found = all.find(|n| n["metric"] == "dwell" && n["stat"] == stat);
        found.unwrap().clone()
    };
    assert_eq!(number("p50")["n"], dwelt.len(), "{dwelt:?}");
    let longest = dwelt.values().copied().fold(0.0, f64::max);
    let shown = number("max")["value"].as_f64().unwrap();
    assert!((shown - longest).abs() < 0.01, "{shown} {dwelt:?}");
}
