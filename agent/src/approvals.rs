//! Answers of people to what the daemon asked: who may answer is checked here, whatever way the answer came; asking is the gate's.

use serde_json::json;
use state::model::{
    Approval, ApprovalState, CaseEvent, Outcome, Time, TimelineEvent, TimelineKind,
};
use state::store::{Answered, ApprovalAnswer, Store, StoreError};

use crate::config::ApprovalsConfig;
use crate::feedback;

/// One answer to one question.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Number of the question.
    pub id: i64,
    /// Yes or no.
    pub answered: Answered,
    /// Who says so.
    pub by: String,
    /// How it came and who the channel says it was, for the audit record: `command line as ana`.
    pub channel: String,
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
    rules: &ApprovalsConfig,
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
        "by": answer.by,
        "channel": answer.channel,
        "stage": "intent",
    });
    if let Err(why) = open_to(&asked, rules, &answer) {
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
        let who = (answer.by.as_str(), answer.channel.as_str(), answer.at);
        follows.feedback = feedback::confirmed(store, asked.case, who).await?;
    }
    let given = store.answer_approval(follows).await?;
    record["stage"] = json!("done");
    store.append_audit(answer.at, &record).await?;
    Ok(given)
}

/// Whether the question is open, and to this person.
fn open_to(asked: &Approval, rules: &ApprovalsConfig, answer: &Answer) -> Result<(), String> {
    match asked.state {
        ApprovalState::Pending if answer.at > asked.expires => {
            return Err("it has run out, which means no".to_owned());
        }
        ApprovalState::Pending => {}
        state => return Err(format!("it is {state}; only a pending one can be answered")),
    }
    match (asked.action.as_str(), answer.answered) {
        ("close", _) => rules.may_close(&answer.by),
        // Saying no can do no harm; who may see the question may.
        (_, Answered::Denied) => rules
            .may_approve(&answer.by)
            .or_else(|why| rules.may_close(&answer.by).map_err(|_| why)),
        (_, Answered::Approved) => rules.may_approve(&answer.by),
    }
}

/// What an answer does to the case.
fn follows(asked: &Approval, answer: &Answer) -> ApprovalAnswer {
    use Answered as A;
    let by = &answer.by;
    let closes = asked.action == "close";
    let (event, outcome, decided, said) = match (closes, answer.answered) {
        (true, A::Approved) => (
            CaseEvent::Closed,
            Some(Outcome::Closed),
            Some((TimelineKind::Closed, "closed: a person has decided")),
            format!("closed by {by}"),
        ),
        (true, A::Denied) => (
            CaseEvent::Escalated,
            Some(Outcome::Escalated),
            Some((TimelineKind::Escalated, "kept open: a person has decided")),
            format!("kept open by {by}"),
        ),
        (false, A::Approved) => (
            CaseEvent::Answered,
            None,
            None,
            format!("{} approved by {by}", asked.summary),
        ),
        (false, A::Denied) => (
            CaseEvent::Answered,
            None,
            None,
            format!("{} denied by {by}", asked.summary),
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
        at: answer.at,
        event,
        outcome,
        feedback: Vec::new(),
        events,
    }
}
