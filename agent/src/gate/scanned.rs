//! The scanner over what came back: every alert and every result, per field and per event; a hit is told, and forbids a
//! close where verdicts are made. That nothing was found permits nothing.

use mcp_clients::ToolDef;
use serde_json::{Value, json};
use state::model::{Evidence, TimelineEvent, TimelineKind};

use crate::ctx::Ctx;
use crate::scan::Scan;
use crate::text::oneline;

/// Scans a piece of evidence: raw events one by one, any other answer as a whole.
#[must_use]
pub fn scan(ctx: &Ctx, evidence: &Evidence) -> Scan {
    let scanner = &ctx.guard.scanner;
    if evidence.activities.is_empty() {
        return scanner.value(&evidence.value);
    }
    let raw: Vec<Value> = evidence.activities.iter().map(|a| a.raw.clone()).collect();
    match evidence.tool.as_str() {
        // The alert's own activities stand in its value.
        "alert" => scanner.value(&evidence.value),
        _ => scanner.events(&raw),
    }
}

/// Scans everything of a tool's definition that a model could read.
#[must_use]
pub fn scan_definition(ctx: &Ctx, tool: &ToolDef) -> Scan {
    ctx.guard.scanner.value(&json!({
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "input": tool.input_schema,
        "output": tool.output_schema,
    }))
}

/// One line in the timeline for each hit.
#[must_use]
pub fn flagged(ctx: &Ctx, evidence: &Evidence, scan: &Scan) -> Vec<TimelineEvent> {
    let line = |hit: &crate::scan::Hit| {
        let message = format!(
            "{}: {} at {}: {}",
            evidence.reference,
            hit.family,
            oneline(&hit.field, 200),
            hit.excerpt
        );
        let data = json!({"evidence": evidence.reference, "family": hit.family, "name": hit.name,
            "field": oneline(&hit.field, 200), "excerpt": hit.excerpt, "layers": hit.layers});
        TimelineEvent::ours(evidence.case, ctx.now(), TimelineKind::Flagged, message).with(data)
    };
    scan.hits.iter().map(line).collect()
}
