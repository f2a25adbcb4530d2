//! What a click or a submitted dialog does: whether it is from our workspace, app and card as it is now, then a dialog or a
//! person's word, handed on. Whether the person may say it is not decided here.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::answers::{Answered, Answers, Asked, Given, Refusal, Wish};
use super::block::Piece;
use super::click::{Click, Interaction, MAX_REASON, Press, Submission, Unreadable, Who, read};
use super::draw::person;
use super::modal::{self, FEEDBACK, Modals, NOTE, Opened, VERDICT};
use super::paper::Drawn;
use super::seen::Seen;
use super::spot::Spot;
use super::web::Method;
use super::{ApiError, Slack};
use crate::config::is_slack_id;
use crate::notify::card::ReasonFor;
use crate::rights::PEOPLE;
use crate::text::oneline;

/// Most clicks that are worked on at a time; Slack sends the others again.
const AT_ONCE: usize = 64;

/// The way of people's clicks into the daemon.
pub struct Clicks {
    pub(super) slack: Arc<Slack>,
    answers: Arc<dyn Answers>,
    modals: Modals,
    seen: Seen,
    slots: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What Slack is told at once.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ack {
    /// It has arrived.
    Received,
    /// What is wrong with the fields of a dialog, which stays open.
    Errors(Value),
}

/// What is done after Slack has been told.
pub(super) type Work = BoxFuture<'static, ()>;

/// Too much is under way; Slack is to send it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Busy;

impl Clicks {
    /// Clicks on the cards of `slack`, whose words go to `answers`.
    #[must_use]
    pub fn new(slack: Arc<Slack>, answers: Arc<dyn Answers>) -> Arc<Self> {
        Arc::new(Self {
            slack,
            answers,
            modals: Modals::default(),
            seen: Seen::default(),
            slots: Arc::new(Semaphore::new(AT_ONCE)),
            tasks: TaskTracker::new(),
        })
    }

    /// Waits for what is under way; nothing is to come in any more.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Does what is left to do of an interaction.
    pub(super) fn start(&self, work: Option<Work>) {
        if let Some(work) = work {
            self.tasks.spawn(work);
        }
    }

    /// Looks at an interaction without waiting for anything: what to tell Slack at once, and what to do then.
    pub(super) fn take(self: &Arc<Self>, payload: Value) -> Result<(Ack, Option<Work>), Busy> {
        let slot = Arc::clone(&self.slots)
            .try_acquire_owned()
            .map_err(|_| Busy)?;
        let read = read(payload);
        let from = match &read {
            Ok(Interaction::Click(click)) => Some(&click.from),
            Ok(Interaction::Submission(submitted)) => Some(&submitted.from),
            Ok(Interaction::Idle) => return Ok((Ack::Received, None)),
            Err(_) => None,
        };
        if let Some(why) = from.and_then(|from| self.stranger(from)) {
            let refusal = Refusal {
                why: why.to_owned(),
                from: from.cloned(),
                subject: None,
            };
            return Ok((Ack::Received, Some(self.refuse(refusal, slot))));
        }
        match read {
            Ok(Interaction::Click(click)) => Ok((Ack::Received, self.clicked(*click, slot))),
            Ok(Interaction::Submission(submitted)) => Ok(self.submitted(*submitted, slot)),
            Ok(Interaction::Idle) => Ok((Ack::Received, None)),
            Err(Unreadable { why, from }) => {
                let refusal = Refusal {
                    why: why.to_owned(),
                    from,
                    subject: None,
                };
                Ok((Ack::Received, Some(self.refuse(refusal, slot))))
            }
        }
    }

    /// Why somebody is none of ours, if so.
    fn stranger(&self, from: &Who) -> Option<&'static str> {
        let slack = &self.slack;
        if from.team != slack.team {
            return Some("it comes from another workspace");
        }
        if from.app != slack.app {
            return Some("it comes from another app");
        }
        if from.user_team != slack.team {
            return Some("it comes from a person of another workspace");
        }
        (!is_slack_id(&from.user, "UW")).then_some("it comes from nobody")
    }

