//! What was done about it, whom it may have to be told, and what to learn.

use crate::page::{Block, Row, Said, Section};

use super::super::casefile::CaseFile;
use super::super::signed::signatures;
use super::{NO_EVIDENCE, moment, section, time};

pub(super) fn response(file: &CaseFile) -> Section {
    let rows: Vec<Row> = file
        .effects
        .iter()
        .map(|e| {
            let asked = file.approvals.iter().find(|a| Some(a.id) == e.approval);
            let by = asked.and_then(|a| a.answered_by.as_deref());
            let on = if e.target.is_empty() { "" } else { " on " };
            vec![
                Said::theirs(&format!("{}{on}{}", e.tool, e.target), 200).tone("code"),
                Said::word(e.about.d3fend.clone().unwrap_or_default()),
                Said::word(e.class.as_str()),
                by.map_or(Said::ours("nobody").tone("soft"), |b| Said::theirs(b, 80)),
                moment(e.at),
                Said::word(e.word()),
                Said::theirs(&e.reason, 200),
            ]
            .into()
        })
        .collect();
    let head = [
        "action",
        "D3FEND",
        "class",
        "approved by",
        "time",
        "outcome",
        "why",
    ];
    let advice = file.story.recommendations.iter();
    let advice = advice.map(|line| Said::theirs(line, 600)).collect();
    let blocks = vec![
        Block::table(&head, rows, "Nothing was proposed or done outside."),
        Block::text(Said::ours(
            "Rollback is not in the record. The playbooks recommend:",
        )),
        Block::list(advice, "Nothing is recommended."),
    ];
    section("response", "Containment, eradication, recovery", blocks)
}

pub(super) fn notifications(file: &CaseFile) -> Section {
    let opened = format!(
        "The daemon opened the case at {}; whether and when a legal clock began (NIS2: 24 h and 72 h, GDPR: 72 h, SEC: four business days) is for a person to say.",
        time(file.case.opened)
    );
    let signed = signatures(file);
    let words = signed
        .iter()
        .map(|s| Said::theirs(&format!("{} at {}: {}", s.by, time(s.at), s.what), 400));
    let blocks = vec![
        Block::nothing("The record holds no notification of an authority or of those affected."),
        Block::text(Said::ours(opened)),
        Block::list(
            words.collect(),
            "No person has judged every alert of this case, or approved its close, since the last verdict.",
        ),
    ];
    section("notifications", "Notifications and legal clocks", blocks)
}

pub(super) fn lessons(file: &CaseFile) -> Section {
    let story = &file.story;
    let gaps = story.gaps.iter().take(100).map(|g| Said::theirs(g, 500));
    let mut blocks = vec![
        Block::text(Said::ours("What was not checked, or can't be seen:")),
        Block::list(gaps.collect(), "No gap is known."),
    ];
    if !story.next.is_empty() {
        let basis = format!(
            "What tends to come next, an expectation and not a finding ({}):",
            story.next_basis
        );
        blocks.push(Block::text(Said::theirs(&basis, 400)));
        let next = story.next.iter().map(|e| {
            let text = format!(
                "{} {} ({}): {} after {}",
                e.technique,
                e.name,
                e.tactics.join(", "),
                e.likelihood,
                e.after.join(", ")
            );
            Said::theirs(&text, 300)
        });
        blocks.push(Block::list(next.collect(), NO_EVIDENCE));
    }
    blocks.push(Block::nothing("Owners and dates are for people to set."));
    section("lessons", "Lessons and detection gaps", blocks)
}
