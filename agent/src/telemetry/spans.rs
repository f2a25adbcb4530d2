//! The three spans of a case's work, for logs and traces: the case, a tool call, a turn of the model. No attribute holds
//! what an alert, a tool or a model wrote.
//!
//! Names of attributes follow OpenTelemetry's conventions for GenAI where they have one. Spans are made at the level of
//! errors, so that no filter of log lines takes the case from them.

use state::model::CaseId;
use tracing::field::Empty;
use tracing::{Span, error_span};

/// Target of the span that stands on log lines.
pub(super) const CASE: &str = "nightdesk::case";
/// Target of spans that are only traced.
pub(super) const TRACED: &str = "nightdesk::traced";

/// The work on a case. `trace` is 32 hexadecimal digits, when it is traced.
#[must_use]
pub fn case(case: CaseId, trace: Option<&str>) -> Span {
    let span = error_span!(
        target: CASE, "case", case = %case, trace = Empty,
        nightdesk.outcome = Empty, "error.type" = Empty
    );
    if let Some(trace) = trace {
        span.record("trace", trace);
    }
    span
}

/// Work on cases of a store that is thrown away: what is said in it is of no case of the daemon's own. `of` is ours.
#[must_use]
pub fn scratch(of: &str) -> Span {
    error_span!(target: CASE, "scratch", scratch = of)
}

/// A call of a tool of the catalogue.
#[must_use]
pub fn tool(name: &str, asked_by: &str) -> Span {
    error_span!(
        target: TRACED, "tool", gen_ai.operation.name = "execute_tool", gen_ai.tool.name = name,
        "gen_ai.tool.type" = "extension", mcp.method.name = "tools/call",
        nightdesk.asked_by = asked_by, nightdesk.outcome = Empty, nightdesk.rule = Empty,
        "error.type" = Empty
    )
}

/// A turn of the model.
#[must_use]
pub fn model(name: &str, max_tokens: u32) -> Span {
    error_span!(
        target: TRACED, "model", gen_ai.operation.name = "chat", gen_ai.provider.name = "openai",
        gen_ai.request.model = name, gen_ai.request.max_tokens = max_tokens,
        gen_ai.usage.input_tokens = Empty, gen_ai.usage.output_tokens = Empty,
        nightdesk.attempts = Empty, "error.type" = Empty
    )
}
