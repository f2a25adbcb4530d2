//! What a person reads, in order: headline, warnings, sections of tables; Markdown and HTML draw the same page.

use serde::Serialize;
use state::model::{Severity, VerdictKind};

use super::chart;
use super::document::Report;
use super::numbers::Number;
use super::shown::{NOT_MEASURED, change, ground, number, value};

/// Most rules that are shown; the rest stands in `noisy_rules.csv`.
const MOST_RULES: usize = 10;
/// Characters of outside text in a cell.
const CELL: usize = 120;

/// A headline number.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tile {
    pub(super) label: String,
    pub(super) value: String,
    pub(super) ground: String,
    /// Against the period before.
    pub(super) change: String,
    /// Against the median of the earlier ones.
    pub(super) median: String,
    pub(super) tone: &'static str,
    /// A sparkline, SVG of our own making.
    pub(super) spark: String,
}

/// A part of the page.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) notes: Vec<String>,
    pub(super) head: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// A chart, SVG of our own making; empty for none.
    pub(super) chart: String,
}

impl Section {
    fn new(title: &'static str, head: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        Self {
            title,
            notes: Vec::new(),
            head: head.to_vec(),
            rows,
            chart: String::new(),
        }
    }

    fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }
}

/// The page.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Page {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    pub(super) tiles: Vec<Tile>,
    pub(super) warnings: Vec<String>,
    pub(super) sections: Vec<Section>,
    pub(super) definitions: Vec<Vec<String>>,
}

/// Headline: metric, statistic, label.
const HEADLINE: [(&str, &str, &str); 12] = [
    ("alert_volume", "value", "alerts"),
    ("automation_coverage", "value", "closed without a person"),
    ("auto_close_precision", "value", "auto-close precision"),
    ("missed_tp_rate", "value", "missed true positives"),
    ("escalation_rate", "value", "handed to people"),
    ("time_to_decision", "p50", "time to decision, median"),
    ("tta_human", "p50", "time to acknowledge, median"),
    ("sla_breach_rate_ttr", "value", "SLA broken: resolve"),
    ("backlog", "value", "open cases"),
    ("noise_rate", "value", "noise"),
    (
        "analyst_hours_saved",
        "value",
        "analyst hours saved (estimate)",
    ),
    ("cost_usd_per_alert", "value", "model cost per alert"),
];

pub(super) fn page(report: &Report) -> Page {
    let period = &report.period;
    Page {
        title: format!("nightdesk: {}", period.name),
        lines: vec![
            format!(
                "{} to {}, {} ({} hours); alerts by the time their source created them",
                period.first, period.last, period.time_zone, period.hours
            ),
            format!(
                "as of {}; made again later, it counts verdicts that came meanwhile",
                report.as_of.format("%Y-%m-%d %H:%M UTC")
            ),
        ],
        tiles: HEADLINE.iter().filter_map(|of| tile(report, *of)).collect(),
        warnings: report.warnings.clone(),
        sections: vec![
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
        ],
        definitions: report
            .definitions
            .iter()
            .map(|d| {
                vec![
                    d.title.to_owned(),
                    d.formula_id.clone(),
                    d.formula.to_owned(),
                ]
            })
            .collect(),
    }
}

pub(super) fn tile(report: &Report, (metric, stat, label): (&str, &str, &str)) -> Option<Tile> {
    let of = report.number(metric, stat)?;
    let before = change(of, of.before);
    let median = match (of.value, of.median) {
        (Some(_), Some(median)) => format!("median {}", value(of.unit, median)),
        _ => String::new(),
    };
    let ground = match (of.value, of.unit) {
        (None, _) => of.not_measured.unwrap_or_default().to_owned(),
        (Some(_), "alerts" | "cases") => String::new(),
        _ => ground(of),
    };
    let mut points = of.earlier.clone();
    points.push(of.value);
    Some(Tile {
        label: label.to_owned(),
        value: number(of),
        ground,
        change: before.text,
        median,
        tone: before.tone,
        spark: chart::spark(&points, &format!("{label}, last five periods")),
    })
}