    fn refuse(self: &Arc<Self>, refusal: Refusal, slot: OwnedSemaphorePermit) -> Work {
        let clicks = Arc::clone(self);
        Box::pin(async move {
            let _slot = slot;
            tracing::warn!(
                why = refusal.why,
                "an interaction from slack was not listened to"
            );
            clicks.answers.refused(refusal).await;
        })
    }

    fn clicked(self: &Arc<Self>, click: Click, slot: OwnedSemaphorePermit) -> Option<Work> {
        let (by, ts) = (&click.from.user, &click.message_ts);
        let (what, block) = (click.press.as_str(), click.subject.block_id(click.rev));
        let key = format!("{by} {ts} {what} {block} {}", click.action_ts);
        if !self.seen.first(key, self.slack.clock.now()) {
            return None;
        }
        let clicks = Arc::clone(self);
        Some(Box::pin(async move {
            let _slot = slot;
            clicks.press(click).await;
        }))
    }

    /// A click from our workspace, once.
    async fn press(&self, click: Click) {
        let asked = match self.answers.asked(click.subject).await {
            Ok(Some(asked)) => asked,
            Ok(None) => return self.turn_down(&click, "there is no such question").await,
            Err(why) => {
                tracing::error!(why, "a click could not be looked up");
                return self.tell(&click, broke()).await;
            }
        };
        let now = asked.place.as_ref().and_then(Spot::of);
        if !now.is_some_and(|spot| spot.is_of(&click)) {
            self.turn_down(&click, STALE).await;
            return self.answers.redraw(click.subject).await;
        }
        let wish = match (click.press, asked.reason) {
            (Press::Approve, ReasonFor::Denial) => Wish::Approve(None),
            (Press::Takeover, _) => Wish::Takeover,
            (Press::Look, _) => Wish::LookAtEach,
            (Press::Agree, _) => Wish::Agree,
            (Press::Approve | Press::Deny | Press::Wrong, _) => {
                return self.ask_why(click, &asked).await;
            }
        };
        self.say(click, wish).await;
    }

    /// Opens a dialog.
    async fn ask_why(&self, click: Click, asked: &Asked) {
        let key = self.slack.dice.word();
        let view = modal::view(click.press, &asked.about, &key);
        let body = json!({"trigger_id": click.trigger, "view": view});
        self.modals.open(Opened {
            key: key.clone(),
            click: click.clone(),
            at: self.slack.clock.now(),
        });
        if let Err(error) = self.slack.web.call(Method::Open, &body).await {
            self.modals.close(&key);
            tracing::warn!(%error, "a dialog was not opened");
            let text = "The dialog could not be opened and nothing has been decided. Press the button again.";
            self.tell(&click, vec![Piece::ours(text)]).await;
        }
    }

    fn submitted(
        self: &Arc<Self>,
        submitted: Submission,
        slot: OwnedSemaphorePermit,
    ) -> (Ack, Option<Work>) {
        let now = self.slack.clock.now();
        let opened = self
            .modals
            .find(&submitted.opened, &submitted.from.user, now)
            .filter(|o| modal::dialog(o.click.press) == submitted.dialog);
        let Some(opened) = opened else {
            let refusal = Refusal {
                why: "it belongs to no dialog that is open for this person".to_owned(),
                from: Some(submitted.from),
                subject: None,
            };
            let text = "This dialog has run out. Close it and press the button on the card again.";
            let errors = Ack::Errors(json!({ NOTE: text }));
            return (errors, Some(self.refuse(refusal, slot)));
        };
        let wish = match wish(opened.click.press, &submitted) {
            Ok(wish) => wish,
            Err((field, text)) => return (Ack::Errors(json!({ field: text })), None),
        };
        if !self.modals.close(&opened.key) {
            return (Ack::Received, None);
        }
        let clicks = Arc::clone(self);
        let work: Work = Box::pin(async move {
            let _slot = slot;
            clicks.say(opened.click, wish).await;
        });
        (Ack::Received, Some(work))
    }

