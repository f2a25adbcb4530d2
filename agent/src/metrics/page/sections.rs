//! The sections of the page in their order, and those about what was found; those about how the desk ran are `running`'s.

use state::model::{Severity, VerdictKind};

use super::super::Definition;
use super::super::document::Report;
use super::super::numbers::Number;
use super::super::shown::{change, ground, number, value};
use super::super::stats::float;
use super::Part;
use super::running::{approvals, backlog, cost, gaps, not_measured, terms, times};
use crate::page::{Section, bars, line};

/// Most rules that are shown; the rest stands in `noisy_rules.csv`.
const MOST_RULES: usize = 10;
/// Characters of outside text in a cell.
pub(super) const CELL: usize = 120;

/// All sections, in their order.
pub(super) fn all(report: &Report) -> Vec<Section> {
    let parts = vec![
        volume(report),
        quality(report),
        verdicts(report),
        rules(report),
        levels(report),
        backlog(report),
        times(report),
        approvals(report),
        cost(report),
        gaps(report),
        not_measured(report),
        terms(report),
    ];
    parts.into_iter().filter_map(Part::section).collect()
}

/// A number on a chart.
fn shown(n: f64) -> String {
    value("alerts", n)
}

/// A row of a number as a whole: title, value, ground, change, median.
fn row(report: &Report, metric: &str) -> Option<Vec<String>> {
    let of = report.number(metric, "value")?;
    let title = Definition::of(metric).map_or(metric, |d| d.title);
    let ground = match (of.value, of.unit) {
        (None, _) => of.not_measured.unwrap_or_default().to_owned(),
        (Some(_), "alerts" | "cases") => String::new(),
        _ => ground(of),
    };
    let median = of.median.map(|m| value(of.unit, m)).unwrap_or_default();
    Some(vec![
        title.to_owned(),
        number(of),
        ground,
        change(of, of.before).text,
        median,
    ])
}

pub(super) const FIGURES: [&str; 5] = [
    "figure",
    "value",
    "over",
    "against the period before",
    "median of four",
];

pub(super) fn figures(report: &Report, metrics: &[&str]) -> Vec<Vec<String>> {
    metrics.iter().filter_map(|m| row(report, m)).collect()
}

pub(super) fn parts<'r>(
    report: &'r Report,
    metric: &'r str,
    by: &'r str,
) -> impl Iterator<Item = &'r Number> {
    let mut numbers = report.numbers.iter().filter(move |n| {
        n.metric == metric && n.dimension == by && matches!(n.stat, "value" | "p50")
    });
    std::iter::from_fn(move || numbers.next())
}

fn volume(report: &Report) -> Part {
    let mut rows = figures(
        report,
        &[
            "alert_volume",
            "case_volume",
            "escalation_rate",
            "asked_rate",
            "tier2_rate",
            "tier3_rate",
        ],
    );
    for part in parts(report, "alert_volume", "source") {
        let name = crate::text::oneline(&part.dimension_value, CELL);
        rows.push(vec![
            format!("alerts from {name}"),
            number(part),
            String::new(),
            change(part, part.before).text,
            part.median.map(|m| value(part.unit, m)).unwrap_or_default(),
        ]);
    }
    let mut section = Part::new(("volume", "Volume"), &FIGURES, rows);
    if let Some(of) = report.number("alert_volume", "value") {
        let mut points: Vec<(String, Option<f64>)> = report
            .period
            .earlier
            .iter()
            .cloned()
            .zip(of.earlier.iter().copied())
            .collect();
        points.push((report.period.name.clone(), of.value));
        let caption = "Alerts in each of the last five periods:";
        section.chart = line(&points, &shown, caption).map(|svg| (caption, svg));
    }
    section
}

fn quality(report: &Report) -> Part {
    let metrics = [
        "automation_coverage",
        "auto_close_precision",
        "missed_tp_rate",
        "review_sample",
        "review_share",
        "review_floor",
        "review_done",
        "close_overturned_unsampled",
        "agreement",
        "kappa",
        "reopen_rate_7d",
        "reopen_rate_30d",
        "undetermined_rate",
    ];
    Part::new(("quality", "Quality of closes"), &FIGURES, figures(report, &metrics)).note(
        "Precision and missed true positives come from closes drawn at random and checked by people before they happened.",
    )
}

