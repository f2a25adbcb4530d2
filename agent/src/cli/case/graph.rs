//! `nightdesk case graph` and the story part of `case show`: views over a stored case.

use clap::ValueEnum;

use crate::report::{CaseFile, CaseGraph, Touched};
use crate::text::oneline;

use super::super::Out;

/// Form of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// A Mermaid flowchart
    Mermaid,
    /// Nodes and edges for machines
    Json,
    /// Lists for people
    Text,
}

pub(super) fn graph(file: &CaseFile, format: Format, out: &Out) {
    let graph = CaseGraph::of(file);
    match format {
        _ if out.is_json() => out.value(&graph),
        Format::Json => out.value(&graph),
        Format::Mermaid => out.document(&graph.mermaid()),
        Format::Text => out.document(&graph.text()),
    }
}

/// Most entities that are told.
const MOST: usize = 12;

/// Scope, silences, expectations and advice in a few lines.
pub(super) fn story(file: &CaseFile, out: &Out) {
    let story = &file.story;
    let others: Vec<&Touched> = story.scope.iter().filter(|t| !t.in_alert).collect();
    if !others.is_empty() {
        out.line("\ntouched besides the alerts' own");
        for t in others.iter().take(MOST) {
            out.line(&format!(
                "  {:<9} {} ({} events, first {})",
                t.kind,
                oneline(&t.value, 80),
                t.events,
                t.evidence_ref
            ));
        }
        if others.len() > MOST {
            out.line(&format!("  and {} more", others.len() - MOST));
        }
    }
    let silent = |gap: &&String| gap.starts_with("no event between") || gap.contains("say no time");
    let silences: Vec<&String> = story.gaps.iter().filter(silent).collect();
    if !silences.is_empty() {
        out.line("\nwhere nothing is known");
        for gap in silences {
            out.line(&format!("  {gap}"));
        }
    }
    if !story.next.is_empty() {
        out.line("\nwhat tends to come next (an expectation, not a finding)");
        for e in &story.next {
            out.line(&format!(
                "  {:<10} {}: {} after {}",
                e.technique,
                oneline(&e.name, 60),
                e.likelihood,
                e.after.join(", ")
            ));
        }
        out.line(&format!("  basis: {}", oneline(&story.next_basis, 200)));
    }
    if !story.recommendations.is_empty() {
        out.line("\nwhat to do");
        for advice in story.recommendations.iter().take(MOST) {
            out.line(&format!("  {}", oneline(advice, 300)));
        }
    }
}
