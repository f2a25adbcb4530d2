//! What to keep in mind while reading a report; what could not be measured at all stands there itself.

use super::Definition;
use super::document::PeriodEntry;
use super::numbers::Number;
use super::shown::value;
use super::stats::SMALL;

/// Alerts that are this old when they come, seconds, are a replay or a late start.
const LATE: f64 = 3600.0;

/// What to keep in mind: an unfinished period, few cases behind a figure, a source that was not polled.
pub(super) fn warnings(period: &PeriodEntry, numbers: &[Number]) -> Vec<String> {
    let mut warnings = Vec::new();
    if !period.over {
        warnings.push("the period is not over: the figures will change".to_owned());
    }
    let mut small: Vec<&str> = Vec::new();
    for number in numbers
        .iter()
        .filter(|n| n.dimension == "all" && n.is_small())
    {
        let title = Definition::of(&number.metric).map_or("", |d| d.title);
        if !small.contains(&title) {
            small.push(title);
        }
    }
    if !small.is_empty() {
        warnings.push(format!(
            "fewer than {} stand behind, so it may be chance: {}",
            SMALL,
            small.join(", ")
        ));
    }
    warnings.extend(late(numbers));
    warnings.extend(unpriced(numbers));
    warnings.extend(too_few(numbers));
    let gaps = numbers.iter().filter(|n| {
        n.metric == "ingest_gap"
            && n.dimension == "source"
            && n.stat == "value"
            && n.value > Some(0.0)
    });
    for gap in gaps {
        warnings.push(format!(
            "source {} was not polled for {} of it: low figures may be missing alerts",
            gap.dimension_value,
            value("seconds", gap.value.unwrap_or_default() * 60.0)
        ));
    }
    warnings
}

/// The number of a metric as a whole.
fn whole<'n>(numbers: &'n [Number], metric: &str, stat: &str) -> Option<&'n Number> {
    let mut all = numbers.iter();
    all.find(|n| n.metric == metric && n.dimension == "all" && n.stat == stat)
}

/// That the alerts came so late that times from the alert on are not the desk's.
fn late(numbers: &[Number]) -> Option<String> {
    let lag = whole(numbers, "ingest_lag", "p50")?.value?;
    (lag > LATE).then(|| {
        format!(
            "half of the alerts came here {} or more after their source made them: times from the alert on, the backlog and broken service levels tell of that and not of the desk",
            value("seconds", lag)
        )
    })
}

/// That money leaves cases out.
fn unpriced(numbers: &[Number]) -> Option<String> {
    let worked = whole(numbers, "cost_tokens_in", "value")?.n;
    let paid = whole(numbers, "cost_usd", "value")?;
    let out = worked - paid.n;
    (out > 0 && paid.value.is_some()).then(|| {
        format!("model cost leaves out {out} of {worked} cases, whose tokens have no price")
    })
}

/// That fewer closes were drawn for review than were wanted.
fn too_few(numbers: &[Number]) -> Option<String> {
    let floor = whole(numbers, "review_floor", "value")?;
    let reached = floor.value?;
    (reached < 1.0).then(|| {
        format!(
            "only {} of the {} closes that were wanted were drawn for review: auto-close precision rests on few",
            value("ratio", reached),
            floor.n
        )
    })
}
