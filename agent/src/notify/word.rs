//! What somebody's word from Slack does: it is answered, taken over or judged under the same rules as on the command line; whether the click is a real one was looked at before.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use state::model::{
    AlertId, Answered as Says, Approval, ApprovalState, CaseId, PostState, StoredPost, VerdictKind,
};
use state::store::StoreError;

use crate::approvals::{
    Answer, AnswerError, ForAll, answer, answer_all, needs_reason, take_apart, take_over,
};
use crate::ctx::Ctx;
use crate::feedback::{self, FeedbackError, Said, Then};
use crate::report::CaseFile;
use crate::rights::{From, Who};
use crate::text::oneline;

use super::card::ReasonFor;
use super::compose::{judged, summary};
use super::slack::{Answered, Answers, Asked, Given, Refusal, Subject, Wish};
use super::sync::case_key;
use super::{Place, Post};

/// Takes people's words from Slack.
pub struct Words {
    ctx: Arc<Ctx>,
}

impl Words {
    /// Words that count in this context.
    #[must_use]
    pub fn new(ctx: Arc<Ctx>) -> Arc<Self> {
        Arc::new(Self { ctx })
    }

    /// Key of the post on which something is asked.
    async fn key(&self, subject: Subject) -> Result<String, StoreError> {
        Ok(match subject {
            Subject::Approval(id) => case_key(self.ctx.store.approval(id).await?.case),
            Subject::Batch(id) => format!("batch:{}", self.ctx.store.batch(id).await?.root),
            Subject::Case(id) => case_key(CaseId(id)),
        })
    }

    async fn about(&self, subject: Subject) -> Result<(ReasonFor, String), StoreError> {
        Ok(match subject {
            Subject::Approval(id) => {
                let asked = self.ctx.store.approval(id).await?;
                let reason = match needs_reason(&asked, Says::Approved) {
                    true => ReasonFor::Both,
                    false => ReasonFor::Denial,
                };
                let about = summary(&self.ctx.store, &asked).await?;
                (reason, oneline(&about, 500))
            }
            Subject::Batch(id) => {
                let batch = self.ctx.store.batch(id).await?;
                let about = format!("{} proposed closes", batch.approvals.len());
                (ReasonFor::Denial, about)
            }
            Subject::Case(id) => {
                let case = self.ctx.store.case(CaseId(id)).await?;
                let about = format!("{}: {}", case.id, oneline(&case.title, 150));
                (ReasonFor::Denial, about)
            }
        })
    }

    fn who(&self, given: &Given) -> Who {
        let (user, place) = (&given.user, &given.channel);
        Who {
            name: self.ctx.config.people.approvals.name_of(user),
            channel: format!(
                "slack as {user} in {place}, message {} rev {}",
                given.message_ts, given.rev
            ),
            from: From::Channel,
        }
    }

    /// A yes or no to one question.
    async fn one(&self, id: i64, says: (Says, String), who: Who) -> Result<Answered, AnswerError> {
        let asked = self.ctx.store.approval(id).await?;
        if asked.state != ApprovalState::Pending {
            return Ok(decided(&asked));
        }
        let (answered, reason) = says;
        let given = Answer {
            id,
            answered,
            who,
            reason,
            at: self.ctx.now(),
        };
        match answer(&self.ctx.store, self.ctx.rights(), given).await {
            Ok(asked) if asked.state == ApprovalState::Pending => {
                let yes = self.ctx.store.votes_of(id).await?;
                let yes = yes.iter().filter(|v| v.answer == Says::Approved).count();
                let said = format!("your yes is noted: {yes} of {} have said yes", asked.needed);
                Ok(Answered::Taken { said })
            }
            Ok(asked) => Ok(Answered::Taken {
                said: match (asked.action.as_str(), answered) {
                    ("close", Says::Approved) => format!("{} is closed", asked.case),
                    ("close", Says::Denied) => format!("{} stays open", asked.case),
                    (_, Says::Approved) => "approved; it is checked once more and sent".to_owned(),
                    (_, Says::Denied) => "denied; it is not done".to_owned(),
                },
            }),
            Err(AnswerError::Store(StoreError::NotOpen { .. })) => {
                Ok(decided(&self.ctx.store.approval(id).await?))
            }
            Err(AnswerError::Store(StoreError::Refused { why })) => Ok(Answered::Refused { why }),
            Err(e) => Err(e),
        }
    }

