//! The appendix: who and what judged, every tool call, and the evidence with its digests, at which everything else points.

use std::collections::BTreeSet;

use crate::page::{Block, Row, Said, Section};

use super::super::casefile::CaseFile;
use super::{NO_EVIDENCE, moment, rest, section};

/// Most rows of a table here.
const MOST: usize = 500;

pub(super) fn runs(file: &CaseFile) -> Section {
    let mut seen = BTreeSet::new();
    let verdicts = file.alerts.iter().filter_map(|a| a.verdict.as_ref());
    let made = verdicts.map(|v| &v.provenance);
    let rows = made.filter(|p| seen.insert((p.tier, p.playbook.clone(), p.model.clone())));
    let rows = rows.map(|p| {
        let model = p.model.as_deref();
        let hash = |h: &str| Said::ours(h.get(..16).unwrap_or(h).to_owned()).tone("code");
        vec![
            Said::ours(format!("{} ({})", p.tier, p.tier.name())),
            Said::word(p.analyst.as_str()),
            Said::theirs(&p.playbook, 80),
            hash(&p.playbook_hash),
            model.map_or(Said::ours("none").tone("soft"), |m| Said::theirs(m, 80)),
            p.prompt_hash.as_deref().map_or(Said::default(), hash),
        ]
        .into()
    });
    let spent = &file.spent;
    let unpriced = spent.usd <= 0.0 && spent.tokens_in + spent.tokens_out > 0;
    let money = match unpriced {
        true => "cost not measured: no price is configured".to_owned(),
        false => format!("{:.2} USD", spent.usd),
    };
    let cost = format!(
        "{} tool calls, {} model turns, {} tokens in, {} out, {money}, {:.1} s of work.",
        spent.tool_calls,
        spent.turns,
        spent.tokens_in,
        spent.tokens_out,
        file.seconds()
    );
    let calls = file.calls.iter().take(MOST).map(|c| {
        vec![
            moment(c.started),
            Said::theirs(&c.tool, 48).tone("code nowrap"),
            Said::theirs(&c.asked_by, 40),
            Said::word(c.class.as_str()),
            Said::word(c.outcome.as_str()),
            Said::ours(c.millis.map_or(String::new(), |m| format!("{m} ms"))).tone("nowrap"),
            Said::theirs(&c.arguments.to_string(), 160).tone("code"),
        ]
        .into()
    });
    let head = ["tier", "analyst", "playbook", "SHA-256", "model", "prompt"];
    let called = [
        "time",
        "tool",
        "asked by",
        "class",
        "outcome",
        "took",
        "arguments",
    ];
    let mut blocks = vec![
        Block::table(&head, rows.collect(), "No verdict was given."),
        Block::text(Said::ours(cost)),
        Block::table(&called, calls.collect(), "No tool was called."),
    ];
    blocks.extend(rest(file.calls.len(), MOST));
    section("runs", "Appendix: runs and tool calls", blocks)
}

pub(super) fn evidence(file: &CaseFile) -> Section {
    let rows = file.evidence.iter().take(MOST).map(|e| Row {
        id: Some(e.reference.clone()),
        cells: vec![
            Said::word(e.reference.clone()),
            Said::theirs(&e.tool, 48).tone("code nowrap"),
            Said::word(e.answer.as_str()),
            Said::word(e.trust.as_str()),
            Said::theirs(&e.summary, 400),
            moment(e.at),
            Said::ours(e.digest.get(..16).unwrap_or(&e.digest).to_owned()).tone("code"),
        ],
    });
    let head = ["id", "tool", "answer", "trust", "what", "kept", "SHA-256"];
    let table = Block::table(&head, rows.collect(), NO_EVIDENCE);
    let mut blocks = vec![table];
    blocks.extend(rest(file.evidence.len(), MOST));
    section("evidence", "Appendix: evidence", blocks)
}
