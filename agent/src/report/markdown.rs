//! The incident report draft in Markdown; all outside text goes through `safe`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;

use state::model::{Field, Reason, Trust};

use crate::playbook::Library;

use super::casefile::CaseFile;
use super::sections::{self, MOST, rest};
use crate::text::inline;

/// Renders the report of a case.
#[must_use]
pub fn markdown(file: &CaseFile, library: &Library) -> String {
    let mut out = String::new();
    summary(file, &mut out);
    sections::graph(file, &mut out);
    sections::scope(file, &mut out);
    sections::timeline(file, &mut out);
    techniques(file, library, &mut out);
    sections::next(file, &mut out);
    indicators(file, &mut out);
    recommendations(file, &mut out);
    evidence(file, &mut out);
    gaps(file, &mut out);
    out
}

macro_rules! put {
    ($out:expr, $($arg:tt)*) => { let _ = writeln!($out, $($arg)*); };
}

fn time(at: state::model::Time) -> String {
    at.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn summary(file: &CaseFile, out: &mut String) {
    let case = &file.case;
    put!(out, "# {}: {}\n", case.id, inline(&case.title, 200));
    put!(
        out,
        "*Draft made by nightdesk from the stored case; a person has to check it before it is sent on.*\n"
    );
    put!(out, "## Summary\n");
    if let Some(v) = file.verdict() {
        put!(
            out,
            "- Verdict: **{}** ({}), confidence {} of 100, impact {}",
            v.kind,
            v.reason,
            v.confidence,
            v.impact
        );
        put!(out, "- Why: {}", inline(&v.basis.sentence, 500));
        put!(
            out,
            "- Analyst: {}, tier {} ({}), playbook {}",
            v.provenance.analyst,
            v.provenance.tier,
            v.provenance.tier.name(),
            v.provenance.playbook
        );
        if let Some(note) = &v.provenance.analyst_note {
            put!(out, "- Model: {}", inline(note, 300));
        }
    } else {
        put!(
            out,
            "- Verdict: none; the daemon handed the case over before it had one"
        );
    }
    let outcome = case.outcome.map_or("not decided", |o| o.as_str());
    put!(
        out,
        "- Status: {}, outcome {}, opened {}",
        case.status,
        outcome,
        time(case.opened)
    );
    put!(out, "- Alerts: {}\n", file.alerts.len());
    for alert in file.alerts.iter().take(MOST) {
        let verdict = alert
            .verdict
            .as_ref()
            .map_or("no verdict", |v| v.kind.as_str());
        put!(
            out,
            "  - {} `{}` {} ({}): {verdict}",
            time(alert.alert.time),
            code(&alert.alert.source_alert_id),
            inline(&alert.alert.rule.name, 150),
            alert.alert.severity
        );
    }
    rest(file.alerts.len(), out);
    out.push('\n');
}

fn techniques(file: &CaseFile, library: &Library, out: &mut String) {
    let attack = library.attack();
    put!(out, "## ATT&CK (version {})\n", attack.version());
    let ids = file.techniques();
    if ids.is_empty() {
        put!(out, "No technique is claimed.\n");
        return;
    }
    put!(out, "| technique | name | tactics |\n|---|---|---|");
    for id in ids {
        let found = attack.get(id);
        put!(
            out,
            "| {} | {} | {} |",
            inline(id, 20),
            found.map_or("not in the table", |t| t.name.as_str()),
            found.map_or(String::new(), |t| t.tactics.join(", "))
        );
    }
    out.push('\n');
}

fn indicators(file: &CaseFile, out: &mut String) {
    put!(
        out,
        "## Indicators seen (defanged; check before blocking)\n"
    );
    let seen = indicators_of(file);
    for (field, value) in &seen {
        put!(out, "- {field}: {}", inline(value, 300));
    }
    put!(out, "{}", if seen.is_empty() { "None.\n" } else { "" });
}

/// Values of the alerts' own events and of the timeline; what the house itself or every machine has is left out.
pub(super) fn indicators_of(file: &CaseFile) -> BTreeSet<(Field, &str)> {
    let real: Vec<_> = file
        .alerts
        .iter()
        .filter(|a| a.verdict.as_ref().is_none_or(|v| !v.kind.is_benign()))
        .collect();
    let told: BTreeSet<&str> = real
        .iter()
        .flat_map(|a| a.activity.iter().map(|l| l.event_uid.as_str()))
        .filter(|uid| !uid.is_empty())
        .collect();
    let own = real.iter().flat_map(|a| &a.alert.activities);
    let around = file
        .evidence
        .iter()
        .flat_map(|e| &e.activities)
        .filter(|a| told.contains(a.uid.as_str()));
    let mut seen = BTreeSet::new();
    for activity in own.chain(around) {
        for field in [
            Field::SrcIp,
            Field::DstIp,
            Field::Domain,
            Field::DstHost,
            Field::Url,
            Field::Sender,
            Field::Process,
            Field::File,
        ] {
            let value = activity.get(field);
            if is_indicator(field, value) && seen.len() < 60 {
                seen.insert((field, value));
            }
        }
    }
    seen
}

fn is_indicator(field: Field, value: &str) -> bool {
    let lower = value.to_lowercase();
    match field {
        Field::SrcIp | Field::DstIp => match value.parse() {
            Ok(IpAddr::V4(ip)) => !ip.is_private() && !ip.is_loopback() && !ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => !ip.is_loopback() && !ip.is_unique_local(),
            Err(_) => false,
        },
        Field::Process | Field::File => {
            let system = [
                ":\\windows\\",
                ":\\program files",
                "/usr/",
                "/bin/",
                "/sbin/",
                "/lib",
            ];
            value.contains(['\\', '/']) && !system.iter().any(|s| lower.contains(s))
        }
        _ => !value.is_empty(),
    }
}

fn recommendations(file: &CaseFile, out: &mut String) {
    put!(out, "## Recommendations\n");
    let advice = file.story.recommendations.iter();
    let mut lines: Vec<String> = advice.map(|line| inline(line, 600)).collect();
    lines.extend(file.effects.iter().map(|e| {
        let on = match e.target.as_str() {
            "" => String::new(),
            target => format!(" on {}", inline(target, 100)),
        };
        format!(
            "Proposed call: `{}`{on} ({}): {}, {}",
            code(&e.tool),
            e.class,
            e.word(),
            inline(&e.reason, 200)
        )
    }));
    for line in &lines {
        put!(out, "- {line}");
    }
    put!(out, "{}", if lines.is_empty() { "None.\n" } else { "" });
}

fn evidence(file: &CaseFile, out: &mut String) {
    put!(
        out,
        "## Evidence\n\n| id | tool | answer | what | SHA-256 |\n|---|---|---|---|---|"
    );
    for e in file.evidence.iter().take(MOST) {
        let trust = if e.trust == Trust::Trusted {
            " (inventory)"
        } else {
            ""
        };
        put!(
            out,
            "| {} | {}{trust} | {} | {} | `{}` |",
            e.reference,
            inline(&e.tool, 80),
            e.answer,
            inline(&e.summary, 200),
            e.digest.get(..16).unwrap_or(&e.digest)
        );
    }
    rest(file.evidence.len(), out);
    put!(out, "\n### What the verdicts rest on\n");
    let mut seen = std::collections::BTreeSet::new();
    for v in file.alerts.iter().filter_map(|a| a.verdict.as_ref()) {
        let said = |r: &&Reason| seen.insert((r.id.clone(), r.claim.text.clone()));
        for r in v.basis.reasons.iter().filter(said) {
            put!(
                out,
                "- {:+.1} {} [{}]",
                r.weight,
                inline(&r.claim.text, 400),
                r.claim.evidence.join(", ")
            );
        }
    }
    out.push('\n');
}

fn gaps(file: &CaseFile, out: &mut String) {
    put!(out, "## Gaps: what was not checked\n");
    for gap in file.story.gaps.iter().take(MOST) {
        put!(out, "- {}", inline(gap, 500));
    }
    rest(file.story.gaps.len(), out);
    if file.story.gaps.is_empty() {
        put!(out, "None.");
    }
}

/// Text for a code span: no backticks, one line.
fn code(text: &str) -> String {
    crate::text::oneline(text, 120).replace('`', "'")
}
