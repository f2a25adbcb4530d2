//! A page that stands for itself: HTML with its styles and drawings inside, no script, fit for print, or the same parts as
//! Markdown; what it tells is its caller's.
//!
//! In HTML all text is escaped by the template engine. Drawings come from [`Svg`] alone, which escapes what it is given.

mod chart;
mod markdown;
mod svg;

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use crate::text::{defang, oneline};

pub use chart::{bars, line, spark};
pub use svg::{Svg, fit, px};

const TEMPLATE: &str = include_str!("../../page/page.html");

/// A page.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Page {
    /// Its title; may hold words of others.
    pub title: String,
    /// Lines below it.
    pub lines: Vec<String>,
    /// One line above it, for instance that it is a draft; empty for none.
    pub banner: String,
    /// Whether the banner says that all is settled.
    pub settled: bool,
    /// Name and value, at the top.
    pub facts: Vec<Fact>,
    /// Its sections.
    pub sections: Vec<Section>,
    /// Small print at the end.
    pub foot: String,
}

/// A name and its value.
#[derive(Debug, Clone, Serialize)]
pub struct Fact {
    /// Name.
    pub name: &'static str,
    /// Value.
    pub value: Said,
}

/// A section with a heading.
#[derive(Debug, Clone, Serialize)]
pub struct Section {
    /// Its anchor.
    pub id: &'static str,
    /// Its heading.
    pub title: String,
    /// What it holds.
    pub blocks: Vec<Block>,
    /// Whether it is closed until somebody opens it, and is not printed.
    pub folded: bool,
}

/// A headline number.
#[derive(Debug, Clone, Serialize)]
pub struct Tile {
    /// What it is.
    pub label: String,
    /// The number with its unit.
    pub value: String,
    /// Whether there is a number.
    pub measured: bool,
    /// Over what, or why there is none.
    pub ground: String,
    /// Against the time before.
    pub change: String,
    /// `good`, `bad` or `flat`: what the change is.
    pub tone: &'static str,
    /// What is usual.
    pub usual: String,
    /// How it went.
    pub spark: Option<Svg>,
}

/// A piece of a section.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    /// A paragraph.
    Text {
        /// What it says.
        said: Said,
    },
    /// That there is nothing, and why.
    Nothing {
        /// One sentence.
        why: String,
    },
    /// A list.
    List {
        /// Its items.
        items: Vec<Said>,
    },
    /// A table.
    Table {
        /// Headings.
        head: Vec<&'static str>,
        /// Rows.
        rows: Vec<Row>,
    },
    /// A drawing.
    Drawing {
        /// One line above it; empty for none.
        caption: &'static str,
        /// The SVG.
        svg: Svg,
        /// The same for Markdown: a language and text in it; none when the tables say it all.
        #[serde(skip)]
        source: Option<(&'static str, String)>,
    },
    /// What to keep in mind.
    Notes {
        /// One sentence each.
        lines: Vec<Said>,
    },
    /// Headline numbers.
    Tiles {
        /// The numbers.
        tiles: Vec<Tile>,
    },
}

impl Block {
    /// A paragraph.
    #[must_use]
    pub fn text(said: Said) -> Self {
        Self::Text { said }
    }

    /// That there is nothing.
    #[must_use]
    pub fn nothing(why: &str) -> Self {
        Self::Nothing {
            why: why.to_owned(),
        }
    }

    /// A list, or why there is none.
    #[must_use]
    pub fn list(items: Vec<Said>, none: &str) -> Self {
        match items.is_empty() {
            true => Self::nothing(none),
            false => Self::List { items },
        }
    }

    /// A table, or why there is none.
    #[must_use]
    pub fn table(head: &[&'static str], rows: Vec<Row>, none: &str) -> Self {
        match rows.is_empty() {
            true => Self::nothing(none),
            false => Self::Table {
                head: head.to_vec(),
                rows,
            },
        }
    }
}

/// A row of a table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// An anchor, when others point at it.
    pub id: Option<String>,
    /// Its cells.
    pub cells: Vec<Said>,
}

impl From<Vec<Said>> for Row {
    fn from(cells: Vec<Said>) -> Self {
        Self { id: None, cells }
    }
}

/// A text with what it rests on.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Said {
    /// The text.
    pub text: String,
    /// Anchors of rows that it rests on; one that no row has is written without a link.
    pub refs: Vec<String>,
    /// `bad`, `warn`, `good`, `soft`, `code`, `nowrap`, or `who` for names in a column.
    pub tone: Option<&'static str>,
    /// Whether others may have written it.
    #[serde(skip)]
    pub outside: bool,
}

impl Said {
    /// Our own words, as they are.
    #[must_use]
    pub fn ours(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }

    /// One of our own words, never broken.
    #[must_use]
    pub fn word(text: impl Into<String>) -> Self {
        Self::ours(text).tone("nowrap")
    }

    /// Words of others: one line, bounded, nothing invisible, links dead.
    #[must_use]
    pub fn theirs(text: &str, most: usize) -> Self {
        Self {
            outside: true,
            ..Self::ours(defang(&oneline(text, most)))
        }
    }

    /// With what it rests on.
    #[must_use]
    pub fn on(mut self, refs: &[String]) -> Self {
        self.refs = refs.iter().map(|r| oneline(r, 20)).collect();
        self
    }

    /// With a tone.
    #[must_use]
    pub fn tone(mut self, tone: &'static str) -> Self {
        self.tone = Some(tone);
        self
    }
}

impl Page {
    /// The page as Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::markdown(self)
    }

    /// The page as HTML.
    ///
    /// # Errors
    /// When the template can't be filled: a defect of the program.
    pub fn html(&self) -> Result<String, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let rows = self.sections.iter().flat_map(|s| &s.blocks);
        let rows = rows.flat_map(|block| match block {
            Block::Table { rows, .. } => rows.as_slice(),
            _ => &[],
        });
        let anchors: Vec<&str> = rows.filter_map(|r| r.id.as_deref()).collect();
        let filled = Filled {
            page: self,
            anchors,
        };
        environment.render_str(TEMPLATE, minijinja::value::Serde(&filled))
    }
}

#[derive(Serialize)]
struct Filled<'p> {
    page: &'p Page,
    anchors: Vec<&'p str>,
}
