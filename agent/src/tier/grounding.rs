//! Checks that what an analyst claims stands in the evidence it cites; it does not judge whether the claim matters.

use serde_json::Value;
use state::model::{Answer, Claim, Evidence};

use super::Dossier;

/// A claim and whether it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grounded {
    /// Every cited evidence exists and the quoted value stands in one of them.
    Stands,
    /// Why it does not.
    Falls(String),
}

/// Checks one claim: cited evidence exists, and the quote stands in it word for word; without a quote it must be an absence.
#[must_use]
pub fn ground(claim: &Claim, dossier: &Dossier) -> Grounded {
    if claim.evidence.is_empty() {
        return Grounded::Falls("cites no evidence".to_owned());
    }
    let mut cited = Vec::new();
    for reference in &claim.evidence {
        match dossier.of_ref(reference) {
            Some(evidence) => cited.push(evidence),
            None => return Grounded::Falls(format!("cites {reference}, which does not exist")),
        }
    }
    let Some(quote) = claim
        .quote
        .as_deref()
        .map(str::trim)
        .filter(|q| !q.is_empty())
    else {
        if cited.iter().all(|e| e.answer == Answer::Empty) {
            return Grounded::Stands;
        }
        return Grounded::Falls(
            "quotes no value, and the evidence it cites is not an absence".to_owned(),
        );
    };
    if cited.iter().any(|e| holds(e, quote)) {
        Grounded::Stands
    } else {
        Grounded::Falls(format!(
            "the quoted value does not stand in {}",
            claim.evidence.join(", ")
        ))
    }
}

fn holds(evidence: &Evidence, quote: &str) -> bool {
    let word = |text: &str| text.trim() == evidence.answer.as_str() || text == evidence.reference;
    !word(quote)
        && (contains(&evidence.value, quote)
            || evidence.activities.iter().any(|a| contains(&a.raw, quote)))
}

/// Whether a value holds the quote: as a whole leaf, or, when it is at least six characters long, inside one.
fn contains(value: &Value, quote: &str) -> bool {
    match value {
        Value::String(s) => s == quote || (quote.chars().count() >= 6 && s.contains(quote)),
        Value::Array(items) => items.iter().any(|v| contains(v, quote)),
        Value::Object(map) => map.values().any(|v| contains(v, quote)),
        Value::Null => false,
        Value::Number(n) => n.to_string() == quote,
        // A bare yes or no stands everywhere and so shows nothing.
        Value::Bool(_) => false,
    }
}
