//! Which periods were exported on schedule; append-only.

use super::super::rows::{self, Fields, micros};
use super::super::{Result, Store, StoreError};
use crate::model::Time;

/// A period that was exported on schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricsExport {
    /// Its name, such as `2026-W47`.
    pub period: String,
    /// From, inclusive.
    pub since: Time,
    /// To, exclusive.
    pub until: Time,
    /// Where the files are.
    pub dir: String,
    /// When.
    pub at: Time,
}

impl Store {
    /// Notes an export.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn add_metrics_export(&self, made: &MetricsExport) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO metrics_exports (period, since, until, dir, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(&made.period)
        .bind(micros(made.since))
        .bind(micros(made.until))
        .bind(&made.dir)
        .bind(micros(made.at))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// When the first alert ever was stored; none while there is none.
    pub async fn first_received(&self) -> Result<Option<Time>> {
        let found = sqlx::query("SELECT id, received FROM alerts ORDER BY id LIMIT 1")
            .fetch_optional(&self.readers)
            .await?;
        found
            .map(|row| Fields::new("alerts", &row).time("received"))
            .transpose()
    }

    /// The newest exports, newest first.
    pub async fn metrics_exports(&self, limit: i64) -> Result<Vec<MetricsExport>> {
        let found = sqlx::query("SELECT * FROM metrics_exports ORDER BY id DESC LIMIT max(?1, 0)")
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows::all("metrics_exports", &found)
    }
}

impl<'r> TryFrom<Fields<'r>> for MetricsExport {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            period: row.get("period")?,
            since: row.time("since")?,
            until: row.time("until")?,
            dir: row.get("dir")?,
            at: row.time("at")?,
        })
    }
}
