//! The story of a case: what happened in order, where nothing is known, who else is touched, what tends to come next and
//! what to do; a view over the stored case that decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde::Serialize;
use state::model::{Answer, EntityKind, Evidence, Field, Time, VerdictKind};

use crate::playbook::{Expectation, Library, Response, Scene};
use crate::text::oneline;
use crate::tier::{Line, sentence};

use super::casefile::{AlertFile, CaseFile};

/// Most lines of a story.
const MOST_LINES: usize = 200;
/// Most entities of one kind in the scope.
const MOST_TOUCHED: usize = 25;
/// Most expectations.
const MOST_NEXT: usize = 6;
/// Most silences that are named.
const MOST_SILENCES: usize = 5;
/// A silence shorter than this is none.
const SILENCE: TimeDelta = TimeDelta::hours(1);

/// The story of a case.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Story {
    /// What happened, each event once, in order of time.
    pub timeline: Vec<Line>,
    /// Events that were left out of the timeline because there are too many.
    pub left_out: usize,
    /// Where nothing is known: silences, steps without an answer, sources that are not there.
    pub gaps: Vec<String>,
    /// Who and what is touched.
    pub scope: Vec<Touched>,
    /// What an intruder tends to do next, when something looks real; an expectation, not a finding.
    pub next: Vec<Expectation>,
    /// What the expectations rest on; empty when there are none.
    pub next_basis: String,
    /// What to do, in the playbooks' words.
    pub recommendations: Vec<String>,
}

/// Somebody or something in the timeline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Touched {
    /// What it is.
    pub kind: EntityKind,
    /// Its name as the events write it; may be attacker-written.
    pub value: String,
    /// Whether an alert of the case names it; else only the events around it do.
    pub in_alert: bool,
    /// How many events name it.
    pub events: usize,
    /// The first of them.
    pub first: Time,
    /// The last of them.
    pub last: Time,
    /// Evidence of the first.
    pub evidence_ref: String,
}

impl Story {
    /// Tells the story of a case.
    #[must_use]
    pub fn of(file: &CaseFile, library: &Library) -> Self {
        let all = file.activity();
        let (timeline, left_out) = told(&all, file);
        let next = expected(file, &all, library);
        Self {
            gaps: gaps(file, &all),
            scope: scope(file, &all),
            next_basis: match next.is_empty() {
                true => String::new(),
                false => library.attack().next_basis().to_owned(),
            },
            next,
            timeline,
            left_out,
            recommendations: recommendations(file, library),
        }
    }
}

/// The lines that are told: all, or those that show a technique and those nearest to an alert.
fn told(all: &[&Line], file: &CaseFile) -> (Vec<Line>, usize) {
    let mut kept: Vec<&Line> = all.to_vec();
    if kept.len() > MOST_LINES {
        let alerts: Vec<Time> = file.alerts.iter().map(|a| a.alert.time).collect();
        let off = |line: &Line| {
            let near = alerts.iter().map(|at| (line.at - *at).abs()).min();
            near.unwrap_or(TimeDelta::MAX)
        };
        kept.sort_by_cached_key(|l| (l.technique.is_none(), off(l)));
        kept.truncate(MOST_LINES);
        kept.sort_by(|a, b| (a.at, &a.event_uid).cmp(&(b.at, &b.event_uid)));
    }
    let left_out = all.len() - kept.len();
    (kept.into_iter().cloned().collect(), left_out)
}

/// Where nothing is known.
fn gaps(file: &CaseFile, all: &[&Line]) -> Vec<String> {
    let mut gaps = silences(all);
    let timeless = file.evidence.iter().flat_map(|e| &e.activities);
    let timeless = timeless.filter(|a| a.time.is_none()).count();
    if timeless > 0 {
        gaps.push(format!(
            "{timeless} events say no time and so stand in no timeline"
        ));
    }
    let verdicts = file.alerts.iter().filter_map(|a| a.verdict.as_ref());
    let said: BTreeSet<(&str, &str)> = verdicts
        .flat_map(|v| &v.basis.gaps)
        .map(|gap| (gap.what.as_str(), gap.why.as_str()))
        .collect();
    // A verdict names its own open questions; what it does not name is named by the evidence.
    let unsaid = |e: &&Evidence| said.iter().all(|(_, why)| !why.contains(&e.summary));
    gaps.extend(file.evidence.iter().filter(unsaid).filter_map(unanswered));
    gaps.extend(said.iter().map(|(what, why)| format!("{what}: {why}")));
    let mut seen = BTreeSet::new();
    gaps.retain(|gap| seen.insert(gap.clone()));
    gaps
}

