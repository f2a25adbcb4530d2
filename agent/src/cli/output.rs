//! The one place that prints: results on standard output, talk on standard error, nothing an alert wrote unescaped.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line's one output module"
)]

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::text::oneline;

/// Where results and talk go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Out {
    reader: Reader,
    color: bool,
}

/// Who reads the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Text.
    Person,
    /// JSON.
    Machine,
}

/// Colours with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Looks fine.
    Good,
    /// Needs a look.
    Warn,
    /// Bad.
    Bad,
}

impl Out {
    pub(crate) fn new(reader: Reader) -> Self {
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { reader, color }
    }

    /// Whether the reader is a machine.
    pub(crate) fn is_json(self) -> bool {
        self.reader == Reader::Machine
    }

    /// A line of the result, for people.
    pub(crate) fn line(self, text: &str) {
        // A closed pipe (`| head`) is no reason to fail.
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    /// The result, for machines.
    pub(crate) fn value(self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(&text),
            Err(e) => self.complain(&format!("the result can't be written as JSON: {e}")),
        }
    }

    /// A file's text as it is: already escaped for where it goes.
    pub(crate) fn document(self, text: &str) {
        let _ = write!(std::io::stdout(), "{text}");
    }

    /// Talk: progress, hints.
    pub(crate) fn say(self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// What went wrong.
    pub(crate) fn complain(self, text: &str) {
        for line in text.lines() {
            let _ = writeln!(std::io::stderr(), "nightdesk: {}", oneline(line, 2000));
        }
    }

    /// Text in a colour, when the reader sees colours.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Warn => "33",
            Tone::Bad => "31;1",
        };
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Text from outside for a column: one line, cut to its width and filled up to it.
pub(crate) fn column(text: &str, width: usize) -> String {
    let text = oneline(text, width.saturating_sub(1));
    format!("{text:<width$}")
}

/// Lines of a table without borders.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
    for row in rows {
        let row: Vec<String> = row.iter().map(|cell| oneline(cell, 90)).collect();
        table.add_row(row);
    }
    table.to_string()
}
