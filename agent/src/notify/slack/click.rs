//! What Slack sends when somebody clicks or submits, read strictly; whether it counts is decided by `clicks`.

mod payload;

use state::model::VerdictKind;

pub(super) use payload::read;

/// Most bytes of an interaction. Slack sends the whole message along.
pub const MAX_PAYLOAD: usize = 512 * 1024;
/// Most characters of a reason or a note.
pub const MAX_REASON: usize = 500;

/// A button of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Press {
    /// Yes.
    Approve,
    /// No.
    Deny,
    /// The case is mine.
    Takeover,
    /// Show each case of a batch by itself.
    Look,
    /// The verdict is right.
    Agree,
    /// The verdict is wrong.
    Wrong,
}

impl Press {
    const ALL: [Self; 6] = [
        Self::Approve,
        Self::Deny,
        Self::Takeover,
        Self::Look,
        Self::Agree,
        Self::Wrong,
    ];

    /// Its `action_id`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "nightdesk_approve",
            Self::Deny => "nightdesk_deny",
            Self::Takeover => "nightdesk_takeover",
            Self::Look => "nightdesk_look",
            Self::Agree => "nightdesk_agree",
            Self::Wrong => "nightdesk_wrong",
        }
    }

    /// Whether a card has this button about such a thing.
    fn is_about(self, subject: Subject) -> bool {
        match subject {
            Subject::Approval(_) => matches!(self, Self::Approve | Self::Deny | Self::Takeover),
            Subject::Batch(_) => matches!(self, Self::Approve | Self::Deny | Self::Look),
            Subject::Case(_) => matches!(self, Self::Takeover | Self::Agree | Self::Wrong),
        }
    }
}

/// What a button is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A question, by the number of the approval.
    Approval(i64),
    /// A batch, by its number.
    Batch(i64),
    /// A case, by its number.
    Case(i64),
}

impl Subject {
    /// Its number, all that a button carries.
    #[must_use]
    pub const fn id(self) -> i64 {
        match self {
            Self::Approval(id) | Self::Batch(id) | Self::Case(id) => id,
        }
    }

    /// The `block_id` of its buttons; `rev` is how often the message has been written.
    #[must_use]
    pub fn block_id(self, rev: u64) -> String {
        let kind = match self {
            Self::Approval(_) => "apr",
            Self::Batch(_) => "bat",
            Self::Case(_) => "case",
        };
        format!("{kind}:{}:{rev}", self.id())
    }

    /// Reads what [`Self::block_id`] writes, and nothing else.
    #[must_use]
    pub fn read(block_id: &str) -> Option<(Self, u64)> {
        let mut parts = block_id.split(':');
        let (kind, id, rev) = (parts.next()?, parts.next()?, parts.next()?);
        let (id, rev) = (id.parse().ok().filter(|n| *n > 0)?, rev.parse().ok()?);
        let subject = match kind {
            "apr" => Self::Approval(id),
            "bat" => Self::Batch(id),
            "case" => Self::Case(id),
            _ => return None,
        };
        (subject.block_id(rev) == block_id).then_some((subject, rev))
    }
}

/// Who and where an interaction came from, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Workspace of the app, `T…`.
    pub team: String,
    /// App, `A…`.
    pub app: String,
    /// Who, `U…`.
    pub user: String,
    /// Workspace of the person: another one in a shared channel.
    pub user_team: String,
}

/// A button was pressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    /// Who.
    pub from: Who,
    /// Channel of the message.
    pub channel: String,
    /// The message.
    pub message_ts: String,
    /// With which a dialog can be opened for three seconds.
    pub trigger: String,
    /// Which button.
    pub press: Press,
    /// About what.
    pub subject: Subject,
    /// How often the message had been written.
    pub rev: u64,
    /// When, by Slack's clock; with person and message it tells one click from another.
    pub action_ts: String,
}

/// A dialog was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Who.
    pub from: Who,
    /// `callback_id`: which dialog.
    pub dialog: String,
    /// `private_metadata`: which opening of it.
    pub opened: String,
    /// The text that was typed.
    pub text: String,
    /// The verdict that was chosen.
    pub verdict: Option<VerdictKind>,
}

/// What Slack sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interaction {
    /// A button was pressed.
    Click(Box<Click>),
    /// A dialog was submitted.
    Submission(Box<Submission>),
    /// Something that asks for nothing, such as a dialog that was closed.
    Idle,
}

/// Why an interaction can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(super) struct Unreadable {
    /// What is wrong with it, in a sentence.
    pub why: &'static str,
    /// Who sent it, as far as it says so.
    pub from: Option<Who>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_id_is_read_as_written_and_not_otherwise() {
        for subject in [Subject::Approval(12), Subject::Batch(3), Subject::Case(9)] {
            assert_eq!(Subject::read(&subject.block_id(4)), Some((subject, 4)));
        }
        for text in [
            "",
            "apr",
            "apr:1",
            "apr:1:2:3",
            "apr:+1:2",
            "apr:01:2",
            "apr:1:02",
            "apr:-1:2",
            "apr:0:1",
            "apr: 1:2",
            "APR:1:2",
            "xyz:1:2",
            "apr:9223372036854775808:1",
            "apr:1:-1",
        ] {
            assert_eq!(Subject::read(text), None, "{text}");
        }
    }
}
