//! What the daemon did with each case, append-only; it changes no status.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError};
use crate::model::{CaseId, TimelineEvent};

impl Store {
    /// Appends events in the given order, each to the timeline of its case.
    pub async fn add_events(&self, events: Vec<TimelineEvent>) -> Result<()> {
        let mut tx = self.begin().await?;
        for event in &events {
            append(&mut tx, event.case, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The timeline of a case, in order.
    pub async fn timeline(&self, case: CaseId) -> Result<Vec<TimelineEvent>> {
        let found = sqlx::query("SELECT * FROM timeline_events WHERE case_id = ?1 ORDER BY seq")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("timeline_events", &found)
    }
}

/// Appends events to one case, whatever case they name.
pub(super) async fn append_all(
    db: &mut SqliteConnection,
    case: CaseId,
    events: &[TimelineEvent],
) -> Result<()> {
    for event in events {
        append(db, case, event).await?;
    }
    Ok(())
}

pub(super) async fn append(
    db: &mut SqliteConnection,
    case: CaseId,
    event: &TimelineEvent,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO timeline_events (case_id, seq, at, actor, kind, message, data)
         VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM timeline_events WHERE case_id = ?1), ?2, ?3, ?4, ?5, ?6)",
    )
    .bind(case.0)
    .bind(micros(event.at))
    .bind(&event.actor)
    .bind(event.kind.as_str())
    .bind(&event.message)
    .bind(json(&event.data)?)
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for TimelineEvent {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            case: row.case("case_id")?,
            seq: row.get("seq")?,
            at: row.time("at")?,
            actor: row.get("actor")?,
            kind: row.word("kind")?,
            message: row.get("message")?,
            data: row.json("data")?,
        })
    }
}
