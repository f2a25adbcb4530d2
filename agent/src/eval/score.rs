//! The figures: rates with their denominators and 95 % Wilson intervals; it reads results and labels, nothing else.

use std::collections::BTreeMap;

use serde::Serialize;
use state::model::{Outcome, VerdictKind};

use crate::metrics::{ratio, wilson};
use crate::playbook::Attack;
use crate::report::AlertResult;

use super::Label;
use super::calibration::Calibration;

/// A share with its denominator and 95 % Wilson score interval; without a denominator nothing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// Numerator.
    pub k: usize,
    /// Denominator.
    pub n: usize,
    /// `k / n`; null when `n` is 0.
    pub value: Option<f64>,
    /// Lower end.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
}

impl Rate {
    /// `k` of `n`.
    #[must_use]
    pub fn of(k: usize, n: usize) -> Self {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let interval = wilson(count(k), count(n));
        let value = ratio(count(k), count(n));
        Self {
            k,
            n,
            value,
            low: interval.map(|i| i.0),
            high: interval.map(|i| i.1),
        }
    }
}

/// What an eval measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metrics {
    /// Alerts in the lab.
    pub alerts: usize,
    /// Alerts with a label.
    pub labelled: usize,
    /// Labels without a result (the alert could not be read): not closed, and in no figure but here.
    pub unmatched: Vec<String>,
    /// Right of all labelled; benign and false positives are one class, suspicious and undetermined another.
    pub verdict_accuracy: Rate,
    /// Malicious and closed, of all malicious.
    pub missed_true_positives: Rate,
    /// Their ids.
    pub missed: Vec<String>,
    /// What was closed or proposed for closing.
    #[serde(flatten)]
    pub closing: Closing,
    /// Not closed, of all.
    pub escalation_rate: Rate,
    /// Malicious called true positive or suspicious, of all malicious.
    pub detection: Rate,
    /// 2 tp / (2 tp + fp + fn) over the techniques of all labelled alerts, benign ones included; `n` is that denominator,
    /// and the interval treats it as a count of trials, which is an approximation.
    pub technique_f1: Rate,
    /// How well the probabilities that were said agree with the labels.
    pub calibration: Calibration,
    /// Labelled verdict to given verdict to count.
    pub confusion: BTreeMap<VerdictKind, BTreeMap<VerdictKind, usize>>,
}

/// What was closed without a person, or proposed to one for closing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Closing {
    /// Benign of all closed.
    pub auto_close_precision: Rate,
    /// Closed of all benign.
    pub coverage: Rate,
    /// Closed, or rightly proposed for closing, of all benign.
    pub coverage_with_proposals: Rate,
    /// Benign of all proposed for closing.
    pub proposal_precision: Rate,
}

impl Closing {
    fn of(labelled: &[(&AlertResult, &Label)]) -> Self {
        let benign = |l: &Label| class(l.verdict) == Class::Benign;
        let proposed = |r: &AlertResult| {
            r.judgement.verdict.is_benign() && r.judgement.outcome == Outcome::AwaitingApproval
        };
        let share = |of: &dyn Fn(&AlertResult, &Label) -> bool,
                     has: &dyn Fn(&AlertResult, &Label) -> bool| {
            let all = labelled.iter().filter(|(r, l)| of(r, l));
            let having = all.clone().filter(|(r, l)| has(r, l));
            Rate::of(having.count(), all.count())
        };
        Self {
            auto_close_precision: share(&|r, _| closed(r), &|_, l| benign(l)),
            coverage: share(&|_, l| benign(l), &|r, _| closed(r)),
            coverage_with_proposals: share(&|_, l| benign(l), &|r, _| closed(r) || proposed(r)),
            proposal_precision: share(&|r, _| proposed(r), &|_, l| benign(l)),
        }
    }
}

fn closed(result: &AlertResult) -> bool {
    result.judgement.outcome == Outcome::Closed
}

/// Which of three classes a verdict is scored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Malicious,
    Benign,
    Open,
}