/// A row of a number as a whole: title, value, ground, change, median.
fn row(report: &Report, metric: &str) -> Option<Vec<String>> {
    let of = report.number(metric, "value")?;
    let title = super::Definition::of(metric).map_or(metric, |d| d.title);
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

const FIGURES: [&str; 5] = [
    "figure",
    "value",
    "over",
    "against the period before",
    "median of four",
];

fn figures(report: &Report, metrics: &[&str]) -> Vec<Vec<String>> {
    metrics.iter().filter_map(|m| row(report, m)).collect()
}

fn parts<'r>(report: &'r Report, metric: &'r str, by: &'r str) -> impl Iterator<Item = &'r Number> {
    let mut numbers = report.numbers.iter().filter(move |n| {
        n.metric == metric && n.dimension == by && matches!(n.stat, "value" | "p50")
    });
    std::iter::from_fn(move || numbers.next())
}

fn volume(report: &Report) -> Section {
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
    let mut section = Section::new("Volume", &FIGURES, rows);
    if let Some(of) = report.number("alert_volume", "value") {
        let mut points: Vec<(String, Option<f64>)> = report
            .period
            .earlier
            .iter()
            .cloned()
            .zip(of.earlier.iter().copied())
            .collect();
        points.push((report.period.name.clone(), of.value));
        section.chart = chart::line(&points, "alerts in each of the last five periods");
    }
    section
}

fn quality(report: &Report) -> Section {
    let metrics = [
        "automation_coverage",
        "auto_close_precision",
        "missed_tp_rate",
        "review_sample",
        "review_done",
        "close_overturned_unsampled",
        "agreement",
        "kappa",
        "reopen_rate_7d",
        "reopen_rate_30d",
        "undetermined_rate",
    ];
    Section::new("Quality of closes", &FIGURES, figures(report, &metrics)).note(
        "Precision and missed true positives come from closes drawn at random and checked by people before they happened.",
    )
}

fn verdicts(report: &Report) -> Section {
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
    let mut section = Section::new("Verdicts", &head, rows.collect())
        .note("The last word is a person's where there is one, and the daemon's otherwise.");
    let bars: Vec<(String, f64)> = VerdictKind::ALL
        .iter()
        .map(|kind| (kind.as_str().replace('_', " "), count("final", *kind)))
        .collect();
    section.chart = chart::bars(&bars, "alerts by their last word");
    section
}

