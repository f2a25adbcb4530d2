//! Off-pattern: what is found in how a rule's alerts were judged, and what a finding holds back.

use std::sync::Arc;

use agent::config::Config;
use agent::ctx::Ctx;
use agent::daemon::{assemble_at, look};
use agent::{pipeline, triage};
use chrono::TimeDelta;
use serde_json::json;
use state::model::{Deviation, Measure, Outcome, RuleAt, Sample, Time, VerdictKind};
use state::store::Store;
use tests::crowd::{self, sign_in};
use tests::daemon::Site;
use tests::past::{Past, leave};
use tests::workbench::{FixedClock, Lab, scenario_config};

use super::{PROGRAM, ending, json_of};

const OPEN: Past = Past {
    kind: VerdictKind::Undetermined,
    calls: 3,
    tool: "siem.query_logs",
    model: None,
};
const HARMLESS: Past = Past {
    kind: VerdictKind::BenignPositive,
    ..OPEN
};
const REAL: Past = Past {
    kind: VerdictKind::TruePositive,
    ..OPEN
};
const AGREED: Past = Past {
    model: Some(VerdictKind::Undetermined),
    ..OPEN
};
const DISPUTED: Past = Past {
    model: Some(VerdictKind::FalsePositive),
    ..OPEN
};
const BUSY: Past = Past { calls: 11, ..OPEN };
const OTHER_TOOL: Past = Past {
    tool: "intel.lookup_indicator",
    ..OPEN
};

fn now() -> Time {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn rule(name: &str) -> RuleAt {
    RuleAt {
        source: "siem".to_owned(),
        rule: name.to_owned(),
    }
}

/// Name, cases before, cases of the last day, what is found and whether it holds closes back.
type Row = (
    &'static str,
    &'static [(usize, Past)],
    &'static [(usize, Past)],
    &'static [(Measure, bool)],
);

const ROWS: [Row; 12] = [
    (
        "as before",
        &[(20, OPEN), (20, HARMLESS)],
        &[(6, OPEN), (6, HARMLESS)],
        &[],
    ),
    (
        "a bit more",
        &[(20, OPEN), (20, HARMLESS)],
        &[(4, OPEN), (8, HARMLESS)],
        &[],
    ),
    (
        "never closed before",
        &[(40, OPEN)],
        &[(12, HARMLESS)],
        &[(Measure::CloseRate, true), (Measure::VerdictMix, true)],
    ),
    (
        "few suffice for a rate",
        &[(40, OPEN)],
        &[(5, HARMLESS)],
        &[(Measure::CloseRate, true)],
    ),
    ("too few now", &[(40, OPEN)], &[(4, HARMLESS)], &[]),
    ("too few before", &[(19, OPEN)], &[(12, HARMLESS)], &[]),
    (
        "closes stop",
        &[(40, HARMLESS)],
        &[(12, OPEN)],
        &[(Measure::CloseRate, false), (Measure::VerdictMix, false)],
    ),
    (
        "attacks begin",
        &[(40, OPEN)],
        &[(12, REAL)],
        &[(Measure::VerdictMix, false)],
    ),
    (
        "the analysts part",
        &[(40, AGREED)],
        &[(12, DISPUTED)],
        &[(Measure::Disagreement, false)],
    ),
    (
        "more calls",
        &[(40, OPEN)],
        &[(12, BUSY)],
        &[(Measure::ToolCalls, false)],
    ),
    (
        "a new tool",
        &[(40, OPEN)],
        &[(11, OPEN), (1, OTHER_TOOL)],
        &[(Measure::NewTool, false)],
    ),
    (
        "a tool gone",
        &[(20, OPEN), (20, OTHER_TOOL)],
        &[(12, OPEN)],
        &[],
    ),
];

#[tokio::test]
async fn what_left_its_baseline_is_found_once_and_accepted_once() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let day = TimeDelta::hours(24);
    for (name, before, recent, _) in ROWS {
        leave(&store, &rule(name), before, now() - day * 10)
            .await
            .unwrap();
        leave(&store, &rule(name), recent, now() - TimeDelta::hours(12))
            .await
            .unwrap();
    }
    // What is older than the month before the last day is forgotten.
    leave(&store, &rule("long ago"), &[(40, OPEN)], now() - day * 40)
        .await
        .unwrap();
    leave(
        &store,
        &rule("long ago"),
        &[(12, HARMLESS)],
        now() - TimeDelta::hours(12),
    )
    .await
    .unwrap();

    let ctx = desk(&store, now()).await;
    look(&ctx).await.unwrap();
    for (name, _, _, wanted) in ROWS {
        let found = found(&store, name).await;
        assert_eq!(found, wanted, "{name}");
        let holds = store.holds_closing(&rule(name)).await.unwrap().is_some();
        assert_eq!(holds, wanted.iter().any(|w| w.1), "{name}");
    }
    assert_eq!(found(&store, "long ago").await, []);
    assert_eq!(
        look(&ctx).await.unwrap(),
        Vec::<i64>::new(),
        "what is open is not found again"
    );

    for finding in store.findings(None).await.unwrap() {
        store
            .accept_finding(finding.id, "ana", now())
            .await
            .unwrap();
    }
    assert_eq!(
        look(&ctx).await.unwrap(),
        Vec::<i64>::new(),
        "what was accepted is the new baseline"
    );
    left_again(&store).await;
    store.verify_audit().await.unwrap();
}

