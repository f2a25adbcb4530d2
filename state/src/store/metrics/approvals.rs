//! Questions that were asked in the period: what became of them, and how long people took.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::{Fields, micros};
use super::{Key, Period, Survey, Tally, spread, spread_sql};

const COUNTS: &str = "SELECT CASE p.action WHEN 'close' THEN 'close' ELSE 'effect' END AS value, count(*) AS requested,
        count(*) FILTER (WHERE p.state IN ('approved', 'used') OR (p.state = 'expired' AND p.answered_by IS NOT NULL)) AS approved,
        count(*) FILTER (WHERE p.state = 'denied') AS denied,
        count(*) FILTER (WHERE p.state = 'expired' AND p.answered_by IS NULL AND p.answered_at >= p.expires) AS expired,
        count(*) FILTER (WHERE p.state = 'expired' AND p.answered_by IS NULL AND p.answered_at < p.expires) AS lapsed,
        count(*) FILTER (WHERE p.state = 'pending') AS pending
    FROM approvals p JOIN cases c ON c.id = p.case_id
    WHERE p.asked >= ?1 AND p.asked < ?2 AND c.canary = 0 GROUP BY value ORDER BY value";

const LATENCIES: [&str; 2] = [
    spread_sql!(
        "approval_latency",
        "all",
        "SELECT '' AS g, p.answered_at - p.asked AS d FROM approvals p JOIN cases c ON c.id = p.case_id
         WHERE p.asked >= ?1 AND p.asked < ?2 AND c.canary = 0 AND p.answered_by IS NOT NULL"
    ),
    spread_sql!(
        "approval_latency",
        "action",
        "SELECT CASE p.action WHEN 'close' THEN 'close' ELSE 'effect' END AS g, p.answered_at - p.asked AS d
         FROM approvals p JOIN cases c ON c.id = p.case_id
         WHERE p.asked >= ?1 AND p.asked < ?2 AND c.canary = 0 AND p.answered_by IS NOT NULL"
    ),
];

const STATES: [&str; 6] = [
    "requested",
    "approved",
    "denied",
    "expired",
    "lapsed",
    "pending",
];

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    survey: &mut Survey,
) -> Result<()> {
    let (since, until) = (micros(period.since), micros(period.until));
    let found = sqlx::query(COUNTS)
        .bind(since)
        .bind(until)
        .fetch_all(&mut *db)
        .await?;
    let mut whole = [0_i64; STATES.len()];
    for row in &found {
        let row = Fields::new("metrics", row);
        let action: String = row.get("value")?;
        for (sum, state) in whole.iter_mut().zip(STATES) {
            let n: i64 = row.get(state)?;
            *sum += n;
            survey.tallies.push(tally(state, ("action", &action), n));
        }
    }
    for (n, state) in whole.into_iter().zip(STATES) {
        survey.tallies.push(tally(state, ("all", ""), n));
    }
    for sql in LATENCIES {
        let found = sqlx::query(sql)
            .bind(since)
            .bind(until)
            .fetch_all(&mut *db)
            .await?;
        for row in &found {
            survey.spreads.push(spread(&Fields::new("metrics", row))?);
        }
    }
    Ok(())
}

fn tally(state: &str, (by, value): (&str, &str), n: i64) -> Tally {
    Tally {
        key: Key {
            metric: format!("approvals_{state}"),
            by: by.to_owned(),
            value: value.to_owned(),
        },
        n,
    }
}