    /// Hands a person's word on and tells the person what became of it.
    async fn say(&self, click: Click, wish: Wish) {
        let given = Given {
            subject: click.subject,
            wish,
            user: click.from.user.clone(),
            channel: click.channel.clone(),
            message_ts: click.message_ts.clone(),
            rev: click.rev,
        };
        let answered = self.answers.answer(given).await;
        let pieces = match answered {
            Ok(Answered::Taken { said }) => vec![Piece::outside(&said, 400)],
            Ok(Answered::AlreadyDecided { by, how }) => {
                self.answers.redraw(click.subject).await;
                vec![
                    Piece::ours("Nothing has changed: it was already "),
                    Piece::outside(&how, 60),
                    Piece::ours(" by "),
                    person(&by),
                    Piece::ours("."),
                ]
            }
            Ok(Answered::Refused { why }) => refused(&why),
            Ok(Answered::Stale) => {
                self.answers.redraw(click.subject).await;
                vec![Piece::ours(format!("Nothing has changed: {STALE}."))]
            }
            Err(why) => {
                tracing::error!(why, "an answer from slack could not be taken");
                broke()
            }
        };
        self.tell(&click, pieces).await;
    }

    /// Puts a click on record that does nothing, and says so to whoever clicked.
    async fn turn_down(&self, click: &Click, why: &str) {
        self.answers
            .refused(Refusal {
                why: why.to_owned(),
                from: Some(click.from.clone()),
                subject: Some(click.subject),
            })
            .await;
        let text = format!("Nothing has changed: {why}.");
        self.tell(click, vec![Piece::ours(text)]).await;
    }

    /// Tells whoever clicked, and nobody else.
    async fn tell(&self, click: &Click, pieces: Vec<Piece>) {
        let drawn = Drawn::of("An answer of nightdesk to your click", pieces);
        let body = json!({
            "channel": click.channel,
            "user": click.from.user,
            "text": drawn.text,
            "blocks": drawn.blocks,
        });
        let told: Result<Value, ApiError> = self.slack.web.call(Method::Ephemeral, &body).await;
        if let Err(error) = told {
            tracing::warn!(%error, "somebody was not told what became of a click");
        }
    }
}

/// Why a click on an earlier form of a card, or on one that stands elsewhere, does nothing.
const STALE: &str = "the card has been written anew since; look at it as it is now and press again";

fn broke() -> Vec<Piece> {
    let text = "Nothing has changed: the answer could not be recorded. Press again, or use `nightdesk approvals` on the command line.";
    vec![Piece::ours(text)]
}

/// Settings that a refusal can name: they stand as people have to write them.
const SETTINGS: [&str; 2] = [PEOPLE, "[notify.slack]"];

/// Why an answer was not taken; what is no name of a setting is drawn as from outside.
fn refused(why: &str) -> Vec<Piece> {
    let why = oneline(why, 400);
    let mut pieces = vec![Piece::ours("Nothing has changed: ")];
    let mut rest = why.as_str();
    let first = |text: &str| {
        let found = SETTINGS.iter().filter_map(|s| Some((text.find(s)?, *s)));
        found.min()
    };
    while let Some((at, setting)) = first(rest) {
        pieces.extend(around(&rest[..at]));
        pieces.push(Piece::code(setting));
        rest = &rest[at + setting.len()..];
    }
    pieces.extend(around(rest));
    pieces.push(Piece::ours("."));
    pieces
}

/// Outside text between names, with the spaces that part it from them.
fn around(text: &str) -> [Piece; 3] {
    let space = |is_there: Option<&str>| Piece::ours(is_there.map_or("", |_| " "));
    [
        space(text.strip_prefix(' ')),
        Piece::outside(text, 400),
        space(text.strip_suffix(' ').filter(|t| !t.is_empty())),
    ]
}

/// What a dialog says, or which field is wrong and why.
fn wish(press: Press, submitted: &Submission) -> Result<Wish, (&'static str, &'static str)> {
    if submitted.text.chars().count() > MAX_REASON {
        return Err((NOTE, "At most 500 characters."));
    }
    let text = oneline(&submitted.text, MAX_REASON);
    if submitted.dialog == FEEDBACK {
        let verdict = submitted.verdict.ok_or((VERDICT, "Choose a verdict."))?;
        return Ok(Wish::Wrong(verdict, Some(text).filter(|t| !t.is_empty())));
    }
    if text.is_empty() {
        return Err((NOTE, "A reason is needed."));
    }
    Ok(match press {
        Press::Approve => Wish::Approve(Some(text)),
        _ => Wish::Deny(text),
    })
}
