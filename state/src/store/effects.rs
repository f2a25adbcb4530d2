//! Proposed outside effects and what became of them; sending them is the gate's.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, approvals, audit, calls, digest, timeline};
use crate::model::{
    Approval, ApprovalState, CaseId, Effect, EffectDecision, Time, TimelineEvent, TimelineKind,
    ToolCall,
};

/// The moment before an effect is sent.
#[derive(Debug, Clone, Copy)]
pub struct EffectBegin<'a> {
    /// The effect; it must be due.
    pub effect: &'a Effect,
    /// The call that is about to be sent.
    pub call: &'a ToolCall,
    /// The approval it rests on and the digest it must have; it is used up.
    pub approval: Option<(i64, &'a str)>,
    /// Destructive actions that are allowed in the hour before, when it is one.
    pub cap: Option<i64>,
}

/// What became of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectEnd<'a> {
    /// Row id.
    pub effect: i64,
    /// Where it stands now.
    pub decision: EffectDecision,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Time,
}

impl Store {
    /// The effects of a case in the order in which they were first proposed.
    pub async fn effects_of(&self, case: CaseId) -> Result<Vec<Effect>> {
        let found = sqlx::query("SELECT * FROM effects WHERE case_id = ?1 ORDER BY id")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("effects", &found)
    }

    /// All effects that stand at `decision`, the oldest first.
    pub async fn effects_at(&self, decision: EffectDecision) -> Result<Vec<Effect>> {
        let found = sqlx::query("SELECT * FROM effects WHERE decision = ?1 ORDER BY id")
            .bind(decision.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows::all("effects", &found)
    }

    /// Notes that an effect is about to be sent: its approval is used up, its call and its audit entry are written, the
    /// hourly cap is held. All of it or nothing, and nobody else can begin it again. Gives the id of the call.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it is not due or the approval is for something else, [`StoreError::NotOpen`],
    /// [`StoreError::CapReached`].
    pub async fn begin_effect(&self, begin: EffectBegin<'_>, entry: Value) -> Result<i64> {
        let mut tx = self.begin().await?;
        let (effect, now) = (begin.effect, begin.call.started);
        let begun = sqlx::query("UPDATE effects SET decision = ?2 WHERE id = ?1 AND decision = ?3")
            .bind(effect.id)
            .bind(EffectDecision::Started.as_str())
            .bind(EffectDecision::Due.as_str())
            .execute(&mut *tx)
            .await?;
        if begun.rows_affected() != 1 {
            let why = format!("sending effect {}, which is not due", effect.id);
            return Err(StoreError::refused(why));
        }
        if let Some((approval, digest)) = begin.approval {
            approvals::spend(&mut tx, approval, digest, now).await?;
        }
        if let Some(most) = begin.cap {
            let hour = micros(now - TimeDelta::hours(1));
            let count = "SELECT count(*) FROM destructive_actions WHERE at >= ?1";
            let done: i64 = sqlx::query_scalar(count)
                .bind(hour)
                .fetch_one(&mut *tx)
                .await?;
            if done >= most {
                let what = "destructive actions";
                return Err(StoreError::CapReached { what, most });
            }
            sqlx::query("INSERT INTO destructive_actions (effect_id, at) VALUES (?1, ?2)")
                .bind(effect.id)
                .bind(micros(now))
                .execute(&mut *tx)
                .await?;
        }
        let call = calls::begin(&mut tx, begin.call, entry).await?;
        tx.commit().await?;
        Ok(call)
    }

    /// Notes what became of an effect, with its audit entry and a line in the case's timeline, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it can't stand there after where it stood.
    pub async fn end_effect(&self, end: EffectEnd<'_>, entry: &Value) -> Result<()> {
        let mut tx = self.begin().await?;
        let case: Option<i64> = sqlx::query_scalar(
            "UPDATE effects SET decision = ?2, reason = ?3 WHERE id = ?1 RETURNING case_id",
        )
        .bind(end.effect)
        .bind(end.decision.as_str())
        .bind(end.reason)
        .fetch_optional(&mut *tx)
        .await?;
        let case = case.map(CaseId);
        let case = case.ok_or_else(|| StoreError::not_found(format!("effect {}", end.effect)))?;
        audit::append(&mut tx, end.at, entry).await?;
        let message = format!("effect {}: {}: {}", end.effect, end.decision, end.reason);
        let event = TimelineEvent::ours(case, end.at, TimelineKind::EffectCarriedOut, message)
            .with(json!({"effect": end.effect, "decision": end.decision}));
        timeline::append(&mut tx, case, &event).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What follows for the effect that waited for an answer: granted, it is due; in any other way it ends.
pub(super) async fn answered(db: &mut SqliteConnection, asked: &Approval) -> Result<()> {
    let (decision, reason) = match asked.state {
        ApprovalState::Approved => (
            EffectDecision::Due,
            format!(
                "approved by {}",
                asked.answered_by.as_deref().unwrap_or("a person")
            ),
        ),
        ApprovalState::Denied => (
            EffectDecision::Denied,
            format!(
                "rule 6: denied by {}",
                asked.answered_by.as_deref().unwrap_or("a person")
            ),
        ),
        ApprovalState::Expired => (
            EffectDecision::Denied,
            "rule 6: nobody approved it in time".to_owned(),
        ),
        ApprovalState::Pending | ApprovalState::Used => return Ok(()),
    };
    sqlx::query(
        "UPDATE effects SET decision = ?2, reason = ?3 WHERE approval_id = ?1 AND decision = ?4",
    )
    .bind(asked.id)
    .bind(decision.as_str())
    .bind(reason)
    .bind(EffectDecision::AwaitingApproval.as_str())
    .execute(db)
    .await?;
    Ok(())
}

/// Stores an effect once for a case, tool and arguments; a later word on it replaces the earlier one.
///
/// What is due, was sent or may have been stays as it is.
pub(super) async fn put(
    db: &mut SqliteConnection,
    case: CaseId,
    effect: &Effect,
    approval: Option<i64>,
) -> Result<()> {
    if effect.case != case {
        return Err(StoreError::refused(format!(
            "an effect of {} in the record of {case}",
            effect.case
        )));
    }
    let arguments = digest::canonical(&effect.arguments);
    sqlx::query(
        "INSERT INTO effects (case_id, tool, class, target, arguments, arguments_digest, decision, reason,
             approval_id, raises, d3fend, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         ON CONFLICT (case_id, tool, arguments_digest) DO UPDATE SET decision = excluded.decision,
             reason = excluded.reason, approval_id = coalesce(excluded.approval_id, approval_id)
         WHERE effects.decision IN ('dry_run', 'denied', 'failed', 'awaiting_approval')",
    )
    .bind(case.0)
    .bind(&effect.tool)
    .bind(effect.class.as_str())
    .bind(&effect.target)
    .bind(&arguments)
    .bind(digest::sha256_hex(arguments.as_bytes()))
    .bind(effect.decision.as_str())
    .bind(&effect.reason)
    .bind(approval)
    .bind(effect.raise)
    .bind(&effect.d3fend)
    .bind(micros(effect.at))
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for Effect {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            case: row.case("case_id")?,
            tool: row.get("tool")?,
            class: row.word("class")?,
            target: row.get("target")?,
            arguments: row.json("arguments")?,
            decision: row.word("decision")?,
            reason: row.get("reason")?,
            approval: row.get("approval_id")?,
            raise: row.flag("raises")?,
            d3fend: row.get("d3fend")?,
            at: row.time("at")?,
        })
    }
}
