//! What follows outside from where a case stands: the outbox of cases that are not told yet, effects proposed after the
//! record, and effects that are still to be read back; deciding and sending are the gate's.

use chrono::TimeDelta;
use sqlx::SqliteConnection;

use super::rows::{self, micros};
use super::{NewApproval, Result, Store, asking, elicitations, timeline};
use crate::model::{AlertId, CaseId, Effect, Proof, Time, TimelineEvent};

/// A case that is not told outside as it stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untold {
    /// The case.
    pub case: CaseId,
    /// Which change of it; another one comes with another number.
    pub rev: i64,
    /// How often telling it has failed.
    pub tries: i64,
}

/// What is proposed to tell of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Telling {
    /// The change it tells.
    pub untold: Untold,
    /// Proposed effects.
    pub effects: Vec<Effect>,
    /// Questions to people about them.
    pub approvals: Vec<NewApproval>,
    /// For the timeline.
    pub events: Vec<TimelineEvent>,
    /// When.
    pub now: Time,
}

impl Store {
    /// Cases that are to be told now, those that wait longest first.
    pub async fn untold(&self, now: Time, limit: i64) -> Result<Vec<Untold>> {
        let found: Vec<(i64, i64, i64)> = sqlx::query_as(
            "SELECT case_id, rev, tries FROM untold_cases WHERE due <= ?1 ORDER BY due, case_id LIMIT max(?2, 0)",
        )
        .bind(micros(now))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let untold = found.into_iter().map(|(case, rev, tries)| Untold {
            case: CaseId(case),
            rev,
            tries,
        });
        Ok(untold.collect())
    }

    /// Nobody is told anything: the outbox is emptied.
    pub async fn nothing_to_tell(&self) -> Result<()> {
        let some: Option<i64> = sqlx::query_scalar("SELECT case_id FROM untold_cases LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        if some.is_none() {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM untold_cases")
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores what is proposed to tell and takes the case out of the outbox, unless it has changed meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Refused`](super::StoreError::Refused) for an effect of another case or one that waits for no question.
    pub async fn tell(&self, telling: &Telling) -> Result<()> {
        let mut tx = self.begin().await?;
        tell(&mut tx, telling).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores the new proposal of an effect that a person wanted again; it is wanted no more.
    ///
    /// # Errors
    /// As [`Store::tell`].
    pub async fn repropose(&self, retried: i64, telling: &Telling) -> Result<()> {
        let mut tx = self.begin().await?;
        tell(&mut tx, telling).await?;
        elicitations::wanted_no_more(&mut tx, retried).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Telling has failed: it is tried again at `due`.
    pub async fn tell_later(&self, untold: Untold, due: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE untold_cases SET tries = tries + 1, due = ?3 WHERE case_id = ?1 AND rev = ?2",
        )
        .bind(untold.case.0)
        .bind(untold.rev)
        .bind(micros(due))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The effects that speak of an alert at its source, in the order in which they were first proposed.
    pub async fn effects_on(&self, alert: AlertId) -> Result<Vec<Effect>> {
        let found = sqlx::query("SELECT * FROM effects WHERE alert_id = ?1 ORDER BY id")
            .bind(alert.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("effects", &found)
    }

    /// Effects that were sent and not read back, and were looked at less than `most` times, the last of them so long
    /// ago: after each look the wait is four times as long.
    pub async fn unproven(&self, now: Time, first: TimeDelta, most: i64) -> Result<Vec<Effect>> {
        let found = sqlx::query(
            "SELECT * FROM effects WHERE proof = 'requested' AND looks < ?2
                 AND (looked IS NULL OR looked + ?3 * (1 << (2 * looks)) <= ?1) ORDER BY id LIMIT 100",
        )
        .bind(micros(now))
        .bind(most)
        .bind(first.num_microseconds().unwrap_or(i64::MAX >> 20))
        .fetch_all(&self.readers)
        .await?;
        rows::all("effects", &found)
    }

    /// Notes that an effect was looked at and not seen.
    pub async fn looked(&self, effect: i64, now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE effects SET looks = looks + 1, looked = ?2 WHERE id = ?1 AND proof = ?3",
        )
        .bind(effect)
        .bind(micros(now))
        .bind(Proof::Requested.as_str())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn tell(db: &mut SqliteConnection, telling: &Telling) -> Result<()> {
    let case = telling.untold.case;
    let proposed = (telling.effects.as_slice(), telling.approvals.as_slice());
    asking::keep(db, case, proposed, telling.now).await?;
    timeline::append_all(db, case, &telling.events).await?;
    sqlx::query("DELETE FROM untold_cases WHERE case_id = ?1 AND rev = ?2")
        .bind(case.0)
        .bind(telling.untold.rev)
        .execute(db)
        .await?;
    Ok(())
}