fn class(kind: VerdictKind) -> Class {
    match kind {
        VerdictKind::TruePositive => Class::Malicious,
        VerdictKind::BenignPositive | VerdictKind::FalsePositive => Class::Benign,
        VerdictKind::Suspicious | VerdictKind::Undetermined | VerdictKind::Duplicate => Class::Open,
    }
}

/// Scores results against labels.
#[must_use]
pub fn score(
    results: &[AlertResult],
    labels: &BTreeMap<String, Label>,
    attack: &Attack,
) -> Metrics {
    let labelled: Vec<(&AlertResult, &Label)> = results
        .iter()
        .filter_map(|r| labels.get(&r.subject.source_alert_id).map(|l| (r, l)))
        .collect();
    let count = |wanted: &dyn Fn(&AlertResult, &Label) -> bool| {
        labelled.iter().filter(|(r, l)| wanted(r, l)).count()
    };
    let is = |l: &Label, c: Class| class(l.verdict) == c;
    let malicious = count(&|_, l| is(l, Class::Malicious));
    let mut confusion: BTreeMap<VerdictKind, BTreeMap<VerdictKind, usize>> = BTreeMap::new();
    for (r, l) in &labelled {
        *confusion
            .entry(l.verdict)
            .or_default()
            .entry(r.judgement.verdict)
            .or_default() += 1;
    }
    let missed: Vec<String> = labelled
        .iter()
        .filter(|(r, l)| is(l, Class::Malicious) && closed(r))
        .map(|(r, _)| r.subject.source_alert_id.clone())
        .collect();
    let detected = |r: &AlertResult, l: &Label| {
        is(l, Class::Malicious)
            && matches!(
                r.judgement.verdict,
                VerdictKind::TruePositive | VerdictKind::Suspicious
            )
    };
    Metrics {
        alerts: results.len(),
        labelled: labelled.len(),
        unmatched: labels
            .keys()
            .filter(|id| results.iter().all(|r| r.subject.source_alert_id != **id))
            .cloned()
            .collect(),
        verdict_accuracy: Rate::of(
            count(&|r, l| class(r.judgement.verdict) == class(l.verdict)),
            labelled.len(),
        ),
        missed_true_positives: Rate::of(missed.len(), malicious),
        missed,
        closing: Closing::of(&labelled),
        calibration: Calibration::of(labelled.iter().filter_map(|(r, l)| {
            let malicious = match class(l.verdict) {
                Class::Malicious => true,
                Class::Benign => false,
                Class::Open => return None,
            };
            Some((r.judgement.probability, malicious))
        })),
        escalation_rate: Rate::of(results.iter().filter(|r| !closed(r)).count(), results.len()),
        detection: Rate::of(count(&detected), malicious),
        technique_f1: techniques(&labelled, attack),
        confusion,
    }
}

fn techniques(labelled: &[(&AlertResult, &Label)], attack: &Attack) -> Rate {
    let ids = |given: &[String]| -> std::collections::BTreeSet<String> {
        given
            .iter()
            .map(|id| attack.get(id).map_or_else(|| id.clone(), |t| t.id.clone()))
            .collect()
    };
    let (mut right, mut extra, mut missing) = (0, 0, 0);
    for (result, label) in labelled {
        let (given, wanted) = (ids(&result.techniques), ids(&label.techniques));
        right += given.intersection(&wanted).count();
        extra += given.difference(&wanted).count();
        missing += wanted.difference(&given).count();
    }
    Rate::of(2 * right, 2 * right + extra + missing)
}

#[cfg(test)]
mod tests {
    use super::Rate;

    #[test]
    fn a_share_of_none_begins_at_nothing_and_of_all_ends_at_all() {
        for n in 1..5000 {
            assert_eq!(Rate::of(0, n).low, Some(0.0), "0 of {n}");
            assert_eq!(Rate::of(n, n).high, Some(1.0), "{n} of {n}");
        }
        let nothing = Rate::of(0, 0);
        assert_eq!(
            (nothing.value, nothing.low, nothing.high),
            (None, None, None)
        );
    }
}
