//! Block Kit as types: what Slack's limits forbid can't be built, and no text of ours is markup unless it was made from closed words.

mod rich;

use serde::Serialize;
use state::model::Time;

pub(super) use rich::{Part, Piece, RICH};

use crate::text::{defang, oneline};

/// Most characters of a header.
pub(super) const HEADER: usize = 150;
/// Most characters of a button's label.
const LABEL: usize = 75;
/// Most characters of a field of a section.
const FIELD: usize = 2000;
/// Most fields of a section.
const FIELDS: usize = 10;
/// Most characters of a context's text.
const CONTEXT: usize = 2000;

/// Plain text: nothing in it is markup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "plain_text")]
pub struct Plain {
    text: String,
    emoji: bool,
}

impl Plain {
    /// One line of outside text: no control characters, links dead, at most `most` characters once escaped.
    pub(super) fn outside(text: &str, most: usize) -> Self {
        Self {
            text: some(clip(&escape(&defang(&oneline(text, most))), most)),
            emoji: false,
        }
    }
}

/// Text with markup, made from words of this program alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "mrkdwn")]
pub struct Markup {
    text: String,
    verbatim: bool,
}

impl Markup {
    /// A label and a word out of a closed list.
    pub(super) fn word(label: &'static str, word: &'static str) -> Self {
        Self::of(format!("*{label}*\n{}", word.replace('_', " ")))
    }

    /// A label and an instant, shown in the reader's own time zone.
    pub(super) fn date(label: &'static str, at: Time) -> Self {
        let (unix, shown) = (at.timestamp(), at.format("%Y-%m-%d %H:%M UTC"));
        Self::of(format!(
            "*{label}*\n<!date^{unix}^{{date_short_pretty}} {{time}}|{shown}>"
        ))
    }

    /// A verdict.
    pub(super) fn verdict(word: &'static str, confidence: u8, tier: u8) -> Self {
        let word = word.replace('_', " ");
        Self::of(format!(
            "*Verdict*\n{word}, {confidence} of 100 (tier {tier})"
        ))
    }

    fn of(text: String) -> Self {
        // `verbatim`: Slack makes no links or mentions out of bare words.
        Self {
            text,
            verbatim: true,
        }
    }
}

/// Text of either kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Text {
    /// Without markup.
    Plain(Plain),
    /// With markup.
    Markup(Markup),
}

/// Stands for an empty text, which Slack does not take.
const NONE: &str = "–";

fn some(text: String) -> String {
    match text.is_empty() {
        true => NONE.to_owned(),
        false => text,
    }
}

/// What a button looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Look {
    /// Green.
    Primary,
    /// Red.
    Danger,
}

/// A second question before a click counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Confirm {
    title: Plain,
    text: Plain,
    confirm: Plain,
    deny: Plain,
}

impl Confirm {
    pub(super) fn new(title: &str, text: &str, yes: &str) -> Self {
        Self {
            title: Plain::outside(title, 100),
            text: Plain::outside(text, 300),
            confirm: Plain::outside(yes, 30),
            deny: Plain::outside("Back", 30),
        }
    }
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "button")]
pub struct Button {
    action_id: &'static str,
    text: Plain,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    style: Option<Look>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<Confirm>,
}

impl Button {
    /// A button that carries the number of what it is about and nothing else.
    pub(super) fn new(action_id: &'static str, label: &str, value: i64) -> Self {
        Self {
            action_id,
            text: Plain::outside(label, LABEL),
            value: value.to_string(),
            style: None,
            confirm: None,
        }
    }

    pub(super) fn look(mut self, look: Look) -> Self {
        self.style = Some(look);
        self
    }

    pub(super) fn confirm(mut self, confirm: Confirm) -> Self {
        self.confirm = Some(confirm);
        self
    }
}

/// A block of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block {
    /// A headline.
    Header {
        /// Its text.
        text: Plain,
    },
    /// Facts in two columns.
    Section {
        /// The facts.
        fields: Vec<Text>,
    },
    /// Small print.
    Context {
        /// Its texts.
        elements: Vec<Text>,
    },
    /// Buttons.
    Actions {
        /// What they are about.
        block_id: String,
        /// The buttons.
        elements: Vec<Button>,
    },
    /// Text whose pieces are literal.
    RichText {
        /// Its parts.
        elements: Vec<Part>,
    },
    /// A line.
    Divider {},
}

impl Block {
    pub(super) fn header(text: &str) -> Self {
        Self::Header {
            text: Plain::outside(text, HEADER),
        }
    }

    /// The first ten fields.
    pub(super) fn fields(mut fields: Vec<Text>) -> Self {
        fields.truncate(FIELDS);
        Self::Section { fields }
    }

    pub(super) fn context(text: &str) -> Self {
        let text = Plain::outside(text, CONTEXT);
        Self::Context {
            elements: vec![Text::Plain(text)],
        }
    }

    pub(super) fn rich(elements: Vec<Piece>) -> Self {
        Self::RichText {
            elements: vec![Part::section(elements)],
        }
    }

    pub(super) fn list(title: &'static str, entries: Vec<Vec<Piece>>) -> Self {
        let entries = entries.into_iter().map(Part::section).collect();
        Self::RichText {
            elements: vec![
                Part::section(vec![Piece::bold(title)]),
                Part::List {
                    style: "bullet",
                    elements: entries,
                },
            ],
        }
    }

    /// A label and two columns of name and value.
    pub(super) fn field(name: &str, value: &str) -> Text {
        let name = defang(&oneline(name, 100));
        let mut plain = Plain::outside(value, FIELD - 200);
        plain.text = format!("{}\n{}", clip(&escape(&name), 100), plain.text);
        Text::Plain(plain)
    }

    /// Characters of it as JSON, which is what is counted against the limit of a message.
    pub(super) fn size(&self) -> usize {
        serde_json::to_string(self).map_or(usize::MAX, |s| s.chars().count())
    }
}

/// `&`, `<` and `>` as Slack wants them in every text that is not rich.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// The first `most` characters; an entity of [`escape`] is not cut in two.
pub(super) fn clip(text: &str, most: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(most) else {
        return text.to_owned();
    };
    let (last, _) = text[..end].char_indices().next_back().unwrap_or((0, ' '));
    let kept = &text[..last];
    // The longest entity is `&amp;`.
    let whole = match kept.rfind('&') {
        Some(at) if kept.len() - at < 5 && !kept[at..].contains(';') => &kept[..at],
        _ => kept,
    };
    format!("{whole}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_its_limit_and_never_in_an_entity() {
        for (text, most, want) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("a&amp;b", 5, "a…"),
            ("a&amp;b", 7, "a&amp;b"),
            ("a&amp;bcd", 7, "a&amp;…"),
        ] {
            assert_eq!(clip(text, most), want);
        }
        for most in 1..60 {
            let cut = clip(&escape(&"<&>é".repeat(9)), most);
            assert!(cut.chars().count() <= most, "{cut}");
            assert!(
                !cut.replace("&amp;", "")
                    .replace("&lt;", "")
                    .replace("&gt;", "")
                    .contains('&')
            );
        }
    }

    #[test]
    fn what_an_outsider_wrote_is_inert_in_a_plain_text() {
        let text = Plain::outside(
            "<!channel> <@U0000001> <https://evil.example.com|ok>\u{202e}",
            90,
        );
        assert_eq!(
            text.text,
            "&lt;!channel&gt; &lt;@U0000001&gt; &lt;hxxps://evil[.]example[.]com|ok&gt;"
        );
    }
}
