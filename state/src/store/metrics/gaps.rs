//! Notes each successful poll, and measures how long a source went without one: a dead poller is no quiet week.

use chrono::TimeDelta;
use sqlx::SqliteConnection;

use super::super::rows::{Fields, micros};
use super::super::{Result, Store};
use super::{Period, Survey};
use crate::model::Time;

/// Stretches that ended longer ago are dropped.
const KEPT: TimeDelta = TimeDelta::days(800);

/// How long a source was not polled.
#[derive(Debug, Clone, PartialEq)]
pub struct PollGap {
    /// The source.
    pub source: String,
    /// Minutes without a successful poll.
    pub minutes: f64,
    /// Minutes of the period in which the source was known.
    pub of: f64,
    /// The longest stretch, minutes.
    pub longest: f64,
    /// How many stretches.
    pub gaps: i64,
}

/// Between two stretches there is a gap; after the last one only when it is longer than that source may take. Before its
/// first poll a source is not known.
const GAPS: &str = "WITH known AS (SELECT source, min(since) AS born FROM poll_spans GROUP BY source),
    edges AS (SELECT source, until AS gone,
            coalesce(lead(since) OVER (PARTITION BY source ORDER BY since, id), CASE WHEN until + within < ?2 THEN ?2 END) AS back
        FROM poll_spans),
    cut AS (SELECT e.source, max(0, min(e.back, ?2) - max(e.gone, ?1)) AS gap FROM edges e WHERE e.back > ?1 AND e.gone < ?2)
    SELECT k.source, max(0, ?2 - max(k.born, ?1)) / 6e7 AS total, coalesce(sum(c.gap), 0) / 6e7 AS minutes,
        coalesce(max(c.gap), 0) / 6e7 AS longest, count(c.gap) FILTER (WHERE c.gap > 0) AS gaps
    FROM known k LEFT JOIN cut c ON c.source = k.source WHERE k.born < ?2 GROUP BY k.source ORDER BY k.source";

impl Store {
    /// Notes a successful poll. It lengthens the stretch of the source when it comes `within` of the last one, and begins a
    /// new stretch otherwise.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn polled(&self, source: &str, within: TimeDelta, now: Time) -> Result<()> {
        let within = within.num_microseconds().unwrap_or(i64::MAX / 4).max(1);
        let mut tx = self.begin().await?;
        let longer = sqlx::query(
            "UPDATE poll_spans SET until = max(until, ?2), within = ?3
             WHERE id = (SELECT max(id) FROM poll_spans WHERE source = ?1) AND since <= ?2 AND until + ?3 >= ?2",
        )
        .bind(source)
        .bind(micros(now))
        .bind(within)
        .execute(&mut *tx)
        .await?;
        if longer.rows_affected() == 0 {
            sqlx::query(
                "INSERT INTO poll_spans (source, since, until, within) VALUES (?1, ?2, ?2, ?3)",
            )
            .bind(source)
            .bind(micros(now))
            .bind(within)
            .execute(&mut *tx)
            .await?;
            sqlx::query("DELETE FROM poll_spans WHERE until < ?1")
                .bind(micros(now - KEPT))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    survey: &mut Survey,
) -> Result<()> {
    let found = sqlx::query(GAPS)
        .bind(micros(period.since))
        .bind(micros(period.end()))
        .fetch_all(db)
        .await?;
    for row in &found {
        let row = Fields::new("poll_spans", row);
        survey.gaps.push(PollGap {
            source: row.get("source")?,
            minutes: row.get("minutes")?,
            of: row.get("total")?,
            longest: row.get("longest")?,
            gaps: row.get("gaps")?,
        });
    }
    Ok(())
}
