//! The week in figures: measured in SQL by the store, defined, compared and written here; nothing here judges an alert, and no
//! model has a say in it.
//!
//! A report is made from the store alone. Made again later it counts what was stored meanwhile (a late verdict), and says
//! as of when.

mod chart;
mod compare;
mod csv;
mod define;
mod digest;
mod document;
mod html;
mod markdown;
mod noise;
mod numbers;
mod page;
mod period;
mod shown;
mod stats;
mod write;

pub use define::{DEFINITIONS, Definition};
pub use digest::{Brief, brief};
pub use document::{
    GapEntry, LevelEntry, MinutesEntry, OpenEntry, PeriodEntry, Report, RuleEntry, SCHEMA,
    TermsEntry, Unmeasured,
};
pub use html::html;
pub use markdown::markdown;
pub use numbers::Number;
pub use period::{BadPeriod, Stretch};
pub use write::{Written, render, write};

use state::model::Time;
use state::store::Store;
use state::store::metrics::{Depth, Period};

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
    let over = |s: &Stretch| Period {
        since: s.since,
        until: s.until,
        as_of,
    };
    let survey = store.survey(&over(stretch), &terms, Depth::Whole).await?;
    let mut earlier = Vec::new();
    for back in (1..=EARLIER).rev() {
        let before = stretch.before(back);
        let figures = store.survey(&over(&before), &terms, Depth::Figures).await?;
        earlier.push(numbers::numbers(&figures));
    }
    let mut numbers = numbers::numbers(&survey);
    compare::compare(&mut numbers, earlier);
    Ok(document::document(
        config,
        (stretch, as_of),
        (survey, numbers),
    ))
}
