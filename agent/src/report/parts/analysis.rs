//! Detection, analysis and ATT&CK: how it was found, what the verdict rests on, which techniques are claimed.

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use state::model::{AlertId, Reason, Time};

use crate::page::{Block, Row, Said, Section};
use crate::playbook::Library;

use super::super::casefile::{AlertFile, CaseFile};
use super::{NO_EVIDENCE, graph, moment, own, rest, section, time, tone};

/// Most alerts that are told one by one.
const MOST: usize = 100;

pub(super) fn detection(file: &CaseFile) -> Section {
    let own = own(file);
    let rows = file.alerts.iter().take(MOST).map(|a| alert(&own, a));
    let head = [
        "alert",
        "rule",
        "source",
        "severity",
        "time",
        "time to detect",
        "verdict",
    ];
    let mut blocks = vec![Block::table(&head, rows.collect(), NO_EVIDENCE)];
    blocks.extend(rest(file.alerts.len(), MOST));
    blocks.push(began(file));
    section("detection", "Detection", blocks)
}

fn alert(own: &HashMap<AlertId, &str>, found: &AlertFile) -> Row {
    let alert = &found.alert;
    let own = own.get(&alert.id).map(|r| (*r).to_owned());
    let own: Vec<String> = own.into_iter().collect();
    let first: Option<Time> = alert.activities.iter().filter_map(|a| a.time).min();
    let before = first.map_or("not known".to_owned(), |f| span(alert.time - f));
    let after = span(alert.received - alert.time);
    let detected = format!("{before} to the alert, {after} to the daemon");
    let verdict = match &found.verdict {
        Some(v) => Said::ours(v.kind.as_str()).tone(tone(v.kind)),
        None => Said::ours("none").tone("warn"),
    };
    vec![
        Said::theirs(&alert.source_alert_id, 60).on(&own),
        Said::theirs(&alert.rule.name, 150).tone("who"),
        Said::theirs(&format!("{} ({})", alert.source, alert.product), 60),
        Said::word(alert.severity.as_str()),
        moment(alert.time),
        Said::ours(detected),
        verdict,
    ]
    .into()
}

/// When it began, and how long it went unseen.
fn began(file: &CaseFile) -> Block {
    let real = |a: &&AlertFile| a.verdict.as_ref().is_some_and(|v| !v.kind.is_benign());
    let real: Vec<&AlertFile> = file.alerts.iter().filter(real).collect();
    let verdicts = real.iter().filter_map(|a| a.verdict.as_ref());
    let Some(first) = verdicts.filter_map(|v| v.basis.earliest).min() else {
        return Block::nothing("The record does not say when it began.");
    };
    let found = real.iter().map(|a| a.alert.time).min().unwrap_or(first);
    let lines = file.story.timeline.iter().filter(|l| l.at == first);
    let refs: BTreeSet<String> = lines.map(|l| l.evidence_ref.clone()).collect();
    let refs: Vec<String> = refs.into_iter().take(4).collect();
    let said = format!(
        "The earliest evidence of it is of {}, {} before the first alert that is not harmless.",
        time(first),
        span(found - first)
    );
    Block::text(Said::ours(said).on(&refs))
}

/// A length of time in two units.
fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds();
    match seconds.abs() {
        s if s < 60 => format!("{seconds} s"),
        s if s < 3600 => format!("{} min {} s", seconds / 60, s % 60),
        s if s < 86_400 => format!("{} h {} min", seconds / 3600, s / 60 % 60),
        s => format!("{} d {} h", seconds / 86_400, s / 3600 % 24),
    }
}

pub(super) fn analysis(file: &CaseFile) -> Section {
    let mut seen = BTreeSet::new();
    let verdicts: Vec<_> = file.alerts.iter().filter_map(AlertFile::reasoned).collect();
    let told = |r: &&Reason| seen.insert((r.id.clone(), r.claim.text.clone()));
    let reasons = verdicts.iter().flat_map(|v| &v.basis.reasons).filter(told);
    let rows = reasons.map(|r| {
        let weight = Said::word(format!("{:+.1}", r.weight));
        vec![
            weight,
            Said::theirs(&r.claim.text, 500).on(&r.claim.evidence),
        ]
        .into()
    });
    let rows: Vec<Row> = rows.collect();
    let mut notes: Vec<Said> = Vec::new();
    let mut said = BTreeSet::new();
    for v in &verdicts {
        let note = v
            .provenance
            .analyst_note
            .iter()
            .map(|n| format!("The model: {n}"));
        let vetoes = v
            .vetoes
            .iter()
            .map(|n| format!("Stands against a close: {n}"));
        for text in note.chain(vetoes).filter(|t| said.insert(t.clone())) {
            notes.push(Said::theirs(&text, 400));
        }
    }
    let mut blocks = vec![
        Block::text(Said::ours(
            "What the verdicts rest on; weights above nought speak for malice.",
        )),
        Block::table(&["weight", "reason"], rows, NO_EVIDENCE),
    ];
    if !notes.is_empty() {
        blocks.push(Block::list(notes, NO_EVIDENCE));
    }
    blocks.extend(graph::graph(file));
    section("analysis", "Analysis and root cause", blocks)
}

pub(super) fn techniques(file: &CaseFile, library: &Library) -> Section {
    let attack = library.attack();
    let rows = file.techniques().into_iter().map(|id| {
        let lines = file.story.timeline.iter();
        let shown = lines.filter(|l| l.technique.as_deref() == Some(id));
        let refs: BTreeSet<String> = shown.map(|l| l.evidence_ref.clone()).collect();
        let refs: Vec<String> = refs.into_iter().take(8).collect();
        let found = attack.get(id);
        let tactics = found.map_or(String::new(), |t| t.tactics.join(", "));
        let shown = match refs.is_empty() {
            true => {
                Said::ours("claimed by the verdict; no event in the record shows it").tone("soft")
            }
            false => Said::ours("shown by events"),
        };
        vec![
            Said::theirs(id, 20).on(&refs),
            Said::ours(found.map_or("not in the table", |t| t.name.as_str())),
            Said::ours(tactics),
            shown,
        ]
        .into()
    });
    let table = Block::table(
        &["technique", "name", "tactics", "basis"],
        rows.collect(),
        "No technique is claimed.",
    );
    let title = format!("ATT&CK (version {})", attack.version());
    section("attack", &title, vec![table])
}