/// The longest spans without an event between the first and the last.
fn silences(all: &[&Line]) -> Vec<String> {
    let mut spans: Vec<(TimeDelta, Time, Time)> = all
        .windows(2)
        .map(|pair| (pair[1].at - pair[0].at, pair[0].at, pair[1].at))
        .filter(|(span, ..)| *span >= SILENCE)
        .collect();
    spans.sort_by_key(|(span, ..)| std::cmp::Reverse(*span));
    spans.truncate(MOST_SILENCES);
    spans.sort_by_key(|(_, from, _)| *from);
    let time = |at: Time| at.format("%Y-%m-%d %H:%MZ").to_string();
    spans
        .into_iter()
        .map(|(span, from, to)| {
            let (hours, minutes) = (span.num_hours(), span.num_minutes() % 60);
            format!(
                "no event between {} and {} ({hours} h {minutes} min)",
                time(from),
                time(to)
            )
        })
        .collect()
}

/// What a question without a whole answer leaves open.
fn unanswered(evidence: &Evidence) -> Option<String> {
    let why = match evidence.answer {
        Answer::Found | Answer::Empty => return None,
        Answer::NotHere => "not available in this environment",
        Answer::Partial => "the answer is incomplete",
        Answer::Failed => "could not be asked",
    };
    Some(format!(
        "{} ({}): {why}: {}",
        evidence.reference,
        oneline(&evidence.tool, 80),
        oneline(&evidence.summary, 200)
    ))
}

fn kind(field: Field) -> EntityKind {
    match field {
        Field::User | Field::TargetUser => EntityKind::User,
        Field::SrcIp | Field::DstIp => EntityKind::Address,
        Field::Resource => EntityKind::Resource,
        _ => EntityKind::Host,
    }
}

/// Everybody and everything in the timeline; what an alert names first, then by how many events name it.
fn scope(file: &CaseFile, all: &[&Line]) -> Vec<Touched> {
    let named: BTreeSet<String> = file.entities.iter().map(|e| e.key()).collect();
    let mut found: BTreeMap<(EntityKind, String), Touched> = BTreeMap::new();
    for line in all {
        for (field, value) in &line.named {
            let key = value.to_lowercase();
            let touched = found
                .entry((kind(*field), key.clone()))
                .or_insert_with(|| Touched {
                    kind: kind(*field),
                    value: value.clone(),
                    in_alert: named.contains(&key),
                    events: 0,
                    first: line.at,
                    last: line.at,
                    evidence_ref: line.evidence_ref.clone(),
                });
            touched.events += 1;
            touched.last = line.at;
        }
    }
    let mut all: Vec<Touched> = found.into_values().collect();
    all.sort_by_key(|t| (t.kind, !t.in_alert, std::cmp::Reverse(t.events)));
    let mut of_kind: BTreeMap<EntityKind, usize> = BTreeMap::new();
    all.retain(|t| {
        let n = of_kind.entry(t.kind).or_default();
        *n += 1;
        *n <= MOST_TOUCHED
    });
    all
}

/// What tends to follow the techniques of what looks real.
fn expected(file: &CaseFile, all: &[&Line], library: &Library) -> Vec<Expectation> {
    let open = [VerdictKind::TruePositive, VerdictKind::Suspicious];
    let mut verdicts = file.alerts.iter().filter_map(|a| a.verdict.as_ref());
    if !verdicts.any(|v| open.contains(&v.kind)) {
        return Vec::new();
    }
    let mut seen = file.techniques();
    seen.extend(all.iter().filter_map(|l| l.technique.as_deref()));
    library.attack().next(&seen, MOST_NEXT)
}

/// The playbooks' responses where something is real, their fallback where it is open.
fn recommendations(file: &CaseFile, library: &Library) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut lines: Vec<String> = file
        .alerts
        .iter()
        .flat_map(|alert| advice(alert, library))
        .filter(|line| seen.insert(line.clone()))
        .collect();
    if lines.len() > MOST_TOUCHED {
        let more = lines.len() - MOST_TOUCHED;
        lines.truncate(MOST_TOUCHED);
        lines.push(format!("and {more} more, in the verdicts of the alerts"));
    }
    lines
}

fn advice(alert: &AlertFile, library: &Library) -> Vec<String> {
    let Some(verdict) = alert.verdict.as_ref().filter(|v| !v.kind.is_benign()) else {
        return Vec::new();
    };
    let Some(entry) = library.get(&verdict.provenance.playbook) else {
        return Vec::new();
    };
    if verdict.kind != VerdictKind::TruePositive {
        return vec![oneline(entry.playbook.fallback.trim(), 600)];
    }
    let view = Scene::bare(&alert.alert).any();
    let does = |r: &Response| format!("{} ({})", oneline(&sentence(&r.does, &view), 300), r.d3fend);
    entry.playbook.responses.iter().map(does).collect()
}
