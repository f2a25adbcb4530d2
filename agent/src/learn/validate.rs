//! What learned weights would do on verdicts that they were not fitted on: k-fold cross-validation by case.

use std::collections::BTreeMap;

use serde::Serialize;
use state::model::CaseId;

use crate::eval::Rate;

use super::fit::{FitError, fit, probability, surprise};
use super::words::{Row, Weighed};

/// Parts that the verdicts are cut into; each is judged by what the others teach.
pub(super) const FOLDS: usize = 5;

/// Figures of the shipped weights and of the learned ones, over the same verdicts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// Verdicts judged, each once.
    pub verdicts: usize,
    /// Parts that the cases were cut into.
    pub folds: usize,
    /// With the shipped weights.
    pub before: Figures,
    /// With weights that were fitted on the other parts.
    pub after: Figures,
}

/// How well probabilities agree with people's verdicts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Mean log loss, natural logarithm.
    pub log_loss: f64,
    /// Mean squared error.
    pub brier: f64,
    /// Malicious at or below the threshold at which their playbook may close, of all malicious; what else closing needs is
    /// not looked at, so these are the most that could be missed.
    pub missed_true_positives: Rate,
    /// Harmless at or below that threshold, of all harmless.
    pub coverage: Rate,
}

impl Effect {
    /// Why the learned weights are not better; none when they are.
    #[must_use]
    pub fn objection(&self) -> Option<String> {
        let (before, after) = (&self.before, &self.after);
        let (was, is) = (
            before.missed_true_positives.k,
            after.missed_true_positives.k,
        );
        if is > was {
            return Some(format!(
                "cross-validated, {is} malicious alerts would lie below the threshold for closing; it is {was} as shipped"
            ));
        }
        for (what, was, is) in [
            ("log loss", before.log_loss, after.log_loss),
            ("Brier score", before.brier, after.brier),
        ] {
            // What is not a number is no better either.
            if is.is_nan() || is >= was {
                return Some(format!(
                    "cross-validated, the {what} is {is:.4}; as shipped it is {was:.4}, which is no worse"
                ));
            }
        }
        None
    }
}

/// Cross-validates. Cases are dealt out in the order of their numbers, those with an attack apart, so that every part has
/// its share and no case stands on both sides.
///
/// # Errors
/// When a fit fails.
pub fn validate(weighed: &Weighed) -> Result<Effect, FitError> {
    let (malicious, harmless) = weighed.cases();
    let deal = |cases: std::collections::BTreeSet<CaseId>| {
        let dealt = cases.into_iter().enumerate();
        dealt.map(|(i, case)| (case, i % FOLDS))
    };
    let fold: BTreeMap<CaseId, usize> = deal(malicious).chain(deal(harmless)).collect();
    let shipped: Vec<f64> = weighed.weights.iter().map(|w| w.shipped).collect();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for part in 0..FOLDS {
        let (test, train): (Vec<&Row>, Vec<&Row>) = weighed
            .rows
            .iter()
            .partition(|r| fold.get(&r.case) == Some(&part));
        let learned = fit(&train, &weighed.weights)?;
        before.extend(test.iter().map(|r| Judged::by(r, &shipped)));
        after.extend(test.iter().map(|r| Judged::by(r, &learned)));
    }
    Ok(Effect {
        verdicts: after.len(),
        folds: FOLDS,
        before: Figures::of(&before),
        after: Figures::of(&after),
    })
}

struct Judged {
    malicious: bool,
    probability: f64,
    surprise: f64,
    closable: bool,
}

impl Judged {
    fn by(row: &Row, values: &[f64]) -> Self {
        let probability = probability(row, values);
        Self {
            malicious: row.malicious,
            probability,
            surprise: surprise(row, values),
            closable: row.closes_at.is_some_and(|most| probability <= most),
        }
    }
}

impl Figures {
    fn of(judged: &[Judged]) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a count of verdicts")]
        let n = judged.len() as f64;
        let closable = |malicious: bool| {
            let all = judged.iter().filter(|j| j.malicious == malicious);
            Rate::of(all.clone().filter(|j| j.closable).count(), all.count())
        };
        let error = |j: &Judged| j.probability - f64::from(u8::from(j.malicious));
        Self {
            log_loss: judged.iter().map(|j| j.surprise).sum::<f64>() / n,
            brier: judged.iter().map(|j| error(j).powi(2)).sum::<f64>() / n,
            missed_true_positives: closable(true),
            coverage: closable(false),
        }
    }
}
