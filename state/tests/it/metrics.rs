//! A period is counted the same way wherever the store is kept; every figure by other means is in `tests/it/metrics`.

use state::model::{CANARY_SOURCE, CaseEvent, CaseId, Severity, VerdictKind};
use state::store::metrics::{
    Depth, Lottery, MetricsExport, Period, SeverityTerms, Share, Spread, Survey, Terms,
};
use state::store::{Intervention, Store};

use crate::feedback::word;
use crate::make::{at, claimed, ending, new_alert, stored};

pub(crate) fn period() -> Period {
    Period {
        since: at(-1000),
        until: at(1000),
        as_of: at(2000),
    }
}

fn lottery() -> Lottery {
    Lottery {
        week: (at(-1000), at(1000)),
        share: 0.5,
        least: 0,
    }
}

pub(crate) fn terms() -> Terms {
    let high = SeverityTerms {
        acknowledge: Some(5.0),
        resolve: Some(1.0),
        minutes: Some(30.0),
    };
    Terms {
        severities: vec![(Severity::High, high)],
        rule_minutes: Vec::new(),
        review_minutes: 6.0,
    }
}

pub(crate) fn spread<'s>(survey: &'s Survey, metric: &str) -> &'s Spread {
    let mut all = survey.spreads.iter();
    all.find(|s| s.key.metric == metric && s.key.by == "all")
        .unwrap()
}

fn share(survey: &Survey, metric: &str) -> (i64, i64) {
    let mut all = survey.shares.iter();
    let found = all.find(|s| s.key.metric == metric && s.key.by == "all");
    found.map(|Share { k, n, .. }| (*k, *n)).unwrap()
}

fn count(survey: &Survey, metric: &str) -> i64 {
    let mut all = survey.tallies.iter();
    all.find(|t| t.key.metric == metric && t.key.by == "all")
        .unwrap()
        .n
}

async fn say(store: &Store, said: Intervention) {
    store.intervene(said).await.unwrap();
}

pub(crate) async fn a_period_is_counted(store: &Store) {
    let (claim, alert) = claimed(store, 0, "ann").await;
    let harmless = VerdictKind::BenignPositive;
    let record = ending(&claim, &alert, harmless, CaseEvent::Closed);
    store.record(record).await.unwrap();
    // Drawn once: what the second draw would have been does not matter.
    for luck in [0.2, 0.9] {
        let lot = (claim.case, at(2));
        let drawn = store.draw_for_review(lot, &lottery(), luck).await;
        assert!(drawn.unwrap(), "{luck}");
    }
    // A canary, which did not happen.
    let mut canary = new_alert(3, "ann");
    CANARY_SOURCE.clone_into(&mut canary.source);
    let canary = stored(store, canary).await;
    store
        .open_case(&canary, "canary", at(3), vec![])
        .await
        .unwrap();
    let before = store.survey(&period(), &terms(), Depth::Whole).await;
    let before = before.unwrap();
    assert_eq!(count(&before, "alert_volume"), 1);
    assert_eq!(count(&before, "backlog"), 0);
    assert_eq!(share(&before, "automation_coverage"), (1, 1));
    assert_eq!(share(&before, "sla_breach_rate_ttr"), (1, 1));
    assert_eq!(share(&before, "sla_breach_rate_tta"), (0, 0));
    assert_eq!(share(&before, "auto_close_precision"), (0, 0));
    assert_eq!(
        spread(&before, "tti").p50.zip(spread(&before, "ttr").p95),
        Some((1.0, 2.0))
    );
    // The first word is superseded by the second: one word counts, and the close was not theirs.
    for (kind, seconds) in [(harmless, 10), (VerdictKind::TruePositive, 11)] {
        say(store, word(claim.case, alert.id, kind, seconds)).await;
    }
    let after = store.survey(&period(), &terms(), Depth::Whole).await;
    let after = after.unwrap();
    assert_eq!(share(&after, "human_tp_rate"), (1, 1));
    assert_eq!(share(&after, "machine_tp_rate"), (0, 1));
    assert_eq!(share(&after, "tp_rate"), (1, 1));
    assert_eq!(share(&after, "auto_close_precision"), (0, 1));
    assert_eq!(share(&after, "missed_tp_rate"), (1, 1));
    assert_eq!(share(&after, "automation_coverage"), (1, 1));
    let saved = after.amounts.iter();
    let mut saved = saved.filter(|a| a.key.metric == "analyst_hours_saved");
    let hours = saved.next().and_then(|a| a.sum).unwrap();
    assert!((hours - 0.4).abs() < 1e-12, "{hours}");
    assert_eq!(after.pairs.len(), 1);
    assert_eq!(after.rules.len(), 1);
    assert_eq!(after.rules[0].kinds, (1, 0, 0));
    // Nothing of a survey stays behind.
    let again = store.survey(&period(), &terms(), Depth::Whole).await;
    assert_eq!(again.unwrap(), after);
}

pub(crate) async fn exports_are_on_record(store: &Store) {
    assert_eq!(store.first_received().await.unwrap(), None);
    let made = |week: &str, seconds| MetricsExport {
        period: week.to_owned(),
        since: at(seconds),
        until: at(seconds + 10),
        dir: "weeks".to_owned(),
        at: at(seconds + 20),
    };
    for (week, seconds) in [("2026-W46", 1), ("2026-W47", 2)] {
        let made = made(week, seconds);
        store.add_metrics_export(&made).await.unwrap();
    }
    let kept = store.metrics_exports(9).await.unwrap();
    assert_eq!(kept, [made("2026-W47", 2), made("2026-W46", 1)]);
    stored(store, new_alert(1, "ann")).await;
    assert_eq!(store.first_received().await.unwrap(), Some(at(0)));
    let nobody = (CaseId(99), at(1));
    assert!(
        store
            .draw_for_review(nobody, &lottery(), 0.5)
            .await
            .is_err()
    );
}
