//! Proposed outside effects and what became of them; sending them is the gate's.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::rows::{self, Fields, micros};
use super::{
    CallEnd, HeardQuestion, Result, Store, StoreError, approvals, audit, calls, digest,
    elicitations, timeline,
};
use crate::model::{
    Approval, ApprovalState, CaseId, Effect, EffectDecision, Proof, Time, TimelineEvent,
    TimelineKind, ToolCall, effect_name,
};

/// How long after a word that was not sent it is planned again; each further wait is twice as long, up to an hour.
const AGAIN: TimeDelta = TimeDelta::minutes(1);
/// After so many failures of the same word it is left to people.
const GIVE_UP: i64 = 12;

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
    /// How well it is known, when it was executed.
    pub proof: Option<Proof>,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Time,
}

/// What came back of an effect that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectAnswer<'a> {
    /// Id of its call.
    pub call: i64,
    /// How the call ended.
    pub ended: CallEnd<'a>,
    /// Where the effect stands by that.
    pub end: EffectEnd<'a>,
    /// What the server asked and was declined, when a person is still to be asked.
    pub heard: Option<&'a HeardQuestion>,
}

impl Store {
    /// One effect.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this id.
    pub async fn effect(&self, id: i64) -> Result<Effect> {
        let found = sqlx::query("SELECT * FROM effects WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("effects", found.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("effect {id}")))
    }

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
        let begun = sqlx::query(
            "UPDATE effects SET decision = ?2, held_since = NULL, held_tries = 0, held_next = NULL, held_for = NULL
             WHERE id = ?1 AND decision = ?3",
        )
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
        finish(&mut tx, end, entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes what came back of an effect that was begun: how its call ended and where the effect stands, each with its
    /// audit entry, and what the server asked meanwhile, all in one transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such call or it has ended before, else as [`Store::end_effect`].
    pub async fn end_sent(
        &self,
        answer: EffectAnswer<'_>,
        (of_call, of_effect): (Value, &Value),
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        calls::end(&mut tx, answer.call, answer.ended, of_call).await?;
        finish(&mut tx, answer.end, of_effect).await?;
        if let Some(heard) = answer.heard {
            elicitations::hear(&mut tx, answer.end.effect, heard).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

async fn finish(db: &mut SqliteConnection, end: EffectEnd<'_>, entry: &Value) -> Result<()> {
    let found = sqlx::query(
        "UPDATE effects SET decision = ?2, reason = ?3, proof = coalesce(?4, proof),
             held_since = NULL, held_tries = 0, held_next = NULL, held_for = NULL WHERE id = ?1
         RETURNING case_id, tool, target",
    )
    .bind(end.effect)
    .bind(end.decision.as_str())
    .bind(end.reason)
    .bind(end.proof.map(Proof::as_str))
    .fetch_optional(&mut *db)
    .await?;
    let found = found.ok_or_else(|| StoreError::not_found(format!("effect {}", end.effect)))?;
    let (case, name) = named(end.effect, &found)?;
    audit::append(db, end.at, entry).await?;
    let word = match end.proof {
        Some(Proof::Requested) => "requested",
        Some(Proof::Confirmed) => "confirmed",
        Some(Proof::AlreadySo) => "already so",
        None => end.decision.as_str(),
    };
    let message = format!("{name}: {word}: {}", end.reason);
    let event = TimelineEvent::ours(case, end.at, TimelineKind::EffectCarriedOut, message)
        .with(json!({"effect": end.effect, "decision": end.decision, "proof": end.proof}));
    timeline::append(db, case, &event).await?;
    match end.decision {
        EffectDecision::Failed | EffectDecision::Denied => {
            say_again(db, (case, end.effect, &name), end.at).await
        }
        EffectDecision::Executed => elicitations::heard_no_more(db, end.effect).await,
        _ => Ok(()),
    }
}

/// The case of an effect and how sentences name it, from a row with `case_id`, `tool` and `target`.
pub(super) fn named(id: i64, row: &SqliteRow) -> Result<(CaseId, String)> {
    let row = Fields::new("effects", row);
    let (tool, target): (String, String) = (row.get("tool")?, row.get("target")?);
    Ok((row.case("case_id")?, effect_name(id, &tool, &target)))
}

/// A word that was not said is planned again, by what stands then; not for ever.
async fn say_again(
    db: &mut SqliteConnection,
    (case, effect, name): (CaseId, i64, &str),
    now: Time,
) -> Result<()> {
    let speaks: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM effects WHERE id = ?1 AND alert_id IS NOT NULL)",
    )
    .bind(effect)
    .fetch_one(&mut *db)
    .await?;
    if !speaks {
        return Ok(());
    }
    let failures: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM timeline_events WHERE case_id = ?1 AND kind = 'effect_carried_out'
             AND json_extract(data, '$.effect') = ?2 AND json_extract(data, '$.decision') IN ('failed', 'denied')",
    )
    .bind(case.0)
    .bind(effect)
    .fetch_one(&mut *db)
    .await?;
    if failures >= GIVE_UP {
        let why = format!(
            "{name} failed {failures} times and is not tried again by itself: `nightdesk effects retry {effect}` does"
        );
        let event = TimelineEvent::ours(case, now, TimelineKind::EffectProposed, why);
        return timeline::append(db, case, &event).await;
    }
    let doubled = AGAIN * (1 << failures.clamp(1, 7) >> 1);
    sqlx::query(
        "INSERT INTO untold_cases (case_id, rev, due) VALUES (?1, 1, ?2)
         ON CONFLICT (case_id) DO UPDATE SET rev = rev + 1",
    )
    .bind(case.0)
    .bind(micros(now + doubled.min(TimeDelta::hours(1))))
    .execute(db)
    .await?;
    Ok(())
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

/// By what an effect is told from the others of its case and tool.
fn call_digest(effect: &Effect) -> String {
    let arguments = digest::canonical(&effect.arguments);
    let told = match effect.about.round {
        0 => arguments,
        round => format!("{arguments}\n{round}"),
    };
    digest::sha256_hex(told.as_bytes())
}

/// Where the stored effect of the same case, tool and arguments stands, and the approval it has.
async fn stored(
    db: &mut SqliteConnection,
    effect: &Effect,
) -> Result<Option<(EffectDecision, Option<i64>)>> {
    let found = sqlx::query(
        "SELECT id, decision, approval_id FROM effects WHERE case_id = ?1 AND tool = ?2 AND arguments_digest = ?3",
    )
    .bind(effect.case.0)
    .bind(&effect.tool)
    .bind(call_digest(effect))
    .fetch_optional(db)
    .await?;
    let read = |row| {
        let row = Fields::new("effects", row);
        Ok((row.word("decision")?, row.get("approval_id")?))
    };
    found.as_ref().map(read).transpose()
}

/// Whether the same effect is due, was sent or may have been: a proposal of it changes nothing.
pub(super) async fn is_under_way(db: &mut SqliteConnection, effect: &Effect) -> Result<bool> {
    let found = stored(db, effect).await?;
    Ok(found.is_some_and(|(decision, _)| decision.is_under_way()))
}

/// The question that the same effect waits for, if it waits for one.
pub(super) async fn waits_for(db: &mut SqliteConnection, effect: &Effect) -> Result<Option<i64>> {
    let found = stored(db, effect).await?;
    let waits = found.filter(|(decision, _)| *decision == EffectDecision::AwaitingApproval);
    Ok(waits.and_then(|(_, approval)| approval))
}

/// Whether an effect waits for this question.
pub(super) async fn wait_for(db: &mut SqliteConnection, approval: i64) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM effects WHERE approval_id = ?1 AND decision = ?2)",
    )
    .bind(approval)
    .bind(EffectDecision::AwaitingApproval.as_str())
    .fetch_one(db)
    .await?)
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
    sqlx::query(
        "INSERT INTO effects (case_id, tool, class, target, arguments, arguments_digest, decision, reason,
             approval_id, raises, d3fend, at, alert_id, wanted, round, held_since, held_tries, held_next,
             held_for, untrusted, requested_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)
         ON CONFLICT (case_id, tool, arguments_digest) DO UPDATE SET decision = excluded.decision,
             reason = excluded.reason, approval_id = excluded.approval_id, untrusted = excluded.untrusted,
             requested_by = excluded.requested_by,
             held_since = iif(excluded.held_since IS NULL, NULL, coalesce(held_since, excluded.held_since)),
             held_tries = excluded.held_tries, held_next = excluded.held_next, held_for = excluded.held_for
         WHERE effects.decision IN ('dry_run', 'denied', 'failed', 'awaiting_approval')",
    )
    .bind(case.0)
    .bind(&effect.tool)
    .bind(effect.class.as_str())
    .bind(&effect.target)
    .bind(digest::canonical(&effect.arguments))
    .bind(call_digest(effect))
    .bind(effect.decision.as_str())
    .bind(&effect.reason)
    .bind(approval)
    .bind(effect.about.raise)
    .bind(&effect.about.d3fend)
    .bind(micros(effect.at))
    .bind(effect.about.alert.map(|a| a.0))
    .bind(&effect.about.wanted)
    .bind(effect.about.round)
    .bind(effect.about.held.map(|h| micros(h.since)))
    .bind(effect.about.held.map_or(0, |h| h.tries))
    .bind(effect.about.held.map(|h| micros(h.next)))
    .bind(effect.about.held.map(|h| h.asked_by.as_str()))
    .bind(effect.about.untrusted.as_ref().map(rows::json).transpose()?)
    .bind(&effect.about.requested_by)
    .execute(db)
    .await?;
    Ok(())
}
