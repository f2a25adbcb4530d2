//! Weights refitted from people's verdicts: the file, and what it may not say; fitting is the room `learn`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::sha256_hex;

use super::form::Signal;
use super::library::Library;

/// A learned weight lies between these multiples of the shipped one: nothing learned may make closing easier without
/// bound, nor silence what speaks against it.
pub const BAND: (f64, f64) = (0.5, 1.5);
/// Most that a rule's own history adds to the prior or takes from it, log-odds.
pub const MOST_OF_A_RULE: f64 = 1.0;
/// What rounding may add to a bound.
const SLACK: f64 = 1e-3;

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// What it was fitted on.
    pub fitted: Fitted,
    /// Signals whose weight differs from the shipped one.
    pub signals: Vec<LearnedSignal>,
    /// Rules whose alerts are malicious more or less often than their signals say.
    pub rules: Vec<LearnedRule>,
}

/// What weights were fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// People's verdicts, counted as `nightdesk learn` counts them.
    pub verdicts: usize,
    /// Those that say malicious.
    pub malicious: usize,
    /// Time of the last one.
    pub until: String,
    /// SHA-256 of each playbook that judged one, by id.
    pub playbooks: BTreeMap<String, String>,
}

/// A learned weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedSignal {
    /// Where the signal is written: a playbook's id, or `shared/NAME`.
    pub home: String,
    /// Its id there.
    pub signal: String,
    /// The shipped log-odds, above 0; the signal's lean gives the sign.
    pub shipped: f64,
    /// The learned log-odds, above 0.
    pub weight: f64,
    /// Verdicts on alerts where it spoke.
    pub verdicts: usize,
}

/// What a rule's own history adds to the prior.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LearnedRule {
    /// Source of its alerts.
    pub source: String,
    /// Its id there.
    pub rule: String,
    /// Log-odds, added to the prior.
    pub log_odds: f64,
    /// Verdicts on its alerts.
    pub verdicts: usize,
}

/// Learned weights that judge alerts now.
#[derive(Debug, Clone, PartialEq)]
pub struct InForce {
    /// SHA-256 of the file, hex.
    pub hash: String,
    /// The file.
    pub learned: Learned,
    /// What is left out or was fitted on something else, one sentence each.
    pub warnings: Vec<String>,
}

impl Learned {
    /// Reads the file; unknown keys are refused.
    ///
    /// # Errors
    /// The reader's message, with line and column.
    pub fn read(text: &str) -> Result<Self, String> {
        serde_saphyr::from_str(text).map_err(|e| e.to_string())
    }

    /// What is known of a signal.
    #[must_use]
    pub fn signal(&self, signal: &Signal) -> Option<&LearnedSignal> {
        let mut own = self.signals.iter();
        own.find(|s| s.home == signal.home && s.signal == signal.id)
    }
}

/// What the file would put in force.
///
/// # Errors
/// Every value that lies outside of its band, and everything that is said twice.
pub(super) fn in_force(text: &str, library: &Library) -> Result<InForce, Vec<String>> {
    let learned = Learned::read(text).map_err(|e| vec![e])?;
    let (mut faults, mut warnings) = (Vec::new(), Vec::new());
    let mut seen = std::collections::BTreeSet::new();
    for own in &learned.signals {
        let name = format!("signal `{}` of {}", own.signal, own.home);
        if !seen.insert((0, own.home.as_str(), own.signal.as_str())) {
            faults.push(format!("{name} stands twice"));
        }
        let mut all = library.entries().iter().flat_map(|e| &e.playbook.signals);
        let Some(signal) = all.find(|s| s.home == own.home && s.id == own.signal) else {
            warnings.push(format!("there is no {name}: its weight is left out"));
            continue;
        };
        let (low, high) = (BAND.0 * signal.weight, BAND.1 * signal.weight);
        if !(low - SLACK..=high + SLACK).contains(&own.weight) {
            faults.push(format!(
                "{name}: {} lies outside of {low} to {high}, which its shipped weight allows",
                own.weight
            ));
        }
        if (own.shipped - signal.weight).abs() > SLACK {
            warnings.push(format!(
                "{name} was fitted when its shipped weight was {}; it is {} now",
                own.shipped, signal.weight
            ));
        }
    }
    for rule in &learned.rules {
        let name = format!("rule `{}` of {}", rule.rule, rule.source);
        if !seen.insert((1, rule.source.as_str(), rule.rule.as_str())) {
            faults.push(format!("{name} stands twice"));
        }
        if !(-MOST_OF_A_RULE - SLACK..=MOST_OF_A_RULE + SLACK).contains(&rule.log_odds) {
            faults.push(format!(
                "{name}: {} lies outside of -{MOST_OF_A_RULE} to {MOST_OF_A_RULE}",
                rule.log_odds
            ));
        }
    }
    let changed = learned.fitted.playbooks.iter();
    let changed = changed.filter(|(id, hash)| library.get(id).is_none_or(|e| e.hash != **hash));
    let changed: Vec<&str> = changed.map(|(id, _)| id.as_str()).collect();
    if !changed.is_empty() {
        let changed = changed.join(", ");
        warnings.push(format!(
            "fitted on other versions of {changed}: run `nightdesk learn` again"
        ));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(InForce {
        hash: sha256_hex(text),
        learned,
        warnings,
    })
}
