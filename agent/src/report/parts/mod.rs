//! The incident report, the same twelve parts in HTML and Markdown: a view over the typed record; a draft until a person has
//! signed.

mod analysis;
mod appendix;
mod graph;
mod indicators;
mod response;
mod scope;
mod timeline;

use std::collections::HashMap;

use state::model::{AlertId, Severity, Time, VerdictKind};

use crate::page::{Block, Fact, Page, Said, Section};
use crate::playbook::Library;

use super::casefile::CaseFile;
use super::signed::signatures;

/// What stands where the record has nothing.
const NO_EVIDENCE: &str = "No evidence in the record.";

/// The report of a case as one HTML page.
///
/// # Errors
/// When the page can't be filled: a defect of the program.
pub fn html(file: &CaseFile, library: &Library) -> Result<String, minijinja::Error> {
    page(file, library).html()
}

/// The report of a case as Markdown.
#[must_use]
pub fn markdown(file: &CaseFile, library: &Library) -> String {
    page(file, library).markdown()
}

fn page(file: &CaseFile, library: &Library) -> Page {
    let signed = signatures(file);
    let banner = match signed.last() {
        None => "DRAFT: made by nightdesk from the stored case; no person has signed it".to_owned(),
        Some(s) => format!(
            "Signed: {} at {}",
            crate::text::oneline(&s.by, 80),
            time(s.at)
        ),
    };
    Page {
        title: format!(
            "{}: {}",
            file.case.id,
            Said::theirs(&file.case.title, 160).text
        ),
        banner,
        settled: !signed.is_empty(),
        lines: Vec::new(),
        facts: header(file),
        sections: vec![
            summary(file),
            scope::scope(file),
            timeline::timeline(file),
            analysis::detection(file),
            analysis::analysis(file),
            analysis::techniques(file, library),
            indicators::indicators(file),
            response::response(file),
            response::notifications(file),
            response::lessons(file),
            appendix::runs(file),
            appendix::evidence(file),
        ],
        foot: format!(
            "nightdesk {}. E and a number is a row of the evidence, at the end; times are UTC.",
            env!("CARGO_PKG_VERSION")
        ),
    }
}

fn section(id: &'static str, title: &str, blocks: Vec<Block>) -> Section {
    Section {
        id,
        title: title.to_owned(),
        blocks,
        folded: false,
    }
}

/// That a table was cut.
fn rest(all: usize, most: usize) -> Option<Block> {
    let more = all.checked_sub(most).filter(|n| *n > 0)?;
    let said = format!("and {more} more, in the record itself (--format json)");
    Some(Block::nothing(&said))
}

/// The name of each alert's own evidence.
fn own(file: &CaseFile) -> HashMap<AlertId, &str> {
    let own = file.evidence.iter().filter_map(|e| {
        let alert = e.asked_by.strip_prefix("alert:")?.parse().ok()?;
        Some((AlertId(alert), e.reference.as_str()))
    });
    own.collect()
}

fn time(at: Time) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn moment(at: Time) -> Said {
    Said::ours(time(at)).tone("nowrap")
}

fn tone(kind: VerdictKind) -> &'static str {
    match kind {
        VerdictKind::TruePositive => "bad",
        kind if kind.is_benign() => "good",
        _ => "warn",
    }
}

fn header(file: &CaseFile) -> Vec<Fact> {
    let case = &file.case;
    let severities = file.alerts.iter().map(|a| a.alert.severity);
    let worst = severities
        .max_by_key(|s| s.id())
        .unwrap_or(Severity::Unknown);
    let outcome = case.outcome.map_or("not decided", |o| o.as_str());
    let owner = file.owner.clone();
    let fact = |name, value| Fact { name, value };
    vec![
        fact("Case", Said::ours(case.id.to_string())),
        fact(
            "TLP",
            Said::ours("not set; a person sets it before this is sent on"),
        ),
        fact(
            "Status",
            Said::ours(format!("{}, outcome {outcome}", case.status)),
        ),
        fact(
            "Severity",
            Said::ours(format!("{worst} (the worst of the alerts)")),
        ),
        fact(
            "Owner",
            owner.map_or(Said::ours("nobody is recorded").tone("soft"), |o| {
                Said::theirs(&o, 80)
            }),
        ),
        fact("Times", Said::ours("UTC")),
        fact("First alert", moment(case.alert_time)),
        fact("Opened", moment(case.opened)),
        fact("Last change", moment(case.updated)),
    ]
}

fn summary(file: &CaseFile) -> Section {
    let mut blocks = Vec::new();
    match file.verdict() {
        Some(v) => {
            let said = format!(
                "{} ({}), confidence {} of 100, impact {}",
                v.kind, v.reason, v.confidence, v.impact
            );
            blocks.push(Block::text(Said::ours(said).tone(tone(v.kind))));
            let why = Said::theirs(&v.basis.sentence, 600).on(&v.basis.evidence_refs);
            blocks.push(Block::text(why));
            let told = file.strongest().into_iter().take(3);
            let strongest = told.map(|r| Said::theirs(&r.claim.text, 300).on(&r.claim.evidence));
            blocks.push(Block::list(strongest.collect(), NO_EVIDENCE));
        }
        None => blocks.push(Block::nothing(
            "There is no verdict: the daemon handed the case over before it had one.",
        )),
    }
    let n = file.alerts.len();
    let said = format!(
        "{n} alerts, {} pieces of evidence, {} gaps.",
        file.evidence.len(),
        file.story.gaps.len()
    );
    blocks.push(Block::text(Said::ours(said)));
    section("summary", "Executive summary", blocks)
}
