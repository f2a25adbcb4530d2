//! The report as Markdown: the same page as HTML, without the charts.

use std::fmt::Write as _;

use super::document::Report;
use super::page::{Section, page};
use crate::text::inline;

/// Longest cell, characters.
const CELL: usize = 600;

/// `report.md`.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let page = page(report);
    let mut out = String::new();
    let _ = writeln!(out, "# {}\n", inline(&page.title, CELL));
    for line in &page.lines {
        let _ = writeln!(out, "{}  ", inline(line, CELL));
    }
    let _ = writeln!(out);
    if !page.warnings.is_empty() {
        for warning in &page.warnings {
            let _ = writeln!(out, "> Note: {}  ", inline(warning, CELL));
        }
        let _ = writeln!(out);
    }
    let tiles = page.tiles.iter().map(|t| {
        vec![
            t.label.clone(),
            t.value.clone(),
            t.ground.clone(),
            t.change.clone(),
            t.median.clone(),
        ]
    });
    let head = ["", "value", "over", "against the period before", "earlier"];
    table(&mut out, &head, &tiles.collect::<Vec<_>>());
    for section in &page.sections {
        draw(&mut out, section);
    }
    let _ = writeln!(out, "## Definitions\n");
    table(
        &mut out,
        &["figure", "formula id", "formula"],
        &page.definitions,
    );
    out
}

fn draw(out: &mut String, section: &Section) {
    if section.rows.is_empty() && section.notes.is_empty() {
        return;
    }
    let _ = writeln!(out, "## {}\n", section.title);
    for note in &section.notes {
        let _ = writeln!(out, "{}\n", inline(note, CELL));
    }
    if !section.rows.is_empty() {
        table(out, &section.head, &section.rows);
    }
}

fn table(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let line = |cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.collect();
        format!("| {} |", cells.join(" | "))
    };
    let _ = writeln!(out, "{}", line(&mut head.iter().map(|h| inline(h, CELL))));
    let _ = writeln!(out, "{}", line(&mut head.iter().map(|_| "---".to_owned())));
    for row in rows {
        let _ = writeln!(out, "{}", line(&mut row.iter().map(|c| inline(c, CELL))));
    }
    let _ = writeln!(out);
}
