//! An outside effect that somebody proposed and what became of it; reading is not an effect.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CaseId, Time, ToolClass};

words! {
    /// What became of a proposed effect.
    pub enum EffectDecision {
        /// Recorded, shown, not sent.
        DryRun = "dry_run",
        /// Refused by the gate.
        Denied = "denied",
        /// Waits for a person.
        AwaitingApproval = "awaiting_approval",
        /// Allowed, and not sent yet.
        Due = "due",
        /// Sent, and no answer yet.
        Started = "started",
        /// Sent and confirmed.
        Executed = "executed",
        /// Could not be sent: nothing happened.
        Failed = "failed",
        /// Sent, and nobody knows whether it took.
        Unknown = "unknown",
    }
}

/// A proposed outside effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Row id; 0 while it is not stored.
    pub id: i64,
    /// Case it was proposed for.
    pub case: CaseId,
    /// `server.tool`.
    pub tool: String,
    /// Operator's class.
    pub class: ToolClass,
    /// Entity it would touch; empty when it touches none.
    pub target: String,
    /// Canonical arguments.
    pub arguments: Value,
    /// What became of it.
    pub decision: EffectDecision,
    /// The rule or reason behind the decision.
    pub reason: String,
    /// Approval it waits for or was approved by.
    pub approval: Option<i64>,
    /// Whether it only raises attention (opens a ticket, escalates).
    pub raise: bool,
    /// D3FEND id of the countermeasure, when it is one.
    pub d3fend: Option<String>,
    /// When it was proposed.
    pub at: Time,
}
