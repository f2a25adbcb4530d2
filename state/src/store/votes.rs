//! Who said what to a question, and who took a case over; what an answer does is in `approvals`.

use sqlx::SqliteConnection;

use super::approvals::ApprovalAnswer;
use super::cases::{move_case, status_of};
use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, audit, record, timeline};
use crate::model::{
    Answered, CaseEvent, CaseId, CaseStatus, Outcome, Takeover, TimelineEvent, TimelineKind, Vote,
};

impl Store {
    /// What people said to a question, in order of time.
    pub async fn votes_of(&self, approval: i64) -> Result<Vec<Vote>> {
        let found =
            sqlx::query("SELECT * FROM approval_votes WHERE approval_id = ?1 ORDER BY at, person")
                .bind(approval)
                .fetch_all(&self.readers)
                .await?;
        rows::all("approval_votes", &found)
    }

    /// Gives a case to a person: what was asked about it lapses, and it is theirs. Timeline and audit entry are in the same
    /// transaction.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such case, [`StoreError::Refused`] when they have it already.
    pub async fn take_over(&self, taken: &Takeover) -> Result<()> {
        let mut tx = self.begin().await?;
        let status = status_of(&mut tx, taken.case).await?;
        if owner(&mut tx, taken.case).await?.as_ref() == Some(&taken.by) {
            let what = format!("taking over {}: {} has it already", taken.case, taken.by);
            return Err(StoreError::refused(what));
        }
        sqlx::query("INSERT INTO takeovers (case_id, by, channel, at) VALUES (?1, ?2, ?3, ?4)")
            .bind(taken.case.0)
            .bind(&taken.by)
            .bind(&taken.channel)
            .bind(micros(taken.at))
            .execute(&mut *tx)
            .await?;
        let said = format!("taken over by {}", taken.by);
        let mut event = TimelineEvent::ours(taken.case, taken.at, TimelineKind::Answered, &said)
            .with(serde_json::json!({"taken_over": true}));
        event.actor.clone_from(&taken.by);
        timeline::append(&mut tx, taken.case, &event).await?;
        super::approvals::lapse_of_case(&mut tx, taken.case, &said, taken.at).await?;
        if status == CaseStatus::AwaitingApproval {
            move_case(&mut tx, taken.case, CaseEvent::Escalated, taken.at).await?;
            record::set_outcome(&mut tx, taken.case, Some(Outcome::Escalated)).await?;
        }
        let entry = serde_json::json!({"kind": "takeover", "case": taken.case, "by": taken.by, "channel": taken.channel});
        audit::append(&mut tx, taken.at, &entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Everything that acts or is acted on in a case, whoever says so: who is named there decides nothing about it.
    pub async fn involved(&self, case: CaseId) -> Result<Vec<String>> {
        let entities = self.entities_of(case).await?;
        let mut involved: Vec<String> = entities.into_iter().map(|e| e.value).collect();
        involved.sort_unstable();
        involved.dedup();
        Ok(involved)
    }

    /// Who has a case; none while it is nobody's.
    pub async fn owner_of(&self, case: CaseId) -> Result<Option<String>> {
        Ok(sqlx::query_scalar(OWNER)
            .bind(case.0)
            .fetch_optional(&self.readers)
            .await?)
    }
}

const OWNER: &str = "SELECT by FROM takeovers WHERE case_id = ?1 ORDER BY id DESC LIMIT 1";

async fn owner(db: &mut SqliteConnection, case: CaseId) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(OWNER)
        .bind(case.0)
        .fetch_optional(db)
        .await?)
}

/// Notes what a person says; gives how many have said yes by now.
///
/// # Errors
/// [`StoreError::Refused`] when this person has answered before.
pub(super) async fn cast(db: &mut SqliteConnection, answer: &ApprovalAnswer) -> Result<i64> {
    let cast = sqlx::query(
        "INSERT INTO approval_votes (approval_id, person, answer, reason, channel, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (approval_id, person) DO NOTHING",
    )
    .bind(answer.approval)
    .bind(&answer.by)
    .bind(answer.answered.as_str())
    .bind(&answer.reason)
    .bind(&answer.channel)
    .bind(micros(answer.at))
    .execute(&mut *db)
    .await?;
    if cast.rows_affected() == 0 {
        return Err(StoreError::refused(format!(
            "a second answer of {} to approval {}",
            answer.by, answer.approval
        )));
    }
    Ok(sqlx::query_scalar(
        "SELECT count(*) FROM approval_votes WHERE approval_id = ?1 AND answer = ?2",
    )
    .bind(answer.approval)
    .bind(Answered::Approved.as_str())
    .fetch_one(db)
    .await?)
}

impl<'r> TryFrom<Fields<'r>> for Vote {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            approval: row.get("approval_id")?,
            person: row.get("person")?,
            answer: row.word("answer")?,
            reason: row.get("reason")?,
            channel: row.get("channel")?,
            at: row.time("at")?,
        })
    }
}