fn rules(report: &Report) -> Section {
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
    let mut section = Section::new("Noisy rules", &head, rows.collect()).note(
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
    let bars: Vec<(String, f64)> = report
        .rules
        .iter()
        .take(8)
        .map(|r| {
            (
                r.title.clone(),
                r.counts.benign_positive + r.counts.false_positive,
            )
        })
        .map(|(title, n)| (title, super::stats::float(n)))
        .filter(|(_, n)| *n > 0.0)
        .collect();
    section.chart = chart::bars(&bars, "harmless alerts of the rules with most of them");
    section
}

fn levels(report: &Report) -> Section {
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
    Section::new("Service levels", &head, rows.collect()).note(
        "What is open past its time counts as broken; what is open and still inside is not decided yet.",
    )
}

fn backlog(report: &Report) -> Section {
    let open = report
        .number("backlog", "value")
        .map(number)
        .unwrap_or_default();
    let age = |stat| {
        report
            .number("backlog_age", stat)
            .map(number)
            .unwrap_or_default()
    };
    let rows = report.oldest_open.iter().map(|case| {
        vec![
            case.case.to_string(),
            case.title.chars().take(CELL).collect(),
            value("seconds", case.age),
            case.status.to_string().replace('_', " "),
        ]
    });
    let head = ["case", "title", "age", "stands now"];
    Section::new("Backlog", &head, rows.collect()).note(format!(
        "{open} cases were open at the end of the period; age: half of them over {}, 5 % over {}, the oldest {}.",
        age("p50"),
        age("p95"),
        age("max")
    ))
}

const TIMES: [&str; 9] = [
    "ttd",
    "ingest_lag",
    "tta_machine",
    "tta_human",
    "tti",
    "time_to_decision",
    "ttc",
    "ttr",
    "approval_latency",
];

fn times(report: &Report) -> Section {
    let rows = TIMES.iter().filter_map(|metric| {
        let p50 = report.number(metric, "p50")?;
        let title = super::Definition::of(metric).map_or(*metric, |d| d.title);
        let mut row = vec![title.to_owned()];
        let cell = |stat| report.number(metric, stat).and_then(|n| n.value);
        match p50.value {
            Some(_) => row.extend(
                ["p50", "p90", "p95", "mean"]
                    .map(|s| cell(s).map(|v| value("seconds", v)).unwrap_or_default()),
            ),
            None => row.extend([NOT_MEASURED, "", "", ""].map(str::to_owned)),
        }
        let missing = cell("missing").unwrap_or_default();
        row.push(format!("{} ({} without)", p50.n, value("alerts", missing)));
        row.push(change(p50, p50.before).text);
        row.push(p50.median.map(|m| value("seconds", m)).unwrap_or_default());
        Some(row)
    });
    let head = [
        "duration",
        "p50",
        "p90",
        "p95",
        "mean",
        "over",
        "p50 against the period before",
        "p50, median of four",
    ];
    Section::new("Times", &head, rows.collect())
}

fn approvals(report: &Report) -> Section {
    let states = ["requested", "approved", "denied", "expired", "pending"];
    let line = |title: &str, at: (&str, &str)| {
        let mut row = vec![title.to_owned()];
        row.extend(states.map(|s| {
            let of = report.part(&format!("approvals_{s}"), at, "value");
            of.map_or("0".to_owned(), number)
        }));
        let latency = |stat| {
            report
                .part("approval_latency", at, stat)
                .map_or(NOT_MEASURED.to_owned(), number)
        };
        row.extend([latency("p50"), latency("p95")]);
        row
    };
    let rows = vec![
        line("closes", ("action", "close")),
        line("effects", ("action", "effect")),
        line("all", ("all", "")),
    ];
    let head = [
        "questions",
        "requested",
        "approved",
        "denied",
        "expired",
        "pending",
        "time to answer, p50",
        "p95",
    ];
    Section::new("Approvals", &head, rows)
}

fn cost(report: &Report) -> Section {
    let metrics = [
        "cost_usd",
        "cost_usd_per_alert",
        "cost_tokens_in",
        "cost_tokens_out",
        "cost_tool_calls",
        "cost_tool_calls_per_alert",
        "tool_error_rate",
        "analyst_hours_saved",
    ];
    let mut rows = figures(report, &metrics);
    let failing = parts(report, "tool_error_rate", "tool").filter(|n| n.value > Some(0.0));
    rows.extend(failing.take(8).map(|n| {
        vec![
            format!("errors of {}", n.dimension_value),
            number(n),
            ground(n),
            change(n, n.before).text,
            n.median.map(|m| value(n.unit, m)).unwrap_or_default(),
        ]
    }));
    Section::new("Cost", &FIGURES, rows)
}

fn gaps(report: &Report) -> Section {
    let rows = report.ingest_gaps.iter().map(|gap| {
        vec![
            gap.source.clone(),
            value("minutes", gap.minutes),
            value("minutes", gap.of),
            gap.gaps.to_string(),
            value("minutes", gap.longest),
        ]
    });
    let head = ["source", "not polled for", "of", "gaps", "longest"];
    let section = Section::new("Ingest gaps", &head, rows.collect());
    match report.ingest_gaps.is_empty() {
        true => section
            .note("Not measured: no successful poll was recorded before the end of the period."),
        false => section,
    }
}

fn not_measured(report: &Report) -> Section {
    let rows = report.not_measured.iter().map(|of| {
        let title = super::Definition::of(of.metric).map_or(of.metric, |d| d.title);
        vec![title.to_owned(), of.why.to_owned()]
    });
    Section::new("Not measured", &["figure", "why"], rows.collect())
}

fn terms(report: &Report) -> Section {
    let rows = report
        .terms
        .baseline
        .iter()
        .map(|b| vec![b.of.clone(), value("minutes", b.minutes)]);
    let review = report.terms.review_minutes;
    Section::new(
        "What an alert costs by hand",
        &["severity or rule", "minutes"],
        rows.collect(),
    )
    .note(format!(
        "Hours saved are an estimate by these minutes, less {review} minutes for each review done."
    ))
}
