//! The seam between Slack and what a person's word does: what Slack asks of the store and hands to it; implemented elsewhere.

use async_trait::async_trait;
use state::model::VerdictKind;

use super::click::{Subject, Who};
use super::spot::Spot;
use crate::notify::Place;
use crate::notify::card::ReasonFor;

/// What a click needs to know before it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Where the card stands now, as the notifier gave it; none while it has not been posted.
    pub place: Option<Place>,
    /// Which answers need a reason.
    pub reason: ReasonFor,
    /// One line on what is answered, for the dialog; may hold outside text.
    pub about: String,
}

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Yes, with a reason where one was asked for.
    Approve(Option<String>),
    /// No, because.
    Deny(String),
    /// The case is mine.
    Takeover,
    /// Show each case of a batch by itself.
    LookAtEach,
    /// The verdict is right.
    Agree,
    /// The verdict is wrong: this one is right.
    Wrong(VerdictKind, Option<String>),
}

/// A person's word, checked for where it comes from and not for whether the person may say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// About what.
    pub subject: Subject,
    /// What.
    pub wish: Wish,
    /// Who, `U…` in the configured workspace.
    pub user: String,
    /// For the audit record: channel, message and how often it had been written.
    pub channel: String,
    /// The message.
    pub message_ts: String,
    /// How often it had been written.
    pub rev: u64,
}

impl Given {
    /// Whether it was said on this message as it is now.
    #[must_use]
    pub fn is_on(&self, place: &Place) -> bool {
        Spot::of(place).is_some_and(|spot| {
            spot.channel == self.channel && spot.ts == self.message_ts && spot.rev == self.rev
        })
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// It counts; one sentence for whoever said it.
    Taken {
        /// For instance `2 of 2 have approved; it is sent now`.
        said: String,
    },
    /// Somebody else was first.
    AlreadyDecided {
        /// Who; an account of Slack's as `slack:U…`.
        by: String,
        /// What, in a word: `denied`.
        how: String,
    },
    /// Not from this person, or not any more; one sentence.
    Refused {
        /// Why.
        why: String,
    },
    /// The card shows what is no longer so.
    Stale,
}

/// Something that Slack sent and that was not listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why, in a sentence.
    pub why: String,
    /// Who sent it, as far as it says so.
    pub from: Option<Who>,
    /// About what, as far as it says so.
    pub subject: Option<Subject>,
}

/// What Slack needs of the rest of the daemon.
#[async_trait]
pub trait Answers: Send + Sync {
    /// What is asked about a subject; none when there is no such thing.
    ///
    /// # Errors
    /// One sentence; the click does nothing then.
    async fn asked(&self, subject: Subject) -> Result<Option<Asked>, String>;

    /// Takes somebody's word: checks whether they may say it, records it and sees to what follows. It counts once, however
    /// often it comes.
    ///
    /// # Errors
    /// One sentence; nothing has been decided then.
    async fn answer(&self, given: Given) -> Result<Answered, String>;

    /// Puts something that was not listened to on record.
    async fn refused(&self, refusal: Refusal);

    /// Has the card drawn anew, because somebody has just clicked on one that may be out of date.
    async fn redraw(&self, subject: Subject);
}
