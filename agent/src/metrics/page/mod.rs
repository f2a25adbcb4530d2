//! What a person reads, in order: headline, warnings, sections of tables; one page, which HTML and Markdown draw.

mod running;
mod sections;

use super::document::Report;
use super::shown::{change, ground, number, value};
use crate::page::{Block, Page, Row, Said, Section, Svg, Tile, spark};

/// Most characters of a cell.
const CELL: usize = 600;

/// A cell this short is not broken, characters.
const SHORT: usize = 14;

/// A section with at most one drawing and one table.
pub(super) struct Part {
    id: &'static str,
    title: &'static str,
    notes: Vec<String>,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    chart: Option<(&'static str, Svg)>,
}

impl Part {
    fn new(
        (id, title): (&'static str, &'static str),
        head: &[&'static str],
        rows: Vec<Vec<String>>,
    ) -> Self {
        Self {
            id,
            title,
            notes: Vec::new(),
            head: head.to_vec(),
            rows,
            chart: None,
        }
    }

    fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// The section; none when it says nothing.
    fn section(self) -> Option<Section> {
        let mut blocks: Vec<Block> = self.notes.iter().map(|n| soft(n)).collect();
        if let Some((caption, svg)) = self.chart {
            blocks.push(Block::Drawing {
                caption,
                svg,
                source: None,
            });
        }
        if !self.rows.is_empty() {
            blocks.push(Block::Table {
                head: self.head,
                rows: self.rows.into_iter().map(row).collect(),
            });
        }
        (!blocks.is_empty()).then(|| Section {
            id: self.id,
            title: self.title.to_owned(),
            blocks,
            folded: false,
        })
    }
}

fn soft(text: &str) -> Block {
    Block::text(Said::theirs(text, CELL).tone("soft"))
}

/// Any cell may hold text from outside.
fn row(cells: Vec<String>) -> Row {
    let said = |cell: &String| {
        let said = Said::theirs(cell, CELL);
        match cell.chars().count() > SHORT {
            true => said,
            false => said.tone("nowrap"),
        }
    };
    cells.iter().map(said).collect::<Vec<_>>().into()
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
    let tiles = HEADLINE.iter().filter_map(|of| tile(report, *of)).collect();
    let mut blocks = vec![Block::Tiles { tiles }];
    if !report.warnings.is_empty() {
        let lines = report.warnings.iter().map(|w| Said::theirs(w, CELL));
        let lines = lines.collect();
        blocks.insert(0, Block::Notes { lines });
    }
    let mut all = vec![Section {
        id: "headline",
        title: "Headline".to_owned(),
        blocks,
        folded: false,
    }];
    all.extend(sections::all(report));
    all.push(definitions(report));
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
        sections: all,
        foot: "Counted by nightdesk from its store; no model had a say in a number.".to_owned(),
        ..Page::default()
    }
}

fn definitions(report: &Report) -> Section {
    let rows = report.definitions.iter().map(|d| {
        row(vec![
            d.title.to_owned(),
            d.formula_id.clone(),
            d.formula.to_owned(),
        ])
    });
    Section {
        id: "definitions",
        title: "Definitions".to_owned(),
        blocks: vec![Block::Table {
            head: vec!["figure", "formula id", "formula"],
            rows: rows.collect(),
        }],
        folded: true,
    }
}

pub(super) fn tile(report: &Report, (metric, stat, label): (&str, &str, &str)) -> Option<Tile> {
    let of = report.number(metric, stat)?;
    let before = change(of, of.before);
    let usual = match (of.value, of.median) {
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
    let shown = |v| value(of.unit, v);
    Some(Tile {
        label: label.to_owned(),
        value: number(of),
        measured: of.value.is_some(),
        ground,
        change: before.text,
        tone: before.tone,
        usual,
        spark: spark(&points, &shown, &format!("{label}, last five periods")),
    })
}
