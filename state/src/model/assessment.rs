//! What an analyst says of one alert at one tier; it is a claim, not yet a verdict.

use serde::{Deserialize, Serialize};

use super::{Analyst, EvidenceRef, Tier, VerdictKind};

/// A sentence that states a fact, and where the fact stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The sentence.
    pub text: String,
    /// Evidence it rests on.
    pub evidence: Vec<EvidenceRef>,
    /// A value that must stand in that evidence, when the analyst quotes one.
    pub quote: Option<String>,
}

/// A signal or claim that spoke, with its weight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Id of the signal, or `model`.
    pub id: String,
    /// Log-odds it added; positive speaks for malicious.
    pub weight: f64,
    /// The claim it makes.
    pub claim: Claim,
}

/// Something that was not, or could not be, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Step, tool or signal concerned.
    pub what: String,
    /// Why there is no answer.
    pub why: String,
    /// Whether closing needs it.
    pub required: bool,
}

/// What an analyst says of one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// Tier at which it was said.
    pub tier: Tier,
    /// Who says it.
    pub analyst: Analyst,
    /// Proposed verdict.
    pub verdict: VerdictKind,
    /// Probability that the activity is malicious, 0 to 1.
    pub probability: f64,
    /// How sure the analyst is of the verdict, 0 to 100.
    pub confidence: i64,
    /// Reasons, the weightiest first.
    pub reasons: Vec<Reason>,
    /// What was not checked.
    pub gaps: Vec<Gap>,
    /// ATT&CK technique ids.
    pub techniques: Vec<String>,
    /// Whether the predicate over trusted facts alone allows a close; always false for a model.
    pub close_allowed: bool,
}
