//! The week in ten lines, for those who only look at a message; how a message looks is the notifiers' business.

use state::model::{CaseStatus, Severity};

use super::document::{OpenEntry, Report};
use super::page::tile;
use super::shown::value;
use crate::text::oneline;

/// The week in short, without markup. May hold text from outside, bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brief {
    /// `2026-W47`.
    pub week: String,
    /// Headline numbers: name, value, change against the period before.
    pub numbers: Vec<(String, String, String)>,
    /// Sections of lines: warnings, noisiest rules, broken service levels, oldest open cases.
    pub sections: Vec<(String, Vec<String>)>,
}

const HEADLINE: [(&str, &str, &str); 8] = [
    ("alert_volume", "value", "alerts"),
    ("automation_coverage", "value", "closed without a person"),
    ("auto_close_precision", "value", "auto-close precision"),
    ("missed_tp_rate", "value", "missed true positives"),
    ("time_to_decision", "p50", "time to decision (median)"),
    ("tta_human", "p50", "time to acknowledge (median)"),
    ("backlog", "value", "open cases"),
    (
        "analyst_hours_saved",
        "value",
        "analyst hours saved (estimate)",
    ),
];

/// Lines in a section.
const LINES: usize = 5;

/// The report in short.
#[must_use]
pub fn brief(report: &Report) -> Brief {
    let numbers = HEADLINE.iter().filter_map(|of| {
        let tile = tile(report, *of)?;
        let over = report.number(of.0, of.1).filter(|n| n.value.is_some());
        let said = match over.map(|n| (n.unit, n.n)) {
            Some(("ratio", n)) => format!("{} of {n}", tile.value),
            Some(("seconds" | "hours", n)) => format!("{} (n = {n})", tile.value),
            _ => tile.value,
        };
        Some((tile.label, said, tile.change))
    });
    let rules = report.noisy().take(LINES).map(|rule| {
        let counts = rule.counts;
        format!(
            "{}: {} alerts, {} true positives: {}",
            oneline(&rule.title, 80),
            counts.volume,
            counts.true_positive,
            rule.suggestion.as_deref().unwrap_or_default()
        )
    });
    let broken = ["sla_breach_rate_tta", "sla_breach_rate_ttr"].into_iter();
    let broken = broken.flat_map(|metric| {
        let worst_first = Severity::ALL.iter().rev();
        let of = move |s: &Severity| report.part(metric, ("severity", s.as_str()), "value");
        worst_first.filter_map(of)
    });
    let broken = broken.filter(|n| n.value > Some(0.0));
    let broken = broken.map(|n| {
        let what = if n.metric.ends_with("tta") {
            "acknowledge"
        } else {
            "resolve"
        };
        let share = value("ratio", n.value.unwrap_or_default());
        format!("{}, {what}: {share} of {}", n.dimension_value, n.n)
    });
    let oldest = report.oldest_open.iter().take(LINES).map(open_case);
    let sections = [
        ("Keep in mind", report.warnings.clone()),
        ("Noisiest rules", rules.collect()),
        ("Broken service levels", broken.collect()),
        ("Oldest open cases", oldest.collect()),
    ];
    Brief {
        week: report.period.name.clone(),
        numbers: numbers.collect(),
        sections: sections
            .into_iter()
            .filter(|(_, lines): &(&str, Vec<String>)| !lines.is_empty())
            .map(|(title, lines)| (title.to_owned(), lines))
            .collect(),
    }
}

/// A case that was open at the end of the period, and whether it is closed by now.
fn open_case(case: &OpenEntry) -> String {
    let since = match case.status {
        CaseStatus::Closed => ", closed since",
        _ => "",
    };
    let age = value("seconds", case.age);
    format!(
        "{} {}: {age} old{since}",
        case.case,
        oneline(&case.title, 80)
    )
}
