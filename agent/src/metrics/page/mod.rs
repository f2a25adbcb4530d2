//! What a person reads, in order: headline, warnings, sections of tables; Markdown and HTML draw the same page.

mod running;
mod sections;

use serde::Serialize;

use super::chart;
use super::document::Report;
use super::shown::{change, ground, number, value};

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
        sections: sections::all(report),
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
