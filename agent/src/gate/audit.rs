//! What stands in the audit record of a tool call; the hash chain is the store's.

use serde_json::{Value, json};
use state::model::{CallOutcome, ToolCall};

/// Keys whose values never stand in an audit record.
const SECRET: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
];

/// The record written before anything is sent.
pub(super) fn intent(row: &ToolCall, decision: Value) -> Value {
    json!({
        "kind": "tool_call",
        "case": row.case,
        "tier": row.tier,
        "asked_by": row.asked_by,
        "tool": row.tool,
        "class": row.class,
        "arguments": redacted(&row.arguments),
        "decision": decision,
    })
}

/// The record written after the answer.
pub(super) fn result(row: &ToolCall, id: i64, outcome: CallOutcome, millis: i64) -> Value {
    json!({
        "kind": "tool_result",
        "case": row.case,
        "call": id,
        "tool": row.tool,
        "outcome": outcome,
        "millis": millis,
    })
}

/// The value with secrets replaced, by the name of their key.
pub(super) fn redacted(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let lower = key.to_lowercase();
                let secret = SECRET.iter().any(|s| lower.contains(s));
                let shown = if secret {
                    json!("[redacted]")
                } else {
                    redacted(value)
                };
                (key.clone(), shown)
            })
            .collect(),
        Value::Array(items) => items.iter().map(redacted).collect(),
        other => other.clone(),
    }
}
