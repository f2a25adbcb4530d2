//! Notes each successful poll, and measures how long a source went without one: a dead poller is no quiet week.

use chrono::TimeDelta;
use sqlx::SqliteConnection;

use super::super::rows::{Fields, json, micros};
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

/// While a source is configured there is a gap before its first stretch, between two, and after the last one, when it is
/// longer than the source may take. One that never answered is a gap as a whole.
const GAPS: &str = "WITH known AS (SELECT source, max(since, ?1) AS born, min(coalesce(until, ?2), ?2) AS gone, since, until, within
        FROM polled_sources WHERE since < ?2 AND coalesce(until, ?2) > ?1),
    edges AS (SELECT source, until AS gone, within,
            coalesce(lead(since) OVER (PARTITION BY source ORDER BY since, id), ?2) AS back FROM poll_spans
        UNION ALL
        SELECT source, 0, NULL, min(since) FROM poll_spans GROUP BY source
        UNION ALL
        SELECT DISTINCT source, 0, NULL, ?2 FROM polled_sources WHERE source NOT IN (SELECT source FROM poll_spans)),
    cut AS (SELECT k.source, min(e.back, k.gone) - max(e.gone, k.born) AS gap FROM known k JOIN edges e ON e.source = k.source
        WHERE min(e.back, k.gone) > max(e.gone, k.born)
            AND min(e.back, coalesce(k.until, e.back)) - max(e.gone, k.since) > coalesce(e.within, k.within)),
    summed AS (SELECT source, sum(gap) AS gap, max(gap) AS longest, count(*) AS gaps FROM cut GROUP BY source)
    SELECT k.source, sum(k.gone - k.born) / 6e7 AS total, coalesce(s.gap, 0) / 6e7 AS minutes,
        coalesce(s.longest, 0) / 6e7 AS longest, coalesce(s.gaps, 0) AS gaps
    FROM known k LEFT JOIN summed s ON s.source = k.source GROUP BY k.source ORDER BY k.source";

impl Store {
    /// Notes which sources are configured to be polled, each with how long it may go without: from the first time on it is
    /// known, until a time it is not configured any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn know_sources(&self, all: &[(String, TimeDelta)], now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        sqlx::query(
            "UPDATE polled_sources SET until = max(since, ?2)
             WHERE until IS NULL AND source NOT IN (SELECT value FROM json_each(?1))",
        )
        .bind(json(&names)?)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        for (name, within) in all {
            know(&mut tx, name, allowed(*within), now).await?;
            sqlx::query(
                "UPDATE polled_sources SET within = ?2 WHERE source = ?1 AND until IS NULL",
            )
            .bind(name)
            .bind(allowed(*within))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes a successful poll. It lengthens the stretch of the source when it comes `within` of the last one, and begins a
    /// new stretch otherwise.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn polled(&self, source: &str, within: TimeDelta, now: Time) -> Result<()> {
        let within = allowed(within);
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
            know(&mut tx, source, within, now).await?;
            sqlx::query("DELETE FROM poll_spans WHERE until < ?1")
                .bind(micros(now - KEPT))
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

fn allowed(within: TimeDelta) -> i64 {
    within.num_microseconds().unwrap_or(i64::MAX / 4).max(1)
}

/// From now on the source is known, if it is not yet.
async fn know(db: &mut SqliteConnection, source: &str, within: i64, now: Time) -> Result<()> {
    sqlx::query(
        "INSERT INTO polled_sources (source, since, within)
         SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM polled_sources WHERE source = ?1 AND until IS NULL)",
    )
    .bind(source)
    .bind(micros(now))
    .bind(within)
    .execute(db)
    .await?;
    Ok(())
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