fn verdicts(report: &Report) -> Part {
    let count = |by: &str, kind: VerdictKind| {
        let of = report.part("verdicts", (by, kind.as_str()), "value");
        of.map_or(0.0, |n| n.value.unwrap_or_default())
    };
    let rows = VerdictKind::ALL.iter().map(|kind| {
        let mut row = vec![kind.as_str().replace('_', " ")];
        row.extend(["machine", "human", "final"].map(|by| value("alerts", count(by, *kind))));
        row
    });
    let head = ["verdict", "daemon", "people", "last word"];
    let mut section = Part::new(("verdicts", "Verdicts"), &head, rows.collect())
        .note("The last word is a person's where there is one, and the daemon's otherwise.");
    let counts: Vec<(String, f64)> = VerdictKind::ALL
        .iter()
        .map(|kind| (kind.as_str().replace('_', " "), count("final", *kind)))
        .collect();
    let caption = "Alerts by their last word:";
    section.chart = bars(&counts, &shown, caption).map(|svg| (caption, svg));
    section
}

fn rules(report: &Report) -> Part {
    let noisy: Vec<_> = report.noisy().collect();
    let rows = noisy.iter().take(MOST_RULES).map(|rule| {
        let counts = rule.counts;
        vec![
            rule.title.chars().take(CELL).collect(),
            counts.volume.to_string(),
            format!(
                "{} / {} / {}",
                counts.true_positive, counts.benign_positive, counts.false_positive
            ),
            rule.noise_lower
                .map(|v| format!("{:.0} %", v * 100.0))
                .unwrap_or_default(),
            rule.last_tp.map_or("none in a year".to_owned(), |t| {
                t.format("%Y-%m-%d").to_string()
            }),
            rule.suggestion.clone().unwrap_or_default(),
            rule.evidence.join("; "),
        ]
    });
    let head = [
        "rule",
        "alerts",
        "true / benign / false",
        "noise at least",
        "last true positive",
        "suggestion",
        "evidence",
    ];
    let mut section = Part::new(("rules", "Noisy rules"), &head, rows.collect()).note(
        "Noisy: 10 alerts or more of which at least 90 % are harmless with 95 % confidence, or 20 or more without a true positive in 30 days.",
    );
    if noisy.is_empty() {
        section = section.note("No rule of the period is noisy by that measure.");
    }
    if noisy.len() > MOST_RULES {
        section = section.note(format!(
            "{} more stand in noisy_rules.csv.",
            noisy.len() - MOST_RULES
        ));
    }
    let counts: Vec<(String, f64)> = report
        .rules
        .iter()
        .take(8)
        .map(|r| {
            (
                r.title.clone(),
                r.counts.benign_positive + r.counts.false_positive,
            )
        })
        .map(|(title, n)| (title, float(n)))
        .filter(|(_, n)| *n > 0.0)
        .collect();
    let caption = "Harmless alerts of the rules with most of them:";
    section.chart = bars(&counts, &shown, caption).map(|svg| (caption, svg));
    section
}

fn levels(report: &Report) -> Part {
    let share = |metric: &str, severity: Severity| {
        let of = report.part(metric, ("severity", severity.as_str()), "value");
        match of.filter(|n| n.value.is_some()) {
            Some(n) => format!("{} of {}", number(n), n.n),
            None => "none in scope".to_owned(),
        }
    };
    let rows = report.terms.sla.iter().rev().map(|level| {
        vec![
            level.severity.to_string(),
            value("seconds", level.acknowledge),
            share("sla_breach_rate_tta", level.severity),
            value("seconds", level.resolve),
            share("sla_breach_rate_ttr", level.severity),
        ]
    });
    let head = [
        "severity",
        "acknowledge within",
        "broken",
        "resolve within",
        "broken",
    ];
    Part::new(("levels", "Service levels"), &head, rows.collect()).note(
        "What is open past its time counts as broken; what is open and still inside is not decided yet.",
    )
}
