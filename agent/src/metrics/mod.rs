//! The week in figures: measured in SQL by the store, defined, compared and written here; nothing here judges an alert, and no
//! model has a say in it.
//!
//! A report is made from the store alone. Made again later it counts what was stored meanwhile (a late verdict), and says
//! as of when.

mod compare;
mod csv;
mod define;
mod digest;
mod document;
mod noise;
mod numbers;
mod page;
mod period;
mod shown;
mod stats;
mod warnings;
mod write;

pub use define::{DEFINITIONS, Definition};
pub use digest::{Brief, brief};
pub use document::{
    GapEntry, LevelEntry, MinutesEntry, OpenEntry, PeriodEntry, Report, RuleEntry, SCHEMA,
    TermsEntry, Unmeasured,
};
pub use numbers::Number;
pub use period::{BadPeriod, Stretch};
pub(crate) use stats::{ratio, wilson};
pub use write::{Written, render, write};

use state::model::Time;
use state::store::metrics::{Depth, Period, Terms};
use state::store::{Store, StoreError};

use crate::config::MetricsConfig;

/// How many earlier periods a report is compared with.
pub const EARLIER: usize = 4;

/// The JSON Schema of `metrics.json`.
pub const JSON_SCHEMA: &str = include_str!("../../schemas/metrics.schema.json");

/// Measures a period and the ones before it.
///
/// # Errors
/// When the store fails.
pub async fn report(
    store: &Store,
    config: &MetricsConfig,
    stretch: &Stretch,
    as_of: Time,
) -> state::store::Result<Report> {
    let terms = config.terms();
    let period = over(stretch, as_of);
    let back: Vec<usize> = (2..=EARLIER).rev().collect();
    // Two readers side by side; no more, so that the daemon keeps some.
    let ((survey, last), mut earlier) = tokio::try_join!(
        async {
            let survey = store.survey(&period, &terms, Depth::Whole).await?;
            let last = figures(store, &terms, (stretch, as_of), &[1]).await?;
            Ok::<_, StoreError>((survey, last))
        },
        figures(store, &terms, (stretch, as_of), &back),
    )?;
    earlier.extend(last);
    let mut numbers = numbers::numbers(&survey);
    compare::compare(&mut numbers, earlier);
    Ok(document::document(
        config,
        (stretch, as_of),
        (survey, numbers),
    ))
}

/// The report as one HTML file: style and charts within, no script, nothing loaded.
///
/// # Errors
/// When the page can't be filled: a defect of the program.
pub fn html(report: &Report) -> anyhow::Result<String> {
    Ok(page::page(report).html()?)
}

fn over(stretch: &Stretch, as_of: Time) -> Period {
    Period {
        since: stretch.since,
        until: stretch.until,
        as_of,
    }
}

/// The figures of the periods so many before this one.
async fn figures(
    store: &Store,
    terms: &Terms,
    (stretch, as_of): (&Stretch, Time),
    back: &[usize],
) -> state::store::Result<Vec<Vec<Number>>> {
    let mut found = Vec::new();
    for back in back {
        let period = over(&stretch.before(*back), as_of);
        let survey = store.survey(&period, terms, Depth::Figures).await?;
        found.push(numbers::numbers(&survey));
    }
    Ok(found)
}