    /// A yes or no to a batch.
    async fn all(&self, id: i64, says: (Says, String), who: Who) -> Result<Answered, AnswerError> {
        let all = ForAll {
            batch: id,
            answered: says.0,
            who,
            reason: says.1,
            at: self.ctx.now(),
        };
        let tally = answer_all(&self.ctx.store, self.ctx.rights(), all).await?;
        let mut said = format!(
            "{} answered, {} were answered before",
            tally.taken, tally.before
        );
        if let Some(why) = tally.refused.first() {
            if tally.taken == 0 {
                return Ok(Answered::Refused { why: why.clone() });
            }
            said = format!("{said}, {} refused: {why}", tally.refused.len());
        }
        Ok(Answered::Taken { said })
    }

    async fn take(&self, case: CaseId, who: &Who) -> Result<Answered, AnswerError> {
        let at = self.ctx.now();
        take_over(&self.ctx.store, self.ctx.rights(), (case, who), at).await?;
        Ok(Answered::Taken {
            said: format!("{case} is yours; what was asked about it has lapsed"),
        })
    }

    async fn apart(&self, id: i64, who: &Who) -> Result<Answered, AnswerError> {
        let at = self.ctx.now();
        take_apart(&self.ctx.store, self.ctx.rights(), (id, who), at).await?;
        Ok(Answered::Taken {
            said: "each case is asked by itself now".to_owned(),
        })
    }

    /// A word on the verdict: the same, or another.
    async fn judge(&self, case: CaseId, given: Given, who: Who) -> anyhow::Result<Answered> {
        let file = CaseFile::read(&self.ctx.store, &self.ctx.library, case).await?;
        // A dialog may have been open for long: what it was opened on must be what stands.
        if !self.is_shown(&file, &given).await? {
            return Ok(Answered::Stale);
        }
        let said = match given.wish {
            Wish::Wrong(kind, note) => {
                let alerts = file.alerts.iter().map(|a| a.alert.id).collect();
                vec![(kind, alerts, note.unwrap_or_default())]
            }
            _ => agreed(&file),
        };
        if said.is_empty() {
            let why = "there is no verdict to agree with".to_owned();
            return Ok(Answered::Refused { why });
        }
        let mut noted = Vec::new();
        for (kind, alerts, note) in said {
            let said = Said {
                case,
                alerts,
                kind,
                who: who.clone(),
                note,
                then: Then::Keep,
                at: self.ctx.now(),
            };
            match feedback::give(&self.ctx.store, self.ctx.rights(), said).await {
                Ok(taken) => noted.push(format!("{kind} for {} alerts", taken.alerts)),
                Err(FeedbackError::Refused { why, .. }) => return Ok(Answered::Refused { why }),
                Err(e) => return Err(e.into()),
            }
        }
        let said = format!(
            "noted: {}; later ones like them are judged by it",
            noted.join(", ")
        );
        Ok(Answered::Taken { said })
    }

    /// Whether the card that was clicked on shows the alerts and verdicts that stand: it may be behind, or have been refused.
    async fn is_shown(&self, file: &CaseFile, given: &Given) -> anyhow::Result<bool> {
        let key = case_key(file.case.id);
        let post = self.ctx.store.post("slack", &key).await?;
        let seen = |p: &StoredPost| matches!(p.state, PostState::Sent | PostState::Settled);
        let Some(post) = post.filter(seen) else {
            return Ok(false);
        };
        if !post
            .place
            .map(Place)
            .is_some_and(|place| given.is_on(&place))
        {
            return Ok(false);
        }
        Ok(match serde_json::from_value(post.body) {
            Ok(Post::Case(card)) => card.judged == judged(file),
            _ => false,
        })
    }

