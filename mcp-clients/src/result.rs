//! Any `CallToolResult` as one bounded value and how it reads; what the value means for a case is not known here.

mod bound;
mod classify;
mod csv;
mod shape;

use rmcp::model::CallToolResult;
use serde_json::Value;

use crate::config::ReplyRules;
use crate::session::MAX_LINE;
use crate::toolbox::{Cut, ReplyKind, ToolReply};

/// Largest value handed on, bytes of JSON.
pub const MAX_VALUE: usize = 256 * 1024;
/// Deepest nesting of a value handed on.
pub const MAX_DEPTH: usize = 64;
/// Most content blocks read.
pub const MAX_BLOCKS: usize = 20_000;
/// Largest body kept, bytes of JSON.
pub const MAX_BODY: usize = MAX_LINE;

/// Why a result is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The tool says it failed (`isError`); its words.
    Failed(String),
    /// Over the cap in bytes.
    TooLarge(usize),
}

/// Reads a result.
pub(crate) fn read(answer: CallToolResult, rules: &ReplyRules) -> Result<ToolReply, Refused> {
    let body = serde_json::to_vec(&answer).map_err(|e| Refused::Failed(e.to_string()))?;
    if body.len() > MAX_BODY {
        return Err(Refused::TooLarge(MAX_BODY));
    }
    let failed = answer.is_error == Some(true);
    let blocks = answer.content.len();
    let shaped = shape::shape(answer);
    if failed {
        return Err(Refused::Failed(classify::words(&shaped.value)));
    }
    let kind = classify::classify(&shaped, rules);
    let (value, bytes) = bound::bound(shaped.value, MAX_VALUE, MAX_DEPTH);
    let unread = blocks.saturating_sub(MAX_BLOCKS);
    let cut = (bytes > 0 || unread > 0).then_some(Cut {
        bytes,
        blocks: unread,
    });
    Ok(ToolReply {
        kind,
        value,
        cut,
        body,
        blocks,
    })
}

/// What stands at a dotted path (`a.b.0.c`); the empty path and `*` are the value itself.
#[must_use]
pub fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() || path == "*" {
        return Some(value);
    }
    // A key that holds dots itself wins over the way down.
    if let Some(found) = value.get(path) {
        return Some(found);
    }
    path.split('.').try_fold(value, |inner, part| match inner {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}

/// The rows of an answer: the array at `path`, or the answer itself when it is an array.
#[must_use]
pub fn rows<'v>(value: &'v Value, path: &str) -> Option<&'v [Value]> {
    match at(value, path).or(Some(value))? {
        Value::Array(rows) => Some(rows),
        _ => None,
    }
}

/// A value made of nothing: what a reply without any content reads as.
pub(crate) fn nothing() -> Value {
    serde_json::json!({ "results": [] })
}

/// Whether a reply had no content at all.
#[must_use]
pub fn is_empty(reply: &ToolReply) -> bool {
    reply.blocks == 0
        && reply.value == nothing()
        && !matches!(reply.kind, ReplyKind::BackendError(_))
}

#[cfg(test)]
mod tests;
