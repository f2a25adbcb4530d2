//! Which rules are noisy, and what to do about each with the evidence for it; suggestions come from fixed sentences and counts.

use chrono::TimeDelta;
use state::model::{Time, VerdictReason};
use state::store::metrics::RuleNoise;

use super::document::RuleEntry;
use super::stats::{float, ratio, wilson};
use crate::text::oneline;

/// A rule of this volume whose lower bound of noise is this high is noisy.
const VOLUME: i64 = 10;
const LOWER: f64 = 0.9;
/// So is one of this volume without a true positive for this long.
const QUIET_VOLUME: i64 = 20;
const QUIET: TimeDelta = TimeDelta::days(30);
/// One principal in so many of the harmless alerts is worth an exception.
const ONE_OF_ALL: f64 = 0.5;

/// The entry of a rule; `(since when its true positives could be seen, the end of the period)`. What could not be seen
/// for that long is not called quiet.
pub(super) fn entry(rule: &RuleNoise, (known, end): (Option<Time>, Time)) -> RuleEntry {
    let (tp, bp, fp) = rule.kinds;
    let decided = tp + bp + fp;
    let lower = wilson(bp + fp, decided).map(|(low, _)| low);
    let quiet = rule.last_tp.or(known).is_some_and(|at| at < end - QUIET);
    let loud = rule.volume >= VOLUME && lower.is_some_and(|low| low >= LOWER);
    let silent = rule.volume >= QUIET_VOLUME && quiet;
    let mut why = Vec::new();
    if loud {
        let low = lower.unwrap_or_default();
        why.push(format!(
            "{} of {decided} judged alerts were harmless (at least {:.0} % with 95 % confidence)",
            bp + fp,
            low * 100.0
        ));
    }
    if silent {
        why.extend(match (rule.last_tp, known) {
            (Some(at), _) => Some(format!(
                "the last true positive was on {}",
                at.format("%Y-%m-%d")
            )),
            (None, known) => {
                known.map(|at| format!("no true positive since {}", at.format("%Y-%m-%d")))
            }
        });
    }
    let noisy = loud || silent;
    RuleEntry {
        source: oneline(&rule.source, 200),
        rule: oneline(&rule.rule, 200),
        title: oneline(&rule.title, 200),
        counts: super::document::RuleCounts {
            volume: rule.volume,
            true_positive: tp,
            benign_positive: bp,
            false_positive: fp,
        },
        noise_rate: ratio(bp + fp, decided),
        noise_lower: lower,
        human_minutes: rule.human_minutes,
        machine_minutes: rule.machine_minutes,
        last_tp: rule.last_tp,
        top_reason: rule.reason.map(|(reason, _)| reason),
        suggestion: noisy.then(|| suggestion(rule, bp + fp)),
        evidence: if noisy {
            evidence(rule, bp + fp, why)
        } else {
            Vec::new()
        },
    }
}

/// What to do, in a sentence.
fn suggestion(rule: &RuleNoise, harmless: i64) -> String {
    use VerdictReason as R;
    let (_, bp, fp) = rule.kinds;
    if harmless == 0 {
        return "nothing of it was judged harmless either: check what the rule is for, and whether its cases end with a verdict".to_owned();
    }
    let reason = rule.reason.map(|(reason, _)| reason);
    let what = match reason {
        Some(R::AuthorizedTest) => {
            "exclude the accounts and hosts of announced tests, for the time of the test"
        }
        Some(R::AdminActivity) => {
            "exclude known administrators on known machines, and keep the rule for everybody else"
        }
        Some(R::Maintenance) => "suppress it in announced maintenance windows",
        Some(R::ExpectedBusiness) => {
            "raise its threshold, or exclude what is usual for the accounts concerned"
        }
        Some(R::InaccurateData) => {
            "repair the data it reads (inventory, indicators, field mapping) before the rule itself"
        }
        Some(R::IncorrectLogic) => "correct its condition: it matches what it was not written for",
        _ if fp > bp => "correct its condition: most of its alerts are false",
        _ => "narrow it to what is not usual here, or lower its severity",
    };
    match principal(rule, harmless) {
        Some((name, n)) => format!("{what}; begin with {name}, who acted in {n} of {harmless}"),
        None => what.to_owned(),
    }
}

/// The one principal of most harmless alerts, if there is one.
fn principal(rule: &RuleNoise, harmless: i64) -> Option<(String, i64)> {
    let (name, n) = rule.principal.as_ref()?;
    (float(*n) >= ONE_OF_ALL * float(harmless)).then(|| (oneline(name, 80), *n))
}

fn evidence(rule: &RuleNoise, harmless: i64, mut why: Vec<String>) -> Vec<String> {
    if let Some((reason, n)) = rule.reason {
        why.push(format!(
            "reason {reason} in {n} of {harmless} harmless alerts"
        ));
    }
    if let Some((name, n)) = &rule.principal {
        let name = oneline(name, 80);
        why.push(format!("{name} acted in {n} of {harmless} harmless alerts"));
    }
    if rule.human_minutes > 0.0 {
        why.push(format!(
            "about {:.0} minutes of people (by the terms)",
            rule.human_minutes
        ));
    }
    why
}
