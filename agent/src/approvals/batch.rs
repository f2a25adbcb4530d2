//! One answer to a batch of equal questions: each question is answered by itself, under all the rules of one.

use serde_json::json;
use state::model::{Answered, ApprovalState, Time};
use state::store::{Store, StoreError};

use crate::rights::{Rights, Who};

use super::{Answer, AnswerError, answer};

/// An answer to all questions of a batch.
#[derive(Debug, Clone)]
pub struct ForAll {
    /// The batch that the person saw.
    pub batch: i64,
    /// Yes or no.
    pub answered: Answered,
    /// Who says so.
    pub who: Who,
    /// Why; needed for a no.
    pub reason: String,
    /// When.
    pub at: Time,
}

/// What became of the questions of a batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answered now.
    pub taken: usize,
    /// Somebody answered before, or they had run out.
    pub before: usize,
    /// Refused, with the first reason.
    pub refused: Vec<String>,
}

/// Answers every question of a batch that is still open.
///
/// # Errors
/// [`AnswerError::Stale`] when more cases have come to the batch since the person saw it, or it was taken apart.
pub async fn answer_all(
    store: &Store,
    rights: Rights<'_>,
    given: ForAll,
) -> Result<Tally, AnswerError> {
    let batch = current(store, given.batch).await?;
    let mut tally = Tally::default();
    for id in batch.approvals {
        if store.approval(id).await?.state != ApprovalState::Pending {
            tally.before += 1;
            continue;
        }
        let one = Answer {
            id,
            answered: given.answered,
            who: given.who.clone(),
            reason: given.reason.clone(),
            at: given.at,
        };
        match answer(store, rights, one).await {
            Ok(_) => tally.taken += 1,
            Err(AnswerError::Store(StoreError::NotOpen { .. })) => tally.before += 1,
            Err(AnswerError::Refused { why, .. }) => tally.refused.push(why),
            Err(e) => return Err(e),
        }
    }
    Ok(tally)
}

/// Takes a batch apart: its cases are asked one by one from then on. Who did it stands in the audit log with it, and so does
/// who may not, whatever way they came.
///
/// # Errors
/// [`AnswerError::Batch`] when they may not, [`AnswerError::Stale`] as for [`answer_all`].
pub async fn take_apart(
    store: &Store,
    rights: Rights<'_>,
    (batch, who): (i64, &Who),
    at: Time,
) -> Result<(), AnswerError> {
    let mut record = json!({
        "kind": "batch", "batch": batch, "answer": "apart", "by": who.name, "channel": who.channel,
    });
    if let Err(why) = rights.may_close(who, &[]).await {
        record["decision"] = json!("deny");
        record["rule"] = json!(6);
        record["why"] = json!(why);
        store.append_audit(at, &record).await?;
        return Err(AnswerError::Batch { batch, why });
    }
    let batch = current(store, batch).await?;
    Ok(store.split_batch(batch.id, at, &record).await?)
}

/// The batch, when it is the one that people see.
async fn current(store: &Store, id: i64) -> Result<state::model::Batch, AnswerError> {
    let batch = store.batch(id).await?;
    let last = store.last_batch(&batch.likeness).await?;
    match last {
        Some(last) if last.id == id && !last.split => Ok(batch),
        _ => Err(AnswerError::Stale { batch: id }),
    }
}
