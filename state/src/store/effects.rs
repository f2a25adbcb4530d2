//! Proposed outside effects and what became of them; sending them is the gate's.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, digest};
use crate::model::{CaseId, Effect, EffectDecision};

impl Store {
    /// The effects of a case in the order in which they were first proposed.
    pub async fn effects_of(&self, case: CaseId) -> Result<Vec<Effect>> {
        let found = sqlx::query("SELECT * FROM effects WHERE case_id = ?1 ORDER BY id")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("effects", &found)
    }
}

/// Stores an effect once for a case, tool and arguments; a later word on it replaces the earlier one.
///
/// What was executed stays executed, and what may have been stays unknown until it is known to be executed.
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
         WHERE effects.decision NOT IN (?13, ?14) OR (effects.decision = ?14 AND excluded.decision = ?13)",
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
    .bind(EffectDecision::Executed.as_str())
    .bind(EffectDecision::Unknown.as_str())
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for Effect {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
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
