//! A form that a server asked to be filled in during a call; what it asks was written by the server and is not trusted.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CaseId;

/// A question of a server, and a person's answer to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Elicitation {
    /// Row id.
    pub id: i64,
    /// Case of the call.
    pub case: CaseId,
    /// The effect that makes the call once more with the answer.
    pub effect: i64,
    /// The approval it waits for.
    pub approval: i64,
    /// The server's words, on one line.
    pub message: String,
    /// JSON Schema of the answer.
    pub requested: Value,
    /// SHA-256 over the whole question, hex.
    pub digest: String,
    /// The answer, by field.
    pub content: Option<Value>,
    /// Whose answer it is; it counts only with the approval of the same person.
    pub answered_by: Option<String>,
}
