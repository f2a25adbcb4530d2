//! What a reader of the week must be told beside the numbers: what they rest on, what they leave out, what they do not measure.

use agent::config::{MetricsConfig, MetricsFormat};
use agent::metrics::{Report, Stretch, brief, render, report};
use state::model::Time;
use state::store::Store;
use tests::months::{Months, fill};
use tests::workbench::tamper;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

/// Everything is worked a month after it happened.
const LATE: [&str; 5] = [
    "DROP TRIGGER alerts_keep_what_came",
    "DROP TRIGGER timeline_events_stay_as_written",
    "UPDATE alerts SET received = received + 2592000000000",
    "UPDATE cases SET opened = opened + 2592000000000, updated = updated + 2592000000000",
    "UPDATE timeline_events SET at = at + 2592000000000",
];

/// The week of a store of made-up months after some changes to it.
async fn week(changes: &[&'static str]) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nd.db");
    let months = Months {
        cases: 600,
        from: at("2026-10-20T00:00:00Z"),
        until: at("2026-11-20T00:00:00Z"),
        seed: 4,
    };
    fill(&file, months).await.unwrap();
    for sql in changes {
        tamper(&file, sql).await.unwrap();
    }
    let url = format!("sqlite:{}", file.display());
    let store = Store::open(&url).await.unwrap();
    let week = Stretch::week("2026-W46", "UTC".parse().unwrap()).unwrap();
    let settings = MetricsConfig::default();
    let made = report(&store, &settings, &week, at("2026-11-30T06:00:00Z"));
    let made = made.await.unwrap();
    store.close().await;
    made
}

fn page(made: &Report) -> String {
    render(made, MetricsFormat::Md).unwrap().remove(0).1
}

fn warned(made: &Report, words: &str) -> bool {
    made.warnings.iter().any(|w| w.contains(words))
}

#[tokio::test]
async fn tokens_without_a_price_have_no_cost_and_not_a_cost_of_nothing() {
    let money = ["cost_usd", "cost_usd_per_alert"];
    let free = week(&["UPDATE case_spent SET usd = 0, tokens_in = tokens_in + 1"]).await;
    for metric in money {
        let number = free.number(metric, "value").unwrap();
        assert_eq!((number.value, number.n), (None, 0), "{metric}");
        assert_eq!(number.not_measured, Some("no price is configured"));
    }
    assert!(free.number("cost_tokens_in", "value").unwrap().value > Some(0.0));
    let text = page(&free);
    assert!(
        text.contains("| model cost | not measured | no price is configured |"),
        "{text}"
    );
    // Of some: these are left out, and it is said how many.
    let some = week(&[]).await;
    let cost = some.number("cost_usd", "value").unwrap();
    let worked = some.number("cost_tokens_in", "value").unwrap().n;
    assert!(cost.value > Some(0.0) && cost.n < worked);
    let said = format!("leaves out {} of {worked} cases", worked - cost.n);
    assert!(warned(&some, &said), "{:?}", some.warnings);
    // Without a model nothing was spent, and that is known.
    let none = week(&["UPDATE case_spent SET usd = 0, tokens_in = 0, tokens_out = 0"]).await;
    for metric in money {
        assert_eq!(none.number(metric, "value").unwrap().value, Some(0.0));
    }
    assert!(!warned(&none, "no price"));
}

#[tokio::test]
async fn a_week_that_came_late_says_so_and_its_cases_were_open() {
    let usual = week(&[]).await;
    assert!(!warned(&usual, "came here"), "{:?}", usual.warnings);
    let late = week(&LATE).await;
    assert!(
        warned(&late, "came here 30.0 d or more after"),
        "{:?}",
        late.warnings
    );
    let open = late.number("backlog", "value").unwrap().value;
    assert!(open >= late.number("case_volume", "value").unwrap().value);
    assert!(page(&late).contains("Cases open at the end of the period: "));
    // None is told as none.
    let none = week(&["UPDATE cases SET status = 'closed', updated = 0"]).await;
    assert_eq!(none.number("backlog", "value").unwrap().value, Some(0.0));
    let text = page(&none);
    assert!(
        text.contains("No case was open at the end of the period."),
        "{text}"
    );
}

#[tokio::test]
async fn a_share_is_told_with_what_it_is_of() {
    let made = week(&[]).await;
    let told = brief(&made);
    for (metric, stat, label) in [
        ("automation_coverage", "value", "closed without a person"),
        ("time_to_decision", "p50", "time to decision (median)"),
    ] {
        let n = made.number(metric, stat).unwrap().n;
        let (_, value, _) = told.numbers.iter().find(|(l, ..)| l == label).unwrap();
        let ends = [format!(" of {n}"), format!(" (n = {n})")];
        assert!(ends.iter().any(|e| value.ends_with(e)), "{label}: {value}");
    }
    let late = brief(&week(&LATE).await);
    let broken = late
        .sections
        .iter()
        .find(|(t, _)| t == "Broken service levels");
    let order: Vec<&str> = broken
        .unwrap()
        .1
        .iter()
        .filter_map(|l| l.split_once(", resolve").map(|(s, _)| s))
        .collect();
    assert_eq!(
        order,
        ["critical", "high", "medium", "low", "informational"]
    );
    // A sample that is too small says so.
    assert!(
        warned(&made, "closes that were wanted were drawn"),
        "{:?}",
        made.warnings
    );
    for metric in ["dwell", "backlog_age"] {
        assert_eq!(made.number(metric, "missing").unwrap().unit, "cases");
    }
}
