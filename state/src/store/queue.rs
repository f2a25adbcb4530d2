//! Who works which case: claims with a lease and a fencing number; what the work is, others know.

use std::time::Duration;

use serde_json::json;
use sqlx::SqliteConnection;

use super::cases::{move_case, status_of};
use super::rows::{Fields, micros};
use super::{Result, Store, StoreError, timeline};
use crate::model::{Case, CaseEvent, CaseId, Time, TimelineEvent, TimelineKind, next};

/// A worker's right to a case. It ends when the case is claimed again, whoever claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Case.
    pub case: CaseId,
    /// Grows with every claim of the case.
    pub fence: i64,
    /// Who claimed it.
    pub owner: String,
}

/// Which claims to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reclaim {
    /// Those whose lease has run out.
    Expired,
    /// All of them: for the start of the only daemon, when every earlier worker is gone.
    All,
}

impl Store {
    /// Takes the case with the oldest alert off the queue; none when the queue is empty. A canary goes first, so that
    /// a long queue never reads as a canary that was missed.
    ///
    /// Writes the `claimed` event itself.
    pub async fn claim(
        &self,
        owner: &str,
        now: Time,
        lease: Duration,
    ) -> Result<Option<(Claim, Case)>> {
        let mut tx = self.begin().await?;
        let next_id: Option<i64> = sqlx::query_scalar(
            "SELECT coalesce(
                 (SELECT c.id FROM canary_runs r JOIN alerts a ON a.id = r.alert_id JOIN cases c ON c.id = a.case_id
                  WHERE r.state = 'started' AND c.status = 'new' ORDER BY r.id LIMIT 1),
                 (SELECT id FROM cases WHERE status = 'new' ORDER BY alert_time, id LIMIT 1))",
        )
        .fetch_one(&mut *tx)
        .await?;
        let Some(id) = next_id.map(CaseId) else {
            return Ok(None);
        };
        let status = next(status_of(&mut tx, id).await?, CaseEvent::Claimed)?;
        let row = sqlx::query(
            "UPDATE cases SET status = ?2, updated = ?3, owner = ?4, lease_until = ?5,
                 attempts = attempts + 1, fence = fence + 1
             WHERE id = ?1 RETURNING *",
        )
        .bind(id.0)
        .bind(status.as_str())
        .bind(micros(now))
        .bind(owner)
        .bind(micros(now + lease))
        .fetch_one(&mut *tx)
        .await?;
        let row = Fields::new("cases", &row);
        let claim = Claim {
            case: id,
            fence: row.get("fence")?,
            owner: owner.to_owned(),
        };
        let case = Case::try_from(&row)?;
        let message = format!("worker {owner} took the case, attempt {}", case.attempts);
        let event = TimelineEvent::ours(id, now, TimelineKind::Claimed, message)
            .with(json!({"owner": owner, "fence": claim.fence}));
        timeline::append(&mut tx, id, &event).await?;
        tx.commit().await?;
        Ok(Some((claim, case)))
    }

    /// Makes the lease of a claim last until `until`.
    ///
    /// # Errors
    /// [`StoreError::LostLease`] when the claim is no longer in force.
    pub async fn renew(&self, claim: &Claim, until: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        check(&mut tx, claim).await?;
        sqlx::query("UPDATE cases SET lease_until = ?2 WHERE id = ?1")
            .bind(claim.case.0)
            .bind(micros(until))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives a case back to the queue unfinished.
    ///
    /// # Errors
    /// [`StoreError::LostLease`] when the claim is no longer in force.
    pub async fn release(
        &self,
        claim: &Claim,
        now: Time,
        events: Vec<TimelineEvent>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        check(&mut tx, claim).await?;
        move_case(&mut tx, claim.case, CaseEvent::Released, now).await?;
        timeline::append_all(&mut tx, claim.case, &events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Puts cases whose worker is gone back in the queue, each with a `released` event; their ids, ascending.
    pub async fn reclaim(&self, now: Time, which: Reclaim) -> Result<Vec<CaseId>> {
        let mut tx = self.begin().await?;
        let held: Vec<(i64, String)> = sqlx::query_as(
            "SELECT id, coalesce(owner, '') FROM cases
             WHERE status = 'triaging' AND (?1 OR lease_until <= ?2) ORDER BY id",
        )
        .bind(which == Reclaim::All)
        .bind(micros(now))
        .fetch_all(&mut *tx)
        .await?;
        let why = match which {
            Reclaim::Expired => "its lease ran out",
            Reclaim::All => "the daemon stopped before it was done",
        };
        for (id, owner) in &held {
            let case = CaseId(*id);
            move_case(&mut tx, case, CaseEvent::Released, now).await?;
            let message = format!("the case was taken back from worker {owner}: {why}");
            let event = TimelineEvent::ours(case, now, TimelineKind::Released, message);
            timeline::append(&mut tx, case, &event).await?;
        }
        tx.commit().await?;
        Ok(held.into_iter().map(|(id, _)| CaseId(id)).collect())
    }

    /// How many cases wait in the queue.
    pub async fn queue_depth(&self) -> Result<i64> {
        Ok(
            sqlx::query_scalar("SELECT count(*) FROM cases WHERE status = 'new'")
                .fetch_one(&self.readers)
                .await?,
        )
    }
}

/// Whether the claim is in force; the fencing check of every write that a worker makes at its end.
pub(super) async fn check(db: &mut SqliteConnection, claim: &Claim) -> Result<()> {
    let held: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM cases WHERE id = ?1 AND status = 'triaging' AND fence = ?2 AND owner = ?3",
    )
    .bind(claim.case.0)
    .bind(claim.fence)
    .bind(&claim.owner)
    .fetch_one(db)
    .await?;
    if held == 1 {
        return Ok(());
    }
    Err(StoreError::LostLease { case: claim.case })
}
