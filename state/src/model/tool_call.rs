//! One request to one MCP tool and how it ended; deciding whether it may run is the gate's.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CaseId, Tier, Time};

words! {
    /// What a tool can do, in the operator's word; a server's own annotations are never used.
    pub enum ToolClass {
        /// Reads what the organisation has.
        ReadInternal = "read_internal",
        /// Reads from outside: what is asked leaves the house.
        ReadEgress = "read_egress",
        /// Adds or changes records.
        Write = "write",
        /// Makes something be seen less: closes, mutes, tunes.
        Suppress = "suppress",
        /// Acts on systems or people.
        Destructive = "destructive",
    }
}

impl ToolClass {
    /// Whether a call may be repeated after a crash or a lost answer.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        matches!(self, Self::ReadInternal | Self::ReadEgress)
    }
}

words! {
    /// How a call ended.
    pub enum CallOutcome {
        /// It was let through and has not ended yet.
        Started = "started",
        /// The tool answered.
        Ok = "ok",
        /// The gate refused it; nothing was sent.
        Denied = "denied",
        /// The tool said that it failed, or the backend did.
        ToolError = "tool_error",
        /// No answer in time.
        TimedOut = "timed_out",
        /// The server is not there.
        Unavailable = "unavailable",
        /// An answer that nobody can read as success or failure.
        Unknown = "unknown",
    }
}

/// One request to one MCP tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Row id.
    pub id: i64,
    /// Case it was made for.
    pub case: CaseId,
    /// Tier that asked.
    pub tier: Tier,
    /// Step id, or `model:N`.
    pub asked_by: String,
    /// `server.tool`.
    pub tool: String,
    /// Operator's class.
    pub class: ToolClass,
    /// Arguments in canonical form (keys sorted).
    pub arguments: Value,
    /// How it ended.
    pub outcome: CallOutcome,
    /// Why, when it did not end well; for a denial the rule that made it.
    pub reason: Option<String>,
    /// SHA-256 of the body, hex.
    pub digest: Option<String>,
    /// When it was let through.
    pub started: Time,
    /// How long it took, milliseconds.
    pub millis: Option<i64>,
}
