//! What was open at the end of the period, and how old it was then.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::{Fields, micros};
use super::{Depth, Period, Survey, Tally, key, spread, spread_sql};
use crate::model::{CaseId, CaseStatus, Time};

/// Most open cases that are named.
const MOST: i64 = 10;

/// A case that was open at the end of the period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenCase {
    /// The case.
    pub case: CaseId,
    /// Its title; may be attacker-written.
    pub title: String,
    /// Where it stands now, which may be closed meanwhile.
    pub status: CaseStatus,
    /// Time of its first alert.
    pub since: Time,
}

/// Open at ?1: its first alert was there, and it was not closed since it was last claimed. A case that is closed and was not touched since is
/// found closed without a look at its timeline.
const LAY_OUT: &str = "INSERT INTO open_cases SELECT c.id, c.alert_time FROM cases c
    WHERE (c.status IN ('new', 'triaging', 'awaiting_approval', 'escalated') OR c.updated >= ?1)
        AND c.canary = 0 AND c.alert_time < ?1
        AND NOT coalesce((SELECT max(t.at) FROM timeline_events t WHERE t.case_id = c.id AND t.kind = 'closed' AND t.at < ?1
                AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')), -1)
            >= coalesce((SELECT max(t.at) FROM timeline_events t WHERE t.case_id = c.id AND t.kind = 'claimed' AND t.at < ?1
                AND t.kind IN ('claimed', 'escalated', 'asked', 'closed', 'effect_carried_out')), 0)";

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    depth: Depth,
    survey: &mut Survey,
) -> Result<()> {
    let end = micros(period.end());
    sqlx::query("CREATE TEMP TABLE open_cases (id INTEGER PRIMARY KEY, since INTEGER)")
        .execute(&mut *db)
        .await?;
    sqlx::query(LAY_OUT).bind(end).execute(&mut *db).await?;
    let row = sqlx::query(
        "SELECT 'backlog' AS metric, 'all' AS by, '' AS value, count(*) AS n FROM open_cases",
    )
    .fetch_one(&mut *db)
    .await?;
    let row = Fields::new("metrics", &row);
    survey.tallies.push(Tally {
        key: key(&row)?,
        n: row.get("n")?,
    });
    let ages = sqlx::query(spread_sql!(
        "backlog_age",
        "all",
        "SELECT '' AS g, ?1 - since AS d FROM open_cases"
    ))
    .bind(end)
    .fetch_all(&mut *db)
    .await?;
    for row in &ages {
        survey.spreads.push(spread(&Fields::new("metrics", row))?);
    }
    if depth == Depth::Figures {
        return Ok(());
    }
    let oldest = sqlx::query(
        "SELECT o.id, o.since, c.title, c.status FROM open_cases o JOIN cases c ON c.id = o.id
         ORDER BY o.since, o.id LIMIT ?1",
    )
    .bind(MOST)
    .fetch_all(db)
    .await?;
    for row in &oldest {
        let row = Fields::new("cases", row);
        survey.oldest.push(OpenCase {
            case: row.case("id")?,
            title: row.get("title")?,
            status: row.word("status")?,
            since: row.time("since")?,
        });
    }
    Ok(())
}
