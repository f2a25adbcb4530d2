//! Questions of servers and people's answers to them; whether an answer fits and counts is the gate's.

use serde_json::Value;
use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{NewApproval, Result, Store, StoreError, asking, audit, digest, timeline};
use crate::model::{
    CaseId, Effect, EffectDecision, Elicitation, Time, TimelineEvent, TimelineKind,
};

/// A question of a server, still without an id.
#[derive(Debug, Clone, PartialEq)]
pub struct NewElicitation {
    /// The call once more, as an effect that waits for an approval.
    pub effect: Effect,
    /// The approval of just that call with the answer to just this question.
    pub approval: NewApproval,
    /// The server's words.
    pub message: String,
    /// JSON Schema of the answer.
    pub requested: Value,
    /// Digest of the question.
    pub digest: String,
    /// The effect whose call the server asked about, or that a person wanted again, when it is asked because of that:
    /// nothing of it is open any more.
    pub retried: Option<i64>,
}

/// What a server asked during a call and was declined; nobody has been asked it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeardQuestion {
    /// The server's words.
    pub message: String,
    /// JSON Schema of the answer.
    pub requested: Value,
    /// Digest of the question.
    pub digest: String,
}

const SELECT: &str =
    "SELECT q.*, e.case_id FROM elicitations q JOIN effects e ON e.id = q.effect_id";

impl Store {
    /// Stores a question with the effect and the approval that hang on it, and its audit entry. Gives its id.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the effect waits for nothing or was proposed before.
    pub async fn ask_elicitation(
        &self,
        new: &NewElicitation,
        entry: &Value,
        now: Time,
    ) -> Result<i64> {
        if new.effect.decision != EffectDecision::AwaitingApproval {
            return Err(StoreError::refused(
                "asking about an effect that waits for nothing",
            ));
        }
        let case = new.effect.case;
        let mut tx = self.begin().await?;
        let approval = asking::ask(&mut tx, case, &new.approval, now).await?;
        asking::keep_one(&mut tx, case, (&new.effect, Some(approval)), now).await?;
        let effect: Option<i64> =
            sqlx::query_scalar("SELECT id FROM effects WHERE approval_id = ?1")
                .bind(approval)
                .fetch_optional(&mut *tx)
                .await?;
        let effect = effect.ok_or_else(|| {
            StoreError::refused("asking about an effect that was proposed before")
        })?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO elicitations (effect_id, approval_id, message, requested, digest)
             VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
        )
        .bind(effect)
        .bind(approval)
        .bind(&new.message)
        .bind(digest::canonical(&new.requested))
        .bind(&new.digest)
        .fetch_one(&mut *tx)
        .await?;
        if let Some(retried) = new.retried {
            wanted_no_more(&mut tx, retried).await?;
            heard_no_more(&mut tx, retried).await?;
        }
        audit::append(&mut tx, now, entry).await?;
        let asked = TimelineEvent::ours(case, now, TimelineKind::Asked, &new.approval.summary)
            .with(serde_json::json!({"approval": approval, "elicitation": id}));
        timeline::append(&mut tx, case, &asked).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// All questions of servers, oldest first.
    pub async fn elicitations(&self) -> Result<Vec<Elicitation>> {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY q.id")))
            .fetch_all(&self.readers)
            .await?;
        rows::all("elicitations", &found)
    }

