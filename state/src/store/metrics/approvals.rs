//! Questions that were asked in the period: what became of them, and how long people took.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::Fields;
use super::{Key, Period, Survey, Tally, spread, spread_sql, within};

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
    let mut whole = [0_i64; STATES.len()];
    for row in &within(db, period, COUNTS).await? {
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
        for row in &within(db, period, sql).await? {
            survey.spreads.push(spread(&Fields::new("metrics", row))?);
        }
    }
    Ok(())
}

fn tally(state: &str, of: (&str, &str), n: i64) -> Tally {
    let key = Key::part(&format!("approvals_{state}"), of);
    Tally { key, n }
}
