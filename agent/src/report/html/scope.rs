//! Impact and scope: who and what an alert names, and what else the events around touch.

use crate::page::{Block, Said, Section};

use super::super::casefile::CaseFile;
use super::{NO_EVIDENCE, moment, section};

pub(super) fn scope(file: &CaseFile) -> Section {
    let impact = file.verdict().map(|v| v.impact);
    let said = impact.map_or("The impact is not known.".to_owned(), |i| {
        format!("Impact by the verdict: {i}.")
    });
    let named = file.entities.iter().map(|e| {
        let cells = [e.kind.as_str(), e.role.as_str(), e.trust.as_str()];
        let [kind, role, trust] = cells.map(Said::word);
        vec![kind, Said::theirs(&e.value, 200), role, trust].into()
    });
    let others = file.story.scope.iter().filter(|t| !t.in_alert);
    let touched = others.map(|t| {
        vec![
            Said::word(t.kind.as_str()),
            Said::theirs(&t.value, 200).on(std::slice::from_ref(&t.evidence_ref)),
            Said::ours(t.events.to_string()),
            moment(t.first),
            moment(t.last),
        ]
        .into()
    });
    let blocks = vec![
        Block::text(Said::ours(said)),
        Block::text(Said::ours(
            "Named by the alerts (confirmed to be part of the case):",
        )),
        Block::table(
            &["kind", "who or what", "role", "trust"],
            named.collect(),
            NO_EVIDENCE,
        ),
        Block::text(Said::ours(
            "Touched besides by the events found (suspected):",
        )),
        Block::table(
            &["kind", "who or what", "events", "first", "last"],
            touched.collect(),
            "The events found touch nobody and nothing else.",
        ),
    ];
    section("scope", "Impact and scope", blocks)
}
