//! One fact found by one tool call; what it means for the verdict is said elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Activity, CaseId, Time, Trust};

/// Name of a piece of evidence inside its case: `E3`.
pub type EvidenceRef = String;

words! {
    /// How a question to a tool ended. Only `Found` and `Empty` are answers.
    pub enum Answer {
        /// The tool answered and had something.
        Found = "found",
        /// The tool answered and had nothing.
        Empty = "empty",
        /// The tool answered with less than there is (cut, capped, sampled).
        Partial = "partial",
        /// This environment has no such system.
        NotHere = "not_here",
        /// The tool could not answer: down, timed out, refused, an error, or an answer nobody understands.
        Failed = "failed",
    }
}

impl Answer {
    /// Whether the whole answer is known, be it empty.
    #[must_use]
    pub fn is_complete(self) -> bool {
        matches!(self, Self::Found | Self::Empty)
    }
}

/// What one tool call found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Case it belongs to.
    pub case: CaseId,
    /// `E1`, `E2`, … within the case; `E1` is the alert itself.
    #[serde(rename = "ref")]
    pub reference: EvidenceRef,
    /// Step or model call that asked, for instance `history` or `model:2`.
    pub asked_by: String,
    /// `server.tool`, or `alert`.
    pub tool: String,
    /// Row of the tool call; none for the alert itself.
    pub call: Option<i64>,
    /// How the question ended.
    pub answer: Answer,
    /// One line for people: what was asked or why it failed.
    pub summary: String,
    /// The bounded answer: an object or an array.
    pub value: Value,
    /// Rows that were recognised as events.
    pub activities: Vec<Activity>,
    /// Trust of `value` as a whole; activities carry their own per field.
    pub trust: Trust,
    /// SHA-256 of the full body, hex; the body is kept under it.
    pub digest: String,
    /// When it was found.
    pub at: Time,
}
