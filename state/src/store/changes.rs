//! What has changed since somebody looked last, found by numbers that only grow and stand for what is never rewritten; what follows from it is the daemon's.

use super::rows::Fields;
use super::{Result, Store};
use crate::model::CaseId;

/// How far somebody has looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    /// Events on all timelines, by the number of their row.
    events: i64,
    /// Entries of the audit log.
    audit: i64,
}

/// What has come since a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// How far it goes: the next look begins there.
    pub to: Mark,
    /// Cases with new events.
    pub cases: Vec<CaseId>,
    /// Batches that somebody took apart.
    pub apart: Vec<i64>,
}

impl Store {
    /// How far the store has come.
    pub async fn mark(&self) -> Result<Mark> {
        let found = sqlx::query(
            "SELECT (SELECT coalesce(max(rowid), 0) FROM timeline_events) AS events,
                    (SELECT seq FROM audit_head) AS audit",
        )
        .fetch_one(&self.readers)
        .await?;
        let row = Fields::new("timeline_events", &found);
        Ok(Mark {
            events: row.get("events")?,
            audit: row.get("audit")?,
        })
    }

    /// What has come since then. It costs as much as there is of it.
    pub async fn changes(&self, since: Mark) -> Result<Changes> {
        let to = self.mark().await?;
        let mut changes = Changes {
            to,
            cases: Vec::new(),
            apart: Vec::new(),
        };
        if to.events != since.events {
            let cases = sqlx::query_scalar(
                "SELECT DISTINCT case_id FROM timeline_events WHERE rowid > ?1 AND rowid <= ?2",
            )
            .bind(since.events)
            .bind(to.events)
            .fetch_all(&self.readers)
            .await?;
            changes.cases = cases.into_iter().map(CaseId).collect();
        }
        if to.audit != since.audit {
            changes.apart = sqlx::query_scalar(
                "SELECT DISTINCT CAST(entry ->> '$.batch' AS INTEGER) FROM audit_log
                 WHERE seq > ?1 AND seq <= ?2 AND entry ->> '$.kind' = 'batch'
                   AND entry ->> '$.decision' IS NULL",
            )
            .bind(since.audit)
            .bind(to.audit)
            .fetch_all(&self.readers)
            .await?;
        }
        Ok(changes)
    }
}