    async fn take_word(&self, given: Given) -> anyhow::Result<Answered> {
        let who = self.who(&given);
        if let (Subject::Case(id), Wish::Agree | Wish::Wrong(..)) = (given.subject, &given.wish) {
            return self.judge(CaseId(id), given, who).await;
        }
        let done = match (given.subject, given.wish) {
            (Subject::Approval(id), Wish::Approve(reason)) => {
                let says = (Says::Approved, reason.unwrap_or_default());
                self.one(id, says, who).await
            }
            (Subject::Approval(id), Wish::Deny(why)) => {
                self.one(id, (Says::Denied, why), who).await
            }
            (Subject::Approval(id), Wish::Takeover) => {
                let asked = self.ctx.store.approval(id).await?;
                self.take(asked.case, &who).await
            }
            (Subject::Case(id), Wish::Takeover) => self.take(CaseId(id), &who).await,
            (Subject::Batch(id), Wish::Approve(reason)) => {
                let says = (Says::Approved, reason.unwrap_or_default());
                self.all(id, says, who).await
            }
            (Subject::Batch(id), Wish::Deny(why)) => self.all(id, (Says::Denied, why), who).await,
            (Subject::Batch(id), Wish::LookAtEach) => self.apart(id, &who).await,
            _ => Ok(Answered::Refused {
                why: "this button is not about that".to_owned(),
            }),
        };
        match done {
            Ok(answered) => Ok(answered),
            Err(AnswerError::Stale { .. }) => Ok(Answered::Stale),
            Err(
                AnswerError::Refused { why, .. }
                | AnswerError::Case { why, .. }
                | AnswerError::Batch { why, .. },
            ) => Ok(Answered::Refused { why }),
            Err(AnswerError::Store(e)) => Err(e.into()),
        }
    }
}

/// Each verdict of a case with the alerts it is on.
fn agreed(file: &CaseFile) -> Vec<(VerdictKind, Vec<AlertId>, String)> {
    let mut by_kind: BTreeMap<VerdictKind, Vec<AlertId>> = BTreeMap::new();
    for alert in &file.alerts {
        if let Some(verdict) = &alert.verdict {
            by_kind
                .entry(verdict.kind)
                .or_default()
                .push(alert.alert.id);
        }
    }
    let each = by_kind.into_iter();
    each.map(|(kind, alerts)| (kind, alerts, String::new()))
        .collect()
}

fn decided(asked: &Approval) -> Answered {
    Answered::AlreadyDecided {
        by: asked
            .answered_by
            .clone()
            .unwrap_or_else(|| "nobody".to_owned()),
        how: asked.state.to_string(),
    }
}

#[async_trait]
impl Answers for Words {
    async fn asked(&self, subject: Subject) -> Result<Option<Asked>, String> {
        let found = async {
            let key = self.key(subject).await?;
            let (reason, about) = self.about(subject).await?;
            let post = self.ctx.store.post("slack", &key).await?;
            let place = post.and_then(|p| p.place).map(Place);
            Ok::<_, StoreError>(Asked {
                place,
                reason,
                about,
            })
        };
        match found.await {
            Ok(asked) => Ok(Some(asked)),
            Err(StoreError::NotFound { .. }) => Ok(None),
            Err(e) => Err(e.to_string()),
        }
    }

    async fn answer(&self, given: Given) -> Result<Answered, String> {
        self.take_word(given).await.map_err(|e| format!("{e:#}"))
    }

    async fn refused(&self, refusal: Refusal) {
        let who = refusal.from.as_ref();
        let record = json!({
            "kind": "slack",
            "decision": "deny",
            "rule": 6,
            "why": refusal.why,
            "by": who.map(|w| oneline(&w.user, 60)),
            "team": who.map(|w| oneline(&w.team, 60)),
            "subject": refusal.subject.map(|s| format!("{s:?}")),
        });
        if let Err(e) = self.ctx.store.append_audit(self.ctx.now(), &record).await {
            tracing::error!(error = %e, "a refused click could not be recorded");
        }
    }

    async fn redraw(&self, subject: Subject) {
        let again = async {
            let key = self.key(subject).await?;
            self.ctx
                .store
                .show_again("slack", &key, self.ctx.now())
                .await
        };
        if let Err(e) = again.await {
            tracing::error!(error = %e, "a card could not be drawn anew");
        }
    }
}
