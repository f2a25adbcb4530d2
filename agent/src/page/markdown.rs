//! A page as Markdown: the same parts in the same order, its drawings as text where they have one; what others wrote begins
//! no markup.

use std::fmt::Write as _;

use crate::text;

use super::{Block, Page, Row, Said, Section, Tile};

/// Longest text of others, characters; bounded before, this holds what slipped through.
const MOST: usize = 1000;

pub(super) fn markdown(page: &Page) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "# {}\n", inline(&page.title, MOST));
    if !page.banner.is_empty() {
        let _ = writeln!(out, "> **{}**\n", inline(&page.banner, MOST));
    }
    lines(&mut out, page.lines.iter().map(|l| inline(l, MOST)));
    let facts = page.facts.iter();
    list(
        &mut out,
        facts.map(|f| format!("{}: {}", f.name, said(&f.value))),
    );
    for section in &page.sections {
        part(&mut out, section);
    }
    let _ = writeln!(out, "---\n\n{}", inline(&page.foot, MOST));
    out
}

/// Words of others, their links dead: once, though they were made so before.
fn inline(text: &str, most: usize) -> String {
    text::inline(&text.replace("[.]", "."), most)
}

fn part(out: &mut String, section: &Section) {
    if !section.title.is_empty() {
        let _ = writeln!(out, "## {}\n", section.title);
    }
    for block in &section.blocks {
        match block {
            Block::Text { said: text } => {
                let _ = writeln!(out, "{}\n", said(text));
            }
            Block::Nothing { why } => {
                let _ = writeln!(out, "*{}*\n", inline(why, MOST));
            }
            Block::List { items } => list(out, items.iter().map(said)),
            Block::Notes { lines: notes } => {
                lines(out, notes.iter().map(|n| format!("> Note: {}", said(n))));
            }
            Block::Table { head, rows } => {
                let cells = |row: &Row| row.cells.iter().map(said).collect();
                table(out, head, rows.iter().map(cells));
            }
            Block::Tiles { tiles } => {
                let head = ["figure", "value", "over", "change", "usual"];
                table(out, &head, tiles.iter().map(tile));
            }
            Block::Drawing {
                source: Some((language, text)),
                ..
            } => {
                // A fence in it would end the block.
                let text = text.replace('`', "'");
                let _ = writeln!(out, "```{language}\n{}\n```\n", text.trim_end());
            }
            Block::Drawing { source: None, .. } => {}
        }
    }
}

/// A text with the names of what it rests on.
fn said(of: &Said) -> String {
    let text = match (of.tone, of.outside) {
        (_, _) if of.text.is_empty() => String::new(),
        (Some("code" | "code nowrap"), _) => code(&of.text),
        (_, true) => inline(&of.text, MOST),
        (_, false) => of.text.replace('|', "\\|").replace('<', "\\<"),
    };
    match of.refs.is_empty() {
        true => text,
        false => {
            let refs: Vec<String> = of.refs.iter().map(|r| inline(r, 20)).collect();
            format!("{text} \\[{}\\]", refs.join(", "))
        }
    }
}

/// A code span, which nothing in it ends; nor does it end a table's cell.
fn code(text: &str) -> String {
    let text = text.replace('`', "'").replace('|', "\\|");
    format!("`{text}`")
}

fn tile(tile: &Tile) -> Vec<String> {
    let cells = [
        &tile.label,
        &tile.value,
        &tile.ground,
        &tile.change,
        &tile.usual,
    ];
    cells.map(|c| inline(c, MOST)).to_vec()
}

/// Lines that stay lines.
fn lines(out: &mut String, all: impl Iterator<Item = String>) {
    let all: Vec<String> = all.collect();
    if !all.is_empty() {
        let _ = writeln!(out, "{}\n", all.join("  \n"));
    }
}

fn list(out: &mut String, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.map(|i| format!("- {i}\n")).collect();
    if !items.is_empty() {
        let _ = writeln!(out, "{}", items.concat());
    }
}

fn table(out: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let (head, rule) = (head.join(" | "), "---|".repeat(head.len()));
    let _ = writeln!(out, "| {head} |\n|{rule}");
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
}
