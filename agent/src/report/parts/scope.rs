//! Impact and scope: who and what an alert names, and what else the events around touch.

use std::collections::HashMap;

use crate::page::{Block, Said, Section};

use super::super::casefile::CaseFile;
use super::{NO_EVIDENCE, moment, own, rest, section};

/// Most entities that are named one by one.
const MOST: usize = 100;

pub(super) fn scope(file: &CaseFile) -> Section {
    let impact = file.verdict().map(|v| v.impact);
    let said = impact.map_or("The impact is not known.".to_owned(), |i| {
        format!("Impact by the verdict: {i}.")
    });
    let told = told(file);
    let named = file.entities.iter().take(MOST).map(|e| {
        let cells = [e.kind.as_str(), e.role.as_str(), e.trust.as_str()];
        let [kind, role, trust] = cells.map(Said::word);
        let refs = told.get(&e.key()).map_or(&[][..], Vec::as_slice);
        let value = Said::theirs(&e.value, 200).on(refs);
        vec![kind, value, role, trust].into()
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
    let mut blocks = vec![
        Block::text(Said::ours(said)),
        Block::text(Said::ours(
            "Named by the alerts (confirmed to be part of the case):",
        )),
        Block::table(
            &["kind", "who or what", "role", "trust"],
            named.collect(),
            NO_EVIDENCE,
        ),
    ];
    blocks.extend(rest(file.entities.len(), MOST));
    blocks.extend([
        Block::text(Said::ours(
            "Touched besides by the events found (suspected):",
        )),
        Block::table(
            &["kind", "who or what", "events", "first", "last"],
            touched.collect(),
            "The events found touch nobody and nothing else.",
        ),
    ]);
    section("scope", "Impact and scope", blocks)
}

/// The own evidence of the first alerts that name an entity, by the entity's key.
fn told(file: &CaseFile) -> HashMap<String, Vec<String>> {
    let own = own(file);
    let mut told: HashMap<String, Vec<String>> = HashMap::new();
    for alert in &file.alerts {
        let Some(reference) = own.get(&alert.alert.id) else {
            continue;
        };
        for entity in &alert.alert.entities {
            let refs = told.entry(entity.key()).or_default();
            if refs.len() < 4 && !refs.iter().any(|r| r == reference) {
                refs.push((*reference).to_owned());
            }
        }
    }
    told
}
