//! Answers of people to what the daemon asked: who may answer is checked here, whatever way the answer came; asking is the gate's.

mod batch;

use serde_json::json;
use state::model::{
    Answered, Approval, ApprovalState, CaseEvent, CaseId, Outcome, Takeover, Time, TimelineEvent,
    TimelineKind, ToolClass,
};
use state::store::{ApprovalAnswer, Store, StoreError};

pub use batch::{ForAll, Tally, answer_all, take_apart};

use crate::catalogue::form_needs_values;
use crate::feedback;
use crate::rights::{Rights, Who};
use crate::text::oneline;

/// Longest reason that is kept, characters.
const LONGEST: usize = 500;

/// One answer to one question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Number of the question.
    pub id: i64,
    /// Yes or no.
    pub answered: Answered,
    /// Who says so.
    pub who: Who,
    /// Why, in their words; needed for a no, and for a yes to something destructive.
    pub reason: String,
    /// When.
    pub at: Time,
}

/// Why an answer does not count.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The wrong person, or a question that is no longer open.
    #[error("approval {id}: {why}")]
    Refused {
        /// Number of the question.
        id: i64,
        /// Why.
        why: String,
    },
    /// The wrong person for a case.
    #[error("{case}: {why}")]
    Case {
        /// The case.
        case: CaseId,
        /// Why.
        why: String,
    },
    /// The wrong person for a batch.
    #[error("batch {batch}: {why}")]
    Batch {
        /// The batch.
        batch: i64,
        /// Why.
        why: String,
    },
    /// A batch that is no longer the one that people see.
    #[error("batch {batch} has changed since: look at the newer one")]
    Stale {
        /// The batch.
        batch: i64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes an answer. The audit record stands before it takes effect, and again after it; a refused one is recorded too.
///
/// An approved close closes the case. An approved effect is due: the daemon checks everything again and sends it once.
///
/// # Errors
/// [`AnswerError::Refused`]: nothing has changed.
pub async fn answer(
    store: &Store,
    rights: Rights<'_>,
    answer: Answer,
) -> Result<Approval, AnswerError> {
    let asked = store.approval(answer.id).await?;
    let mut record = json!({
        "kind": "approval",
        "case": asked.case,
        "approval": asked.id,
        "action": asked.action,
        "digest": asked.digest,
        "answer": match answer.answered {
            Answered::Approved => "approve",
            Answered::Denied => "deny",
        },
        "by": answer.who.name,
        "channel": answer.who.channel,
        "reason": oneline(&answer.reason, LONGEST),
        "stage": "intent",
    });
    let involved = store.involved(asked.case).await?;
    let values = wants_values(store, &asked, answer.answered).await?;
    let open = match values {
        Some(why) => Err(why),
        None => open_to(&asked, (rights, &involved), &answer).await,
    };
    if let Err(why) = open {
        record["stage"] = json!("refused");
        record["decision"] = json!("deny");
        record["rule"] = json!(6);
        record["why"] = json!(why);
        store.append_audit(answer.at, &record).await?;
        let id = asked.id;
        return Err(AnswerError::Refused { id, why });
    }
    store.append_audit(answer.at, &record).await?;
    let mut follows = follows(&asked, &answer);
    if follows.event == CaseEvent::Closed {
        let who = (
            answer.who.name.as_str(),
            answer.who.channel.as_str(),
            answer.at,
        );
        follows.feedback = feedback::confirmed(store, asked.case, who).await?;
    }
    let given = match store.answer_approval(follows).await {
        Ok(given) => given,
        Err(e @ (StoreError::NotOpen { .. } | StoreError::Refused { .. })) => {
            record["stage"] = json!("refused");
            record["decision"] = json!("deny");
            record["rule"] = json!(6);
            record["why"] = json!(e.to_string());
            store.append_audit(answer.at, &record).await?;
            return Err(AnswerError::Store(e));
        }
        Err(e) => return Err(e.into()),
    };
    record["stage"] = json!("done");
    record["state"] = json!(given.state);
    store.append_audit(answer.at, &record).await?;
    Ok(given)
}

/// Gives a case to a person: what was asked about it lapses, nobody is reminded of it any more, the case stays open.
///
/// # Errors
/// [`AnswerError::Case`] when they may not.
pub async fn take_over(
    store: &Store,
    rights: Rights<'_>,
    (case, who): (CaseId, &Who),
    at: Time,
) -> Result<(), AnswerError> {
    let involved = store.involved(case).await?;
    let allowed = match rights.may_close(who, &involved).await {
        Ok(()) => Ok(()),
        Err(why) => rights
            .may_approve(&who.name, &involved)
            .await
            .map_err(|_| why),
    };
    let taken = Takeover {
        case,
        by: who.name.clone(),
        channel: who.channel.clone(),
        at,
    };
    let why = match allowed {
        Err(why) => why,
        Ok(()) => match store.take_over(&taken).await {
            Err(StoreError::Refused { why }) => why,
            done => return Ok(done?),
        },
    };
    let record = json!({
        "kind": "takeover", "case": case, "by": who.name, "channel": who.channel,
        "decision": "deny", "rule": 6, "why": why,
    });
    store.append_audit(at, &record).await?;
    Err(AnswerError::Case { case, why })
}

/// What is missing for a yes to a server's question: the values that its form asks for.
async fn wants_values(
    store: &Store,
    asked: &Approval,
    answered: Answered,
) -> Result<Option<String>, StoreError> {
    if answered == Answered::Denied || asked.state != ApprovalState::Pending {
        return Ok(None);
    }
    let question = store.elicitation_for(asked.id).await?;
    let open = question.filter(|q| q.content.is_none() && form_needs_values(&q.requested));
    Ok(open.map(|q| {
        let how = format!("nightdesk elicitations answer {} --values JSON", q.id);
        format!("the server asks for values: `{how}` says yes with them")
    }))
}

/// Whether the question is open, and to this person.
async fn open_to(
    asked: &Approval,
    (rights, involved): (Rights<'_>, &[String]),
    answer: &Answer,
) -> Result<(), String> {
    match asked.state {
        ApprovalState::Pending if answer.at > asked.expires => {
            return Err("it has run out, which means no".to_owned());
        }
        ApprovalState::Pending => {}
        state => return Err(decided(state, asked.answered_by.as_deref())),
    }
    match (asked.action.as_str(), answer.answered) {
        ("close", _) => rights.may_close(&answer.who, involved).await,
        // Saying no can do no harm; who may see the question may.
        (_, Answered::Denied) => match rights.may_approve(&answer.who.name, involved).await {
            Ok(()) => Ok(()),
            Err(why) => rights
                .may_close(&answer.who, involved)
                .await
                .map_err(|_| why),
        },
        (_, Answered::Approved) => rights.may_say_yes(&answer.who.name, involved, asked).await,
    }?;
    match needs_reason(asked, answer.answered) && answer.reason.trim().is_empty() {
        true => Err("say why: this answer needs a reason".to_owned()),
        false => Ok(()),
    }
}

/// How a question ended that is open no more, and by whom.
fn decided(state: ApprovalState, by: Option<&str>) -> String {
    let word = match state {
        ApprovalState::Used => "approved and used",
        state => state.as_str(),
    };
    let by = by.map_or(String::new(), |by| format!(", decided by {by}"));
    format!("it is already {word}{by}; only an open question can be answered")
}

/// Whether an answer to a question needs a reason.
#[must_use]
pub fn needs_reason(asked: &Approval, answered: Answered) -> bool {
    answered == Answered::Denied || asked.binding["class"] == json!(ToolClass::Destructive)
}

/// What an answer does to the case.
fn follows(asked: &Approval, answer: &Answer) -> ApprovalAnswer {
    use Answered as A;
    let by = &answer.who.name;
    let why = match oneline(&answer.reason, LONGEST) {
        reason if reason.is_empty() => String::new(),
        reason => format!(": {reason}"),
    };
    let closes = asked.action == "close";
    let (event, outcome, decided, said) = match (closes, answer.answered) {
        (true, A::Approved) => (
            CaseEvent::Closed,
            Some(Outcome::Closed),
            Some((TimelineKind::Closed, "closed: a person has decided")),
            format!("closed by {by}{why}"),
        ),
        (true, A::Denied) => (
            CaseEvent::Escalated,
            Some(Outcome::Escalated),
            Some((TimelineKind::Escalated, "kept open: a person has decided")),
            format!("kept open by {by}{why}"),
        ),
        (false, A::Approved) => (
            CaseEvent::Answered,
            None,
            None,
            format!("{} approved by {by}{why}", asked.summary),
        ),
        (false, A::Denied) => (
            CaseEvent::Answered,
            None,
            None,
            format!("{} denied by {by}{why}", asked.summary),
        ),
    };
    let mut told = TimelineEvent::ours(asked.case, answer.at, TimelineKind::Answered, said);
    told.actor.clone_from(by);
    let mut events = vec![told];
    events.extend(decided.map(|(kind, m)| TimelineEvent::ours(asked.case, answer.at, kind, m)));
    ApprovalAnswer {
        approval: asked.id,
        answered: answer.answered,
        by: by.clone(),
        reason: oneline(&answer.reason, LONGEST),
        channel: answer.who.channel.clone(),
        at: answer.at,
        event,
        outcome,
        feedback: Vec::new(),
        events,
    }
}
