//! Posts as Slack messages; what stands in a post is decided elsewhere, and what a click on a button does too.

mod ask;
mod batch;
mod brief;
mod case;

use super::block::Piece;
use super::paper::Drawn;
use crate::config::SlackConfig;
use crate::notify::Post;

/// Who is mentioned, from the configuration alone.
#[derive(Debug, Clone)]
pub(super) struct Mentions {
    who: Vec<String>,
    from: state::model::Severity,
}

impl Mentions {
    pub(super) fn of(config: &SlackConfig) -> Self {
        Self {
            who: config.on_call.clone(),
            from: config.on_call_from,
        }
    }

    /// Mentions on a card of this severity.
    fn at(&self, severity: state::model::Severity) -> Vec<Piece> {
        match severity >= self.from {
            true => mentions(&self.who),
            false => Vec::new(),
        }
    }
}

/// Ids as mentions; what is no id is left out.
fn mentions(who: &[String]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for id in who {
        let mention = match id.as_str() {
            "here" => Piece::Broadcast { range: "here" },
            id if crate::config::is_slack_id(id, "UW") => Piece::User {
                user_id: id.to_owned(),
            },
            id if crate::config::is_slack_id(id, "S") => Piece::Usergroup {
                usergroup_id: id.to_owned(),
            },
            _ => continue,
        };
        pieces.extend([mention, Piece::ours(" ")]);
    }
    pieces
}

/// A person who acted: an account of Slack's as `slack:U…` is shown as that account, any other name as text.
pub(super) fn person(name: &str) -> Piece {
    match name.strip_prefix("slack:") {
        Some(id) if crate::config::is_slack_id(id, "UW") => Piece::User {
            user_id: id.to_owned(),
        },
        _ => Piece::outside(name, 60),
    }
}

/// A post as a message. `rev` is how often it has been written: the buttons of an earlier form are told by it.
pub(super) fn draw(post: &Post, rev: u64, mentions: &Mentions) -> Drawn {
    match post {
        Post::Case(card) => case::draw(card, rev, mentions),
        Post::Batch(card) => batch::draw(card, rev),
        Post::Line(line) => brief::line(line),
        Post::Reminder(reminder) => brief::reminder(reminder),
        Post::Notice(notice) => brief::notice(notice, mentions),
        Post::Digest(digest) => brief::digest(digest),
    }
}
