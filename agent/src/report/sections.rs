//! Sections of the Markdown report that tell the story: graph, scope, timeline, what tends to come next, what to do.

use std::fmt::Write as _;

use crate::text::inline;

use super::casefile::CaseFile;
use super::graph::CaseGraph;

/// The case graph as a Mermaid block.
pub(super) fn graph(file: &CaseFile, out: &mut String) {
    // Its labels hold no backtick, so that nothing in it ends the block.
    let _ = writeln!(
        out,
        "## Graph\n\n```mermaid\n{}```\n",
        CaseGraph::of(file).mermaid()
    );
}

/// Who and what the alerts name, and what else the events around them touch.
pub(super) fn scope(file: &CaseFile, out: &mut String) {
    let _ = writeln!(
        out,
        "## Scope\n\n| kind | entity | role | trust |\n|---|---|---|---|"
    );
    for e in file.entities.iter().take(MOST) {
        let value = inline(&e.value, 200);
        let _ = writeln!(out, "| {} | {value} | {} | {} |", e.kind, e.role, e.trust);
    }
    rest(file.entities.len(), out);
    let others: Vec<_> = file.story.scope.iter().filter(|t| !t.in_alert).collect();
    if others.is_empty() {
        let _ = writeln!(out, "\nThe events found touch nobody and nothing else.\n");
        return;
    }
    let _ = writeln!(
        out,
        "\nTouched besides, by the events of the timeline:\n\n| kind | entity | events | first (UTC) | last (UTC) | evidence |\n|---|---|---|---|---|---|"
    );
    for t in others {
        let (value, times) = (inline(&t.value, 200), [t.first, t.last]);
        let [first, last] = times.map(|at| at.format("%Y-%m-%d %H:%M:%SZ"));
        let _ = writeln!(
            out,
            "| {} | {value} | {} | {first} | {last} | {} |",
            t.kind, t.events, t.evidence_ref
        );
    }
    out.push('\n');
}

/// Most rows of a table that grows with the alerts.
pub(super) const MOST: usize = 60;

/// Says how many rows were left out.
pub(super) fn rest(all: usize, out: &mut String) {
    if all > MOST {
        let _ = writeln!(out, "\nand {} more, in the case itself", all - MOST);
    }
}

/// The reconstructed activity.
pub(super) fn timeline(file: &CaseFile, out: &mut String) {
    let _ = writeln!(
        out,
        "## Timeline of the activity\n\n| time (UTC) | who | action | object | what happened | technique | evidence |\n|---|---|---|---|---|---|---|"
    );
    for line in &file.story.timeline {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            line.at.format("%Y-%m-%d %H:%M:%SZ"),
            inline(&line.actor, 120),
            inline(&line.action, 120),
            inline(&line.object, 200),
            inline(&line.text, 400),
            line.technique.as_deref().unwrap_or(""),
            line.evidence_ref
        );
    }
    if file.story.left_out > 0 {
        let _ = writeln!(
            out,
            "\n{} further events are left out: they show no technique and lie farther from the alerts.",
            file.story.left_out
        );
    }
    out.push('\n');
}

/// What tends to come next.
pub(super) fn next(file: &CaseFile, out: &mut String) {
    let story = &file.story;
    if story.next.is_empty() {
        return;
    }
    let _ = writeln!(
        out,
        "## What tends to come next\n\nAn expectation, not a finding. Basis: {}.\n",
        inline(&story.next_basis, 300)
    );
    for e in &story.next {
        let _ = writeln!(
            out,
            "- {} {} ({}): {} after {}; {}",
            e.technique,
            inline(&e.name, 120),
            e.tactics.join(", "),
            e.likelihood,
            e.after.join(", "),
            inline(&e.why.join("; "), 300)
        );
    }
    out.push('\n');
}
