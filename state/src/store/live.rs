//! What stands open at this moment, for who watches the daemon; read-only, and cheap enough to be asked every few seconds.

use sqlx::Row;

use super::{Result, Store};
use crate::model::{CANARY_SOURCE, CaseStatus, Time};

/// What stands open, canaries left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Live {
    /// Open cases by status; every status but `closed` is there.
    pub cases: Vec<(CaseStatus, i64)>,
    /// Alerts that have no verdict yet: in no case, or in one that waits for work or is worked.
    pub alerts: i64,
    /// When the oldest case that waits for work or is worked was opened.
    pub oldest: Option<Time>,
    /// Questions that wait for a person.
    pub approvals: i64,
    /// Closes the daemon made alone, ever.
    pub closes: i64,
    /// Closes that a person confirmed, ever.
    pub confirmed: i64,
    /// Alerts nobody could read, ever.
    pub dead_letters: i64,
    /// When the newest canary passed.
    pub canary: Option<Time>,
}

impl Store {
    /// What stands open now.
    pub async fn live(&self) -> Result<Live> {
        let mut live = Live {
            dead_letters: self.dead_letter_count().await?,
            ..Live::default()
        };
        for status in CaseStatus::ALL {
            if *status == CaseStatus::Closed {
                continue;
            }
            let n =
                sqlx::query_scalar("SELECT count(*) FROM cases WHERE status = ?1 AND canary = 0")
                    .bind(status.as_str())
                    .fetch_one(&self.readers)
                    .await?;
            live.cases.push((*status, n));
        }
        let row = sqlx::query(
            "SELECT
                 (SELECT count(*) FROM alerts WHERE case_id IS NULL AND source <> ?1)
                 + (SELECT count(*) FROM cases c CROSS JOIN alerts a ON a.case_id = c.id
                    WHERE c.status IN ('new', 'triaging') AND c.canary = 0) AS alerts,
                 (SELECT min(opened) FROM cases WHERE status IN ('new', 'triaging') AND canary = 0) AS oldest,
                 (SELECT count(*) FROM approvals p JOIN cases c ON c.id = p.case_id
                  WHERE p.state = 'pending' AND c.canary = 0) AS approvals,
                 (SELECT count(*) FROM unattended_closes u JOIN cases c ON c.id = u.case_id
                  WHERE c.canary = 0) AS closes,
                 (SELECT count(*) FROM approvals p JOIN cases c ON c.id = p.case_id
                  WHERE p.state = 'used' AND p.action = 'close' AND c.canary = 0) AS confirmed,
                 (SELECT max(judged) FROM (SELECT judged FROM canary_runs WHERE state = 'escalated'
                                           ORDER BY id DESC LIMIT 1)) AS canary",
        )
        .bind(CANARY_SOURCE)
        .fetch_one(&self.readers)
        .await?;
        live.alerts = row.try_get("alerts")?;
        live.oldest = time(row.try_get("oldest")?);
        live.approvals = row.try_get("approvals")?;
        live.closes = row.try_get("closes")?;
        live.confirmed = row.try_get("confirmed")?;
        live.canary = time(row.try_get("canary")?);
        Ok(live)
    }

    /// Whether the store takes a write now and its schema is the one of this program. Nothing is left behind.
    ///
    /// # Errors
    /// `StoreError::Unsupported` when the schema is another one, or the database's own: then nothing can be stored.
    pub async fn writable(&self) -> Result<()> {
        self.migrated().await?;
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO cursors (source, position, updated) VALUES ('', 'null', 0)")
            .execute(&mut *tx)
            .await?;
        tx.rollback().await?;
        Ok(())
    }
}

fn time(micros: Option<i64>) -> Option<Time> {
    micros.and_then(chrono::DateTime::from_timestamp_micros)
}
