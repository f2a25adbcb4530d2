//! Whether a measure left its baseline: shares by Fisher's exact test, the mix by a chi-squared test; pure, no store.

use state::model::{Measure, Pattern, Sample, VerdictKind};
use statrs::distribution::{ChiSquared, ContinuousCDF as _};
use statrs::stats_tests::Alternative;
use statrs::stats_tests::fisher::fishers_exact;

/// Chance at which a difference is no accident. A desk with 50 rules makes about 250 independent comparisons a day:
/// at this level one false finding in six weeks.
const CHANCE: f64 = 1e-4;
/// Least change of a share that matters; with enough alerts smaller ones are certain and mean nothing.
const LEAST_CHANGE: f64 = 0.1;
/// Least alerts before and now. Fewer before are no baseline; fewer now can't reach [`CHANCE`] against one of 20.
const LEAST: (u64, u64) = (20, 5);
/// The same for the mix: below it the chi-squared test is too sure of itself.
const LEAST_MIX: (u64, u64) = (30, 10);
/// Total-variation distance of two mixes that matters: every fifth alert is judged otherwise than before.
const LEAST_DISTANCE: f64 = 0.2;
/// Share of alerts at either end whose number of tool calls counts as unusual.
const TAIL: f64 = 0.05;

/// A measure that left its baseline.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub(super) baseline: Sample,
    pub(super) recent: Sample,
    pub(super) holds_closing: bool,
    pub(super) what: String,
}

/// So many of so many.
#[derive(Debug, Clone, Copy)]
struct Share {
    some: u64,
    of: u64,
}

impl Share {
    fn value(self) -> f64 {
        ratio(self.some, self.of)
    }

    fn sample(self) -> Sample {
        Sample {
            n: self.of,
            value: self.value(),
        }
    }
}

/// Compares one measure; none when it is as before, or there is too little to say.
pub(super) fn compare(measure: Measure, before: &Pattern, now: &Pattern) -> Option<Change> {
    match measure {
        Measure::CloseRate => {
            let share = |p: &Pattern| Share {
                some: p.closable,
                of: p.judged,
            };
            let mut change = shares("alerts that can be closed", share(before), share(now))?;
            change.holds_closing = change.recent.value > change.baseline.value;
            Some(change)
        }
        Measure::VerdictMix => mix(before, now),
        Measure::Disagreement => {
            let share = |p: &Pattern| Share {
                some: p.disagreed,
                of: p.compared,
            };
            let what = "alerts over which the analysts disagree";
            shares(what, share(before), share(now))
        }
        Measure::ToolCalls => {
            let (least, most) = usual(before)?;
            let share = |p: &Pattern| Share {
                some: outside(p, least, most),
                of: p.judged,
            };
            let what = format!("alerts with fewer than {least} or more than {most} tool calls");
            shares(&what, share(before), share(now)).filter(|c| c.recent.value > c.baseline.value)
        }
        Measure::NewTool => new_tools(before, now),
    }
}

/// Two shares by Fisher's exact test, twice the chance of the side that they differ to.
fn shares(what: &str, before: Share, now: Share) -> Option<Change> {
    let enough = before.of >= LEAST.0 && now.of >= LEAST.1;
    let matters = (now.value() - before.value()).abs() >= LEAST_CHANGE;
    if !enough || !matters {
        return None;
    }
    let table = [
        now.some,
        before.some,
        now.of.saturating_sub(now.some),
        before.of.saturating_sub(before.some),
    ];
    let side = if now.value() > before.value() {
        Alternative::Greater
    } else {
        Alternative::Less
    };
    let chance = fishers_exact(&table, side).ok()?;
    (2.0 * chance < CHANCE).then(|| Change {
        baseline: before.sample(),
        recent: now.sample(),
        holds_closing: false,
        what: format!(
            "{what}: {} of {} in the last day, {:.0} % before",
            now.some,
            now.of,
            before.value() * 100.0
        ),
    })
}

/// The verdict mix; its value is the share judged harmless.
fn mix(before: &Pattern, now: &Pattern) -> Option<Change> {
    if before.judged < LEAST_MIX.0 || now.judged < LEAST_MIX.1 {
        return None;
    }
    let of = |p: &Pattern, kind: &VerdictKind| p.verdicts.get(kind).copied().unwrap_or(0);
    let (mut distance, mut statistic, mut kinds) = (0.0, 0.0, 0_u32);
    let share_now = ratio(now.judged, now.judged + before.judged);
    for kind in VerdictKind::ALL {
        let (b, n) = (of(before, kind), of(now, kind));
        if b + n == 0 {
            continue;
        }
        kinds += 1;
        distance += (ratio(n, now.judged) - ratio(b, before.judged)).abs() / 2.0;
        for (seen, share) in [(n, share_now), (b, 1.0 - share_now)] {
            let expected = count(b + n) * share;
            statistic += (count(seen) - expected).powi(2) / expected;
        }
    }
    let free = f64::from(kinds.checked_sub(1).filter(|f| *f > 0)?);
    let chance = ChiSquared::new(free).ok()?.sf(statistic);
    if distance < LEAST_DISTANCE || chance >= CHANCE {
        return None;
    }
    let harmless = |p: &Pattern| Share {
        some: p.benign(),
        of: p.judged,
    };
    let (b, n) = (harmless(before), harmless(now));
    Some(Change {
        baseline: b.sample(),
        recent: n.sample(),
        holds_closing: n.value() - b.value() >= LEAST_CHANGE,
        what: format!(
            "verdicts: {:.0} % are other ones than before; {} of {} harmless in the last day, {:.0} % before",
            distance * 100.0,
            n.some,
            n.of,
            b.value() * 100.0
        ),
    })
}

fn new_tools(before: &Pattern, now: &Pattern) -> Option<Change> {
    if before.judged < LEAST.0 {
        return None;
    }
    let new: Vec<&str> = now
        .tools
        .difference(&before.tools)
        .map(String::as_str)
        .collect();
    (!new.is_empty()).then(|| Change {
        baseline: Sample {
            n: before.judged,
            value: 0.0,
        },
        recent: Sample {
            n: now.judged,
            value: count(u64::try_from(new.len()).unwrap_or(u64::MAX)),
        },
        holds_closing: false,
        what: format!("tools never called before: {}", new.join(", ")),
    })
}

/// Between how many tool calls the alerts lie, without the tails.
fn usual(pattern: &Pattern) -> Option<(u64, u64)> {
    let cut = count(pattern.judged) * TAIL;
    Some((
        inner(pattern.calls.iter(), cut)?,
        inner(pattern.calls.iter().rev(), cut)?,
    ))
}

/// The first number of calls that is not cut off with the tail, from the end where the walk begins.
fn inner<'a>(calls: impl Iterator<Item = (&'a u64, &'a u64)>, cut: f64) -> Option<u64> {
    let mut seen = 0;
    for (calls, alerts) in calls {
        seen += alerts;
        if count(seen) > cut {
            return Some(*calls);
        }
    }
    None
}

fn outside(pattern: &Pattern, least: u64, most: u64) -> u64 {
    let outside = pattern
        .calls
        .iter()
        .filter(|(calls, _)| !(least..=most).contains(*calls));
    outside.map(|(_, alerts)| alerts).sum()
}

fn ratio(some: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        count(some) / count(of)
    }
}

fn count(n: u64) -> f64 {
    u32::try_from(n).map_or(f64::from(u32::MAX), f64::from)
}
