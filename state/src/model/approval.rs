//! A person's answer to exactly one action; asking and checking are the gate's.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CaseId, Time};

words! {
    /// Where an approval stands.
    pub enum ApprovalState {
        /// Asked, not answered.
        Pending = "pending",
        /// Granted and not used.
        Approved = "approved",
        /// Refused.
        Denied = "denied",
        /// Nobody answered in time: that means denied.
        Expired = "expired",
        /// Granted and used.
        Used = "used",
    }
}

/// A question to a person, bound to the digest of one action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Row id.
    pub id: i64,
    /// Case.
    pub case: CaseId,
    /// What is asked: `close` or `server.tool`.
    pub action: String,
    /// One line for people.
    pub summary: String,
    /// SHA-256 over the canonical JSON of `binding`, hex.
    pub digest: String,
    /// What exactly is asked: case, tool, pin, canonical arguments, policy version, expiry and nonce.
    pub binding: Value,
    /// Where it stands.
    pub state: ApprovalState,
    /// When it was asked.
    pub asked: Time,
    /// After this it counts as denied.
    pub expires: Time,
    /// Who answered last.
    pub answered_by: Option<String>,
    /// How many people must say yes.
    pub needed: i64,
}

words! {
    /// What a person says to a question.
    pub enum Answered {
        /// Yes.
        Approved = "approve",
        /// No.
        Denied = "deny",
    }
}

/// What one person said to a question; a person counts once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The question.
    pub approval: i64,
    /// Who.
    pub person: String,
    /// What.
    pub answer: Answered,
    /// Their reason, in their words; may be empty.
    pub reason: String,
    /// How it came: `command line as ana`.
    pub channel: String,
    /// When.
    pub at: Time,
}

/// A person took a case over: it is theirs, and nobody is reminded of it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// The case.
    pub case: CaseId,
    /// Who.
    pub by: String,
    /// How it came.
    pub channel: String,
    /// When.
    pub at: Time,
}