    /// The question on which an effect hangs, if it hangs on one.
    pub async fn elicitation_of(&self, effect: i64) -> Result<Option<Elicitation>> {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE q.effect_id = ?1"
        )))
        .bind(effect)
        .fetch_optional(&self.readers)
        .await?;
        rows::one("elicitations", found.as_ref())
    }

    /// The question that an approval answers, if it answers one.
    pub async fn elicitation_for(&self, approval: i64) -> Result<Option<Elicitation>> {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{SELECT} WHERE q.approval_id = ?1"
        )))
        .bind(approval)
        .fetch_optional(&self.readers)
        .await?;
        rows::one("elicitations", found.as_ref())
    }

    /// One question.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this id.
    pub async fn elicitation(&self, id: i64) -> Result<Elicitation> {
        let found = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE q.id = ?1")))
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("elicitations", found.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("elicitation {id}")))
    }

    /// Keeps a person's answer with its audit entry; it counts with their approval. It is given once: everybody who
    /// approves approves the same values. The same ones again change nothing.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the approval is not open any more, somebody gave other values, or somebody has voted
    /// without any.
    pub async fn answer_elicitation(
        &self,
        id: i64,
        given: (&Value, &str),
        entry: &Value,
        now: Time,
    ) -> Result<()> {
        let (content, by) = given;
        let mut tx = self.begin().await?;
        let kept = sqlx::query(
            "UPDATE elicitations SET content = coalesce(content, ?2), answered_by = coalesce(answered_by, ?3)
             WHERE id = ?1 AND (SELECT state FROM approvals WHERE id = approval_id) = 'pending'
                 AND (content = ?2 OR (content IS NULL AND NOT EXISTS
                     (SELECT 1 FROM approval_votes v WHERE v.approval_id = elicitations.approval_id)))",
        )
        .bind(id)
        .bind(digest::canonical(content))
        .bind(by)
        .execute(&mut *tx)
        .await?;
        if kept.rows_affected() != 1 {
            let why = format!(
                "answering elicitation {id}, which is not open or was answered otherwise (`nightdesk elicitations show {id}`)"
            );
            return Err(StoreError::refused(why));
        }
        audit::append(&mut tx, now, entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A person wants an effect that was not sent to be proposed again, with the audit entry and a line in the
    /// timeline of its case.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it was sent, or still waits.
    pub async fn retry_effect(
        &self,
        effect: &Effect,
        by: &str,
        entry: &Value,
        now: Time,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let wanted = sqlx::query(
            "INSERT INTO effect_retries (effect_id, by_whom, at)
                 SELECT id, ?2, ?3 FROM effects WHERE id = ?1 AND decision IN ('failed', 'denied', 'dry_run')
             ON CONFLICT (effect_id) DO UPDATE SET by_whom = excluded.by_whom, at = excluded.at",
        )
        .bind(effect.id)
        .bind(by)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        if wanted.rows_affected() != 1 {
            return Err(StoreError::refused(format!(
                "proposing effect {} again, which was sent or still waits",
                effect.id
            )));
        }
        sqlx::query("UPDATE effects SET requested_by = ?2 WHERE id = ?1")
            .bind(effect.id)
            .bind(by)
            .execute(&mut *tx)
            .await?;
        audit::append(&mut tx, now, entry).await?;
        let message = format!("{by} wants {} to be proposed again", effect.name());
        let mut told = TimelineEvent::ours(effect.case, now, TimelineKind::EffectProposed, message);
        by.clone_into(&mut told.actor);
        timeline::append(&mut tx, effect.case, &told).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What servers asked during calls of which nobody knows whether they took, and no person was asked yet; by effect.
    pub async fn unasked(&self) -> Result<Vec<(i64, HeardQuestion)>> {
        let found: Vec<(i64, String, String, String)> = sqlx::query_as(
            "SELECT q.effect_id, q.message, q.requested, q.digest FROM heard_questions q
             JOIN effects e ON e.id = q.effect_id WHERE e.decision = 'unknown' ORDER BY q.effect_id",
        )
        .fetch_all(&self.readers)
        .await?;
        let read = |(effect, message, requested, digest): (i64, String, String, String)| {
            let requested = serde_json::from_str(&requested).map_err(|e| StoreError::Corrupt {
                table: "heard_questions",
                id: effect.to_string(),
                why: format!("requested: {e}"),
            })?;
            let heard = HeardQuestion {
                message,
                requested,
                digest,
            };
            Ok((effect, heard))
        };
        found.into_iter().map(read).collect()
    }

    /// All effects, the newest first, of one case or of all.
    pub async fn list_effects(&self, case: Option<CaseId>, limit: i64) -> Result<Vec<Effect>> {
        let found = sqlx::query(
            "SELECT * FROM effects WHERE ?1 IS NULL OR case_id = ?1 ORDER BY id DESC LIMIT max(?2, 0)",
        )
        .bind(case.map(|c| c.0))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows::all("effects", &found)
    }
}

/// Keeps what a server asked during the call of an effect.
pub(super) async fn hear(
    db: &mut SqliteConnection,
    effect: i64,
    heard: &HeardQuestion,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO heard_questions (effect_id, message, requested, digest) VALUES (?1, ?2, ?3, ?4)",
    )
    .bind(effect)
    .bind(&heard.message)
    .bind(digest::canonical(&heard.requested))
    .bind(&heard.digest)
    .execute(db)
    .await?;
    Ok(())
}

/// A person was asked, or need not be.
pub(super) async fn heard_no_more(db: &mut SqliteConnection, effect: i64) -> Result<()> {
    sqlx::query("DELETE FROM heard_questions WHERE effect_id = ?1")
        .bind(effect)
        .execute(db)
        .await?;
    Ok(())
}

/// An effect was proposed again.
pub(super) async fn wanted_no_more(db: &mut SqliteConnection, effect: i64) -> Result<()> {
    sqlx::query("DELETE FROM effect_retries WHERE effect_id = ?1")
        .bind(effect)
        .execute(db)
        .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for Elicitation {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let content: Option<String> = row.get("content")?;
        let content = content.map(|_| row.json("content")).transpose()?;
        Ok(Self {
            id: row.get("id")?,
            case: row.case("case_id")?,
            effect: row.get("effect_id")?,
            approval: row.get("approval_id")?,
            message: row.get("message")?,
            requested: row.json("requested")?,
            digest: row.get("digest")?,
            content,
            answered_by: row.get("answered_by")?,
        })
    }
}
