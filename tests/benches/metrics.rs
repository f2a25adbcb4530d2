//! What the weekly metrics cost: time and peak memory of a whole export over stores of 10,000, 100,000 and 1,000,000 cases.
//!
//! Run with `cargo bench -p tests --bench metrics`. The cases lie evenly in a year; one export is of the last whole week (and
//! of the four before it, to compare), another of all the year at once. It fails when the week's takes longer than ten
//! seconds or its memory grows with the store; built without optimisation it only prints. `NIGHTDESK_CASES` sets other sizes.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use agent::config::{MetricsConfig, MetricsFormat, Zone};
use agent::metrics::{Stretch, report, write};
use state::model::Time;
use state::store::Store;
use tests::months::{Months, fill};

/// Longest that the export of a week may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Most that the peak may grow from the smallest store to the largest, kilobytes.
const GROWTH: u64 = 100 * 1024;

/// Peak of the process's memory since it was last asked, kilobytes; where the system does not tell, 0.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let number = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    number.unwrap_or(0)
}

fn day(text: &str) -> chrono::NaiveDate {
    text.parse().unwrap()
}

async fn measured(cases: i64) -> (Duration, u64) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nd.db");
    let at = |text: &str| text.parse::<Time>().unwrap();
    let (from, until) = (at("2025-12-01T00:00:00Z"), at("2026-11-30T00:00:00Z"));
    let began = Instant::now();
    let months = Months {
        cases,
        from,
        until,
        seed: 1,
    };
    fill(&file, months).await.unwrap();
    let bytes = std::fs::metadata(&file).unwrap().len();
    println!(
        "{cases:>9} cases: made in {:.1} s, {} MB",
        began.elapsed().as_secs_f64(),
        bytes / 1_000_000
    );
    let zone: Zone = "Europe/Berlin".parse().unwrap();
    let config = MetricsConfig::default();
    let week = Stretch::week("2026-W47", zone).unwrap();
    let year = Stretch::days(day("2025-12-01"), day("2026-11-29"), zone).unwrap();
    let mut first = None;
    for (what, stretch) in [("a week", week), ("the year", year)] {
        let store = Store::open(&format!("sqlite:{}", file.display()))
            .await
            .unwrap();
        peak();
        let began = Instant::now();
        let made = report(&store, &config, &stretch, until).await.unwrap();
        let counted = began.elapsed();
        write(&made, &MetricsFormat::ALL, &dir.path().join("out")).unwrap();
        let (took, top) = (began.elapsed(), peak());
        store.close().await;
        let alerts = made.number("alert_volume", "value").unwrap().n;
        println!(
            "          {what}: {alerts} alerts, counted in {:.2} s, exported in {:.2} s, peak {} MB",
            counted.as_secs_f64(),
            took.as_secs_f64(),
            top / 1024
        );
        first.get_or_insert((took, top));
    }
    first.unwrap()
}

fn main() -> ExitCode {
    let sizes = std::env::var("NIGHTDESK_CASES").unwrap_or("10000,100000,1000000".to_owned());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sizes = sizes.split(',').map(|s| s.trim().parse().unwrap());
    let found: Vec<(Duration, u64)> = sizes.map(|n| runtime.block_on(measured(n))).collect();
    let slow = found.iter().any(|(took, _)| *took > LIMIT);
    let peaks = found.iter().map(|(_, top)| *top);
    let grown = peaks.clone().max().unwrap_or(0) - peaks.min().unwrap_or(0);
    println!("memory grew by {} MB", grown / 1024);
    if cfg!(debug_assertions) {
        println!("built without optimisation: nothing is judged");
        return ExitCode::SUCCESS;
    }
    match slow || grown > GROWTH {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    }
}
