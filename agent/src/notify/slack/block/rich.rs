//! Rich text: pieces whose text is literal to Slack, so that nothing in it is markup; blocks around it are `block`'s.

use serde::Serialize;
use state::model::Time;

use super::{NONE, clip};
use crate::text::{defang, oneline};

/// Most characters of one rich text element.
pub(in super::super) const RICH: usize = 3000;

/// A piece of a rich text: its text is literal to Slack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Piece {
    /// Literal text.
    Text {
        /// The text.
        text: String,
        /// How it looks.
        #[serde(skip_serializing_if = "Option::is_none")]
        style: Option<Style>,
    },
    /// An instant in the reader's own time zone.
    Date {
        /// Unix seconds.
        timestamp: i64,
        /// Slack's pattern.
        format: &'static str,
        /// For clients that know no dates.
        fallback: String,
    },
    /// A person, mentioned.
    User {
        /// `U…`
        user_id: String,
    },
    /// A user group, mentioned.
    Usergroup {
        /// `S…`
        usergroup_id: String,
    },
    /// Everybody who is there, mentioned.
    Broadcast {
        /// `here`
        range: &'static str,
    },
}

/// How literal text looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Style {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bold: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    code: bool,
}

impl Piece {
    /// Words of ours.
    pub(in super::super) fn ours(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Text { text, style: None }
    }

    /// A label of ours.
    pub(in super::super) fn bold(text: impl Into<String>) -> Self {
        let bold = Style {
            bold: true,
            ..Style::default()
        };
        Self::Text {
            text: text.into(),
            style: Some(bold),
        }
    }

    /// A label from outside: one line, links dead, at most `most` characters.
    pub(in super::super) fn label(text: &str, most: usize) -> Self {
        Self::bold(clip(&defang(&oneline(text, most)), most))
    }

    /// An id or a digest.
    pub(in super::super) fn code(text: &str) -> Self {
        let code = Style {
            code: true,
            ..Style::default()
        };
        Self::Text {
            // Exact otherwise: it is looked up by.
            text: oneline(text, 200).replace("://", ":\\/\\/"),
            style: Some(code),
        }
    }

    /// Outside text: one line, links dead, at most `most` characters.
    pub(in super::super) fn outside(text: &str, most: usize) -> Self {
        Self::ours(clip(&defang(&oneline(text, most)), most.min(RICH)))
    }

    /// An instant.
    pub(in super::super) fn date(at: Time) -> Self {
        Self::Date {
            timestamp: at.timestamp(),
            format: "{date_short_pretty} {time}",
            fallback: at.format("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }
}

/// One part of a rich text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum Part {
    /// Running text.
    #[serde(rename = "rich_text_section")]
    Section {
        /// Its pieces.
        elements: Vec<Piece>,
    },
    /// Text as it stands.
    #[serde(rename = "rich_text_preformatted")]
    Preformatted {
        /// Its pieces.
        elements: Vec<Piece>,
    },
    /// A list.
    #[serde(rename = "rich_text_list")]
    List {
        /// `bullet`
        style: &'static str,
        /// Its entries, each a section.
        elements: Vec<Part>,
    },
}

impl Part {
    /// Running text; Slack takes no empty pieces.
    pub(in super::super) fn section(mut elements: Vec<Piece>) -> Self {
        elements.retain(|p| !matches!(p, Piece::Text { text, .. } if text.is_empty()));
        if elements.is_empty() {
            elements.push(Piece::ours(NONE));
        }
        Self::Section { elements }
    }
}
