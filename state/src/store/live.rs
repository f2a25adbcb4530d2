//! What stands open at this moment, for who watches the daemon; read-only, and cheap enough to be asked every few seconds.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

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
    /// When the newest canary passed; while none has, when the first was sent.
    pub canary: Option<Time>,
    /// What is to be told each way and is not; a way of which nothing waits and nothing failed is not there.
    pub posts: Vec<WayPosts>,
}

/// What one way to people has not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WayPosts {
    /// Name of the notifier.
    pub way: String,
    /// Posts that are to be sent.
    pub unsent: i64,
    /// Since when the oldest of them waits: from when it was made, or from when what people see was outdated or tried anew by
    /// hand. Of a later form that has failed and is of no event of a case, from when the first form was seen: too long
    /// rather than too short.
    pub oldest: Option<Time>,
    /// Posts that were refused for good, among the newest 10,000 of all ways: no index leads to them.
    pub failed: i64,
}

/// Posts among which those that were refused are counted.
const NEWEST: i64 = 10_000;

impl Store {
    /// What stands open now.
    pub async fn live(&self) -> Result<Live> {
        let mut live = Live {
            dead_letters: self.dead_letter_count().await?,
            posts: self.untold_posts().await?,
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
                 coalesce(
                     (SELECT judged FROM canary_runs WHERE state = 'escalated' ORDER BY id DESC LIMIT 1),
                     (SELECT at FROM canary_runs ORDER BY id LIMIT 1)) AS canary",
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

    /// What each way has not told. What is due stands in an index of its own; what was refused is looked for row by row, and
    /// not back to the beginning.
    async fn untold_posts(&self) -> Result<Vec<WayPosts>> {
        let mut ways: BTreeMap<String, WayPosts> = BTreeMap::new();
        let due = sqlx::query(
            "SELECT notifier, count(*) AS n, min(CASE
                 WHEN first_sent IS NULL THEN created
                 WHEN attempts = 0 THEN next
                 ELSE max(first_sent, coalesce((SELECT t.at FROM timeline_events t
                      WHERE t.case_id = p.case_id AND t.seq = p.seq), first_sent)) END) AS oldest
             FROM posts p WHERE state = 'due' GROUP BY notifier",
        );
        for row in due.fetch_all(&self.readers).await? {
            let way = way(&mut ways, &row)?;
            way.unsent = row.try_get("n")?;
            way.oldest = time(row.try_get("oldest")?);
        }
        let failed = sqlx::query(
            "SELECT notifier, count(*) AS n FROM posts
             WHERE id > (SELECT max(id) FROM posts) - ?1 AND state = 'failed' GROUP BY +notifier",
        );
        for row in failed.bind(NEWEST).fetch_all(&self.readers).await? {
            way(&mut ways, &row)?.failed = row.try_get("n")?;
        }
        Ok(ways.into_values().collect())
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

fn way<'w>(ways: &'w mut BTreeMap<String, WayPosts>, row: &SqliteRow) -> Result<&'w mut WayPosts> {
    let name: String = row.try_get("notifier")?;
    let way = ways.entry(name.clone()).or_default();
    way.way = name;
    Ok(way)
}

fn time(micros: Option<i64>) -> Option<Time> {
    micros.and_then(chrono::DateTime::from_timestamp_micros)
}