/// Two days on, the accepted pattern is what is compared with.
async fn left_again(store: &Store) {
    let name = "never closed before";
    leave(
        store,
        &rule(name),
        &[(30, HARMLESS)],
        now() + TimeDelta::minutes(1),
    )
    .await
    .unwrap();
    leave(
        store,
        &rule(name),
        &[(12, HARMLESS)],
        now() + TimeDelta::hours(36),
    )
    .await
    .unwrap();
    let ctx = desk(store, now() + TimeDelta::days(2)).await;
    assert_eq!(look(&ctx).await.unwrap(), Vec::<i64>::new());
    leave(
        store,
        &rule(name),
        &[(40, OPEN)],
        now() + TimeDelta::hours(38),
    )
    .await
    .unwrap();
    let ids = look(&ctx).await.unwrap();
    assert!(!ids.is_empty(), "and leaving it again is found");
}

/// A desk without any server, at this time.
async fn desk(store: &Store, time: Time) -> Arc<Ctx> {
    let clock = Arc::new(FixedClock(time));
    let assembled = assemble_at(Config::default(), store.clone(), clock);
    assembled.await.unwrap().ctx
}

async fn found(store: &Store, name: &str) -> Vec<(Measure, bool)> {
    let findings = store.findings(None).await.unwrap();
    let mut found: Vec<(Measure, bool)> = findings
        .into_iter()
        .map(|f| f.deviation)
        .filter(|d| d.of.rule == name)
        .map(|d| (d.measure, d.holds_closing))
        .collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_rule_that_closes_more_than_before_waits_for_a_person() {
    let lab = crowd::lab(4, &[sign_in(0), sign_in(2)]).unwrap();
    let config = agent::eval::lab_config(PROGRAM.as_ref(), lab.path(), scenario_config()).unwrap();
    let of = RuleAt {
        source: config.sources[0].name.clone(),
        rule: "scenario-login".to_owned(),
    };
    let store = Store::open("sqlite::memory:").await.unwrap();
    leave(&store, &of, &[(40, OPEN)], now() - TimeDelta::days(10))
        .await
        .unwrap();
    leave(&store, &of, &[(12, HARMLESS)], now() - TimeDelta::hours(12))
        .await
        .unwrap();
    let assembled = assemble_at(config, store, Arc::new(FixedClock(now())))
        .await
        .unwrap();
    let ctx = &assembled.ctx;
    assert!(!look(ctx).await.unwrap().is_empty());
    for mut source in agent::daemon::pollable(ctx).unwrap() {
        pipeline::poll(ctx, source.source.as_mut()).await.unwrap();
    }
    assert_eq!(triage::take_in(ctx).await.unwrap(), 2);
    let case = triage::work_next(ctx).await.unwrap().unwrap();
    let said = ending(&ctx.store, case).await;
    assert!(said.starts_with("off-pattern: "), "{said}");
    assert_eq!(
        ctx.store.case(case).await.unwrap().outcome,
        Some(Outcome::Escalated)
    );
    for finding in ctx.store.findings(None).await.unwrap() {
        ctx.store
            .accept_finding(finding.id, "ana", now())
            .await
            .unwrap();
    }
    let case = triage::work_next(ctx).await.unwrap().unwrap();
    assert_eq!(
        ctx.store.case(case).await.unwrap().outcome,
        Some(Outcome::Closed)
    );
    assembled.stop().await;
}

#[tokio::test]
async fn people_see_findings_and_accept_them() {
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    let store = site.store().await.unwrap();
    let sample = Sample { n: 40, value: 0.5 };
    let found = Deviation {
        of: rule("r\u{1b}[31m"),
        measure: Measure::CloseRate,
        baseline: sample,
        recent: sample,
        recent_since: now(),
        holds_closing: true,
        what: "more is closed".to_owned(),
    };
    let id = store.add_finding(&found, now()).await.unwrap().unwrap();
    let listed = json_of(&site, &["drift", "list", "--json"]);
    assert_eq!(listed["findings"][0]["measure"], "close_rate", "{listed}");
    let shown = tests::workbench::stdout(&site.run(&["drift", "list"]).unwrap());
    assert!(
        shown.contains("need a person") && !shown.contains('\u{1b}'),
        "{shown}"
    );
    let check = tests::workbench::stdout(&site.run(&["check"]).unwrap());
    assert!(check.contains("1 findings open, 1 keep closes"), "{check}");
    let accept = ["drift", "accept", &id.to_string(), "--by", "ana", "--json"];
    assert_eq!(json_of(&site, &accept)["accepted"][0]["accepted_by"], "ana");
    assert_eq!(site.run(&accept).unwrap().status.code(), Some(1));
    assert_eq!(
        json_of(&site, &["drift", "list", "--json"])["findings"],
        json!([])
    );
    let all = json_of(&site, &["drift", "list", "--all", "--json"]);
    assert_eq!(all["findings"][0]["state"], "accepted", "{all}");
}
