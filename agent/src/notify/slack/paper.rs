//! The sheet a message is drawn on: never more than Slack takes, and what did not fit is said and kept for the thread.

use serde::Serialize;

use super::block::{Block, Part, Piece, RICH, clip, escape};
use crate::text::{defang, is_invisible, oneline};

/// Most characters of all blocks as JSON. Slack refuses a message near 13,200 and says so nowhere.
pub(super) const BUDGET: usize = 10_000;
/// Most blocks of a message.
pub(super) const BLOCKS: usize = 50;
/// Most characters of the text that stands in for the blocks in notifications.
const FALLBACK: usize = 300;
/// Most characters as JSON of one piece of what did not fit, and most messages for all of it.
const PIECE: usize = 2_800;
const PAGES: usize = 10;
/// Most lines that are kept for the thread, and most characters of one.
const LINES: usize = 60;
const LINE: usize = 2_000;

/// A message, drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drawn {
    /// For notifications and screen readers.
    pub text: String,
    /// What is shown.
    pub blocks: Vec<Block>,
    /// Messages for the thread: what did not fit.
    #[serde(skip)]
    pub rest: Vec<Drawn>,
}

impl Drawn {
    /// A message of running text.
    pub(super) fn of(text: &str, pieces: Vec<Piece>) -> Self {
        Self {
            text: fallback(text),
            blocks: vec![Block::rich(pieces)],
            rest: Vec::new(),
        }
    }
}

/// The fallback text: one line, escaped, links dead.
pub(super) fn fallback(text: &str) -> String {
    clip(&escape(&defang(&oneline(text, FALLBACK))), FALLBACK)
}

/// A sheet that is being filled.
#[derive(Debug, Default)]
pub(super) struct Paper {
    blocks: Vec<Block>,
    size: usize,
    cut: Vec<(String, String)>,
}

impl Paper {
    /// Characters that are left.
    pub(super) fn left(&self) -> usize {
        BUDGET.saturating_sub(self.size)
    }

    /// Puts a block on it, if it fits.
    pub(super) fn put(&mut self, block: Block) -> Fits {
        let size = block.size() + 1;
        if size > self.left() || self.blocks.len() >= BLOCKS {
            return Fits::No;
        }
        self.size += size;
        self.blocks.push(block);
        Fits::Yes
    }

    /// Puts the first of several forms of a block on it that fits into `most`, the richest first.
    pub(super) fn put_one_of(&mut self, most: usize, forms: impl Iterator<Item = Block>) -> Fits {
        let most = most.min(self.left());
        for form in forms {
            if form.size() < most {
                return self.put(form);
            }
        }
        Fits::No
    }

    /// Keeps JSON that did not fit for the thread, as [`exact`] made it.
    pub(super) fn keep_exact(&mut self, title: String, json: String) {
        self.cut.push((title, json));
    }

    /// Keeps lines that did not fit for the thread; links in them are dead.
    pub(super) fn keep(&mut self, title: &str, lines: impl Iterator<Item = String>) {
        let lines = lines.take(LINES).map(|line| defang(&oneline(&line, LINE)));
        let text = lines.collect::<Vec<_>>().join("\n");
        self.cut.push((title.to_owned(), text));
    }

    /// Characters that are used.
    pub(super) fn used(&self) -> usize {
        self.size
    }

    /// Takes what another sheet holds; room has been left for it.
    pub(super) fn append(&mut self, other: Self) {
        for block in other.blocks {
            let _ = self.put(block);
        }
        self.cut.extend(other.cut);
    }

    /// The message.
    pub(super) fn done(mut self, text: &str) -> Drawn {
        let mut rest = pages(&self.cut);
        if !rest.is_empty() {
            let messages = if rest.len() == 1 {
                "message"
            } else {
                "messages"
            };
            let note = format!(
                "Cut here; the whole is in {} {messages} under this one.",
                rest.len()
            );
            self.blocks.truncate(BLOCKS - 1);
            self.blocks.push(Block::context(&note));
        }
        rest.truncate(PAGES);
        Drawn {
            text: fallback(text),
            blocks: self.blocks,
            rest,
        }
    }
}

/// Whether a block was put on a sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(super) enum Fits {
    Yes,
    No,
}

/// Messages with what did not fit, three pieces each.
fn pages(cut: &[(String, String)]) -> Vec<Drawn> {
    let mut pages = Vec::new();
    for (title, text) in cut {
        let pieces = pieces(text);
        let many = pieces.len().div_ceil(3);
        for (i, page) in pieces.chunks(3).enumerate() {
            let head = match many {
                1 => title.clone(),
                _ => format!("{title} ({} of {many})", i + 1),
            };
            let mut elements = vec![Part::section(vec![Piece::label(&head, 200)])];
            elements.extend(page.iter().map(|text| Part::Preformatted {
                elements: vec![Piece::ours(text.as_str())],
            }));
            pages.push(Drawn {
                text: fallback(&head),
                blocks: vec![Block::RichText { elements }],
                rest: Vec::new(),
            });
        }
    }
    if pages.len() > PAGES {
        pages.truncate(PAGES - 1);
        let more = "There is more than fits here: `nightdesk case report` and `nightdesk approvals show` have the whole.";
        pages.push(Drawn::of(more, vec![Piece::ours(more)]));
    }
    pages
}

/// The text in pieces that fit an element.
fn pieces(text: &str) -> Vec<String> {
    let (mut pieces, mut piece, mut size) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        if size + json_size(c) > PIECE {
            pieces.push(std::mem::take(&mut piece));
            size = 0;
        }
        size += json_size(c);
        piece.push(c);
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// JSON as it is, except that nothing in it hides or is made a link of: escapes that mean the same to whoever reads it.
pub(super) fn exact(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_control() || is_invisible(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out.replace("://", ":\\/\\/")
}

/// As much of a text as stands in `most` characters of JSON; whether that is all.
pub(super) fn head(text: &str, most: usize) -> (String, Fits) {
    let (mut out, mut size) = (String::new(), 0);
    for c in text.chars() {
        size += json_size(c);
        if size > most.min(RICH) {
            out.push('…');
            return (out, Fits::No);
        }
        out.push(c);
    }
    (out, Fits::Yes)
}

/// Characters that one character takes in JSON.
fn json_size(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if u32::from(c) < 0x20 => 6,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn exact_json_means_the_same_and_hides_nothing() {
        let value = serde_json::json!({"url": "https://evil.example.com/a", "name": "a\u{202e}b\u{e0041}c\u{7f}"});
        let shown = exact(&value.to_string());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&shown).unwrap(),
            value
        );
        assert!(shown.is_ascii());
        assert!(!shown.contains("://"));
    }

    #[test]
    fn what_does_not_fit_is_kept_whole() {
        let text = "\"é\\".repeat(9_000);
        let pieces = pieces(&text);
        assert_eq!(pieces.concat(), text);
        let longest = pieces
            .iter()
            .map(|p| serde_json::to_string(p).unwrap().chars().count());
        assert!(longest.max().unwrap() <= PIECE + 2);
        let pages = pages(&[("arguments".to_owned(), text)]);
        assert!(pages.len() <= PAGES);
        for page in pages {
            let size: usize = page.blocks.iter().map(Block::size).sum();
            assert!(size <= BUDGET, "{size}");
        }
    }
}
