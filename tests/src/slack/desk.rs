//! A stand-in for the store behind the clicks: it knows what is asked and who may answer, counts what was decided, and forgets nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use agent::notify::Place;
use agent::notify::card::ReasonFor;
use agent::notify::slack::{Answered, Answers, Asked, Given, Refusal, Slack, Subject};
use agent::rights::Groups as _;
use async_trait::async_trait;

/// One thing that is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// Where its card stands.
    pub place: Option<Place>,
    /// Which answers need a reason.
    pub reason: ReasonFor,
    /// Who decided.
    pub decided: Option<String>,
    /// It has run out.
    pub expired: bool,
}

/// What the desk knows.
#[derive(Debug, Default)]
pub struct Inner {
    /// Questions by their subject's text.
    pub questions: BTreeMap<String, Question>,
    /// Who may answer.
    pub allowed: BTreeSet<String>,
    /// A user group whose members may answer, too.
    pub group: Option<String>,
    /// What was decided, in order.
    pub decided: Vec<Given>,
    /// What was not listened to.
    pub refused: Vec<Refusal>,
    /// Words of people who may not say them.
    pub strangers: Vec<Given>,
    /// Cards that were asked for anew.
    pub redrawn: Vec<Subject>,
    /// The store is down.
    pub broken: bool,
}

/// The desk.
#[derive(Default)]
pub struct FakeDesk {
    inner: Mutex<Inner>,
    slack: OnceLock<Arc<Slack>>,
}

fn key(subject: Subject) -> String {
    format!("{subject:?}")
}

impl FakeDesk {
    /// What it knows, to look at or to change.
    pub fn look(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// User groups are looked up there.
    pub fn groups_from(&self, slack: Arc<Slack>) {
        // The first one stays.
        let _ = self.slack.set(slack);
    }

    async fn may(&self, user: &str) -> bool {
        let (named, group) = {
            let inner = self.look();
            (inner.allowed.contains(user), inner.group.clone())
        };
        match (group, self.slack.get()) {
            (Some(group), Some(slack)) => {
                let members = slack.members(&group).await.unwrap_or_default();
                named || members.iter().any(|m| m == user)
            }
            _ => named,
        }
    }

    /// Asks something whose card stands there.
    pub fn ask(&self, subject: Subject, reason: ReasonFor, place: Option<Place>) {
        let question = Question {
            place,
            reason,
            decided: None,
            expired: false,
        };
        self.look().questions.insert(key(subject), question);
    }

    /// The card of a question stands there now.
    pub fn place(&self, subject: Subject, place: Place) {
        if let Some(question) = self.look().questions.get_mut(&key(subject)) {
            question.place = Some(place);
        }
    }

    /// Nobody answers it any more.
    pub fn expire(&self, subject: Subject) {
        if let Some(question) = self.look().questions.get_mut(&key(subject)) {
            question.expired = true;
        }
    }
}

#[async_trait]
impl Answers for FakeDesk {
    async fn asked(&self, subject: Subject) -> Result<Option<Asked>, String> {
        let inner = self.look();
        if inner.broken {
            return Err("the store is down".to_owned());
        }
        Ok(inner.questions.get(&key(subject)).map(|q| Asked {
            place: q.place.clone(),
            reason: q.reason,
            about: "block <b>1</b> at https://evil.example.com/".to_owned(),
        }))
    }

    async fn answer(&self, given: Given) -> Result<Answered, String> {
        let may = self.may(&given.user).await;
        let mut inner = self.look();
        if inner.broken {
            return Err("the store is down".to_owned());
        }
        if !may {
            inner.strangers.push(given);
            let why = "you are not one of the approvers".to_owned();
            return Ok(Answered::Refused { why });
        }
        let Some(question) = inner.questions.get_mut(&key(given.subject)) else {
            return Ok(Answered::Stale);
        };
        if question.expired {
            let why = "it has run out, which means no".to_owned();
            return Ok(Answered::Refused { why });
        }
        if let Some(by) = question.decided.clone() {
            let how = "decided".to_owned();
            return Ok(Answered::AlreadyDecided { by, how });
        }
        question.decided = Some(format!("slack:{}", given.user));
        inner.decided.push(given);
        let said = "Taken.".to_owned();
        Ok(Answered::Taken { said })
    }

    async fn refused(&self, refusal: Refusal) {
        self.look().refused.push(refusal);
    }

    async fn redraw(&self, subject: Subject) {
        self.look().redrawn.push(subject);
    }
}
