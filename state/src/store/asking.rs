//! Questions to people still without an id, and proposed effects stored with the questions that they wait for, one each; answers are `approvals`'.

use serde_json::Value;
use sqlx::SqliteConnection;

use super::rows::micros;
use super::{Result, StoreError, approvals, digest, effects};
use crate::model::{CaseId, Effect, EffectDecision, Time};

/// A question still without an id.
#[derive(Debug, Clone, PartialEq)]
pub struct NewApproval {
    /// What is asked: `close` or `server.tool`.
    pub action: String,
    /// One line for people.
    pub summary: String,
    /// What exactly is asked; the digest that people see is over its canonical form.
    pub binding: Value,
    /// After this it counts as denied.
    pub expires: Time,
    /// Place, in the effects of the same record, of the effect that waits for the answer.
    pub effect: Option<usize>,
    /// How many people must say yes, at least one.
    pub needed: i64,
}

impl NewApproval {
    /// SHA-256 over the canonical JSON of the binding, hex.
    #[must_use]
    pub fn digest(&self) -> String {
        binding_digest(&self.binding)
    }
}

/// SHA-256 over the canonical JSON of a binding, hex.
#[must_use]
pub fn binding_digest(binding: &Value) -> String {
    digest::sha256_hex(digest::canonical(binding).as_bytes())
}

/// Asks a question, or finds it when the same one is open.
pub(super) async fn ask(
    db: &mut SqliteConnection,
    case: CaseId,
    new: &NewApproval,
    now: Time,
) -> Result<i64> {
    let open: Option<i64> = sqlx::query_scalar(
        "SELECT id FROM approvals
         WHERE case_id = ?1 AND action = ?2 AND digest = ?3 AND state = 'pending' AND expires >= ?4",
    )
    .bind(case.0)
    .bind(&new.action)
    .bind(new.digest())
    .bind(micros(now))
    .fetch_optional(&mut *db)
    .await?;
    if let Some(id) = open {
        return Ok(id);
    }
    Ok(sqlx::query_scalar(
        "INSERT INTO approvals (case_id, action, summary, digest, binding, state, asked, expires, needed)
         VALUES (?1, ?2, ?3, ?4, ?5, 'pending', ?6, ?7, ?8) RETURNING id",
    )
    .bind(case.0)
    .bind(&new.action)
    .bind(&new.summary)
    .bind(new.digest())
    .bind(digest::canonical(&new.binding))
    .bind(micros(now))
    .bind(micros(new.expires))
    .bind(new.needed)
    .fetch_one(db)
    .await?)
}

/// Stores effects and questions. What an effect that is under way was asked about is not asked again, and the question of
/// a proposal that a newer one replaces lapses. Gives the ids of what is asked, in the order of the questions.
pub(super) async fn keep(
    db: &mut SqliteConnection,
    case: CaseId,
    (proposed, questions): (&[Effect], &[NewApproval]),
    now: Time,
) -> Result<Vec<i64>> {
    let mut asked = Vec::with_capacity(questions.len());
    for new in questions {
        let of = new.effect.and_then(|at| proposed.get(at));
        asked.push(match of {
            Some(effect) if effects::is_under_way(db, effect).await? => None,
            _ => Some(ask(db, case, new, now).await?),
        });
    }
    for (i, effect) in proposed.iter().enumerate() {
        let own = questions.iter().position(|a| a.effect == Some(i));
        match own.map(|at| asked[at]) {
            Some(None) => {}
            own => keep_one(db, case, (effect, own.flatten().or(effect.approval)), now).await?,
        }
    }
    Ok(asked.into_iter().flatten().collect())
}

/// Stores one effect with the question that it waits for, if it waits for one.
pub(super) async fn keep_one(
    db: &mut SqliteConnection,
    case: CaseId,
    (effect, approval): (&Effect, Option<i64>),
    now: Time,
) -> Result<()> {
    if approval.is_none() && effect.decision == EffectDecision::AwaitingApproval {
        return Err(StoreError::refused(format!(
            "letting an effect of {case} wait for an answer to no question"
        )));
    }
    let earlier = effects::waits_for(db, effect).await?;
    effects::put(db, case, effect, approval).await?;
    match earlier.filter(|earlier| Some(*earlier) != approval) {
        Some(earlier) => approvals::lapse(db, earlier, PROPOSED_ANEW, now).await,
        None => Ok(()),
    }
}

/// Why the question of an effect lapses that is proposed again.
const PROPOSED_ANEW: &str = "what it asks about was proposed anew";
