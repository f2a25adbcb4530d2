//! What the cases of the period have cost: tokens, money, tool calls, and how many of these failed.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::Fields;
use super::{Amount, Key, Period, Share, Survey, key, one_within, within};

/// A case belongs to the period of its first alert, whatever joined later. Tokens that cost nothing have no price.
const SPENT: &str = "SELECT count(*) AS n, CAST(sum(s.tool_calls) AS REAL) AS tool_calls,
        CAST(sum(s.turns) AS REAL) AS model_turns, CAST(sum(s.tokens_in) AS REAL) AS tokens_in,
        CAST(sum(s.tokens_out) AS REAL) AS tokens_out, CAST(CASE WHEN sum(s.usd) = 0 AND sum(s.tokens_in + s.tokens_out) > 0 THEN NULL ELSE sum(s.usd) END AS REAL) AS usd,
        CAST((SELECT count(*) FROM alerts a JOIN cases d ON d.id = a.case_id
              WHERE d.alert_time >= ?1 AND d.alert_time < ?2 AND d.canary = 0) AS REAL) AS alerts
    FROM cases c JOIN case_spent s ON s.case_id = c.id WHERE c.alert_time >= ?1 AND c.alert_time < ?2 AND c.canary = 0";

/// Calls that were sent and ended; what the gate refused was never sent. `unknown` is a failure: nobody knows.
const ERRORS: &str = "WITH t AS (SELECT t.tool, count(*) AS n,
            count(*) FILTER (WHERE t.outcome IN ('tool_error', 'timed_out', 'unavailable', 'unknown')) AS k
        FROM cases c JOIN tool_calls t ON t.case_id = c.id
        WHERE c.alert_time >= ?1 AND c.alert_time < ?2 AND c.canary = 0 AND t.outcome NOT IN ('started', 'denied')
        GROUP BY t.tool)
    SELECT * FROM (SELECT 'tool_error_rate' AS metric, 'all' AS by, '' AS value, coalesce(sum(k), 0) AS k,
        coalesce(sum(n), 0) AS n FROM t)
    UNION ALL
    SELECT * FROM (SELECT 'tool_error_rate' AS metric, 'tool' AS by, tool AS value, k, n FROM t ORDER BY n DESC, tool LIMIT 20)";

const SUMS: [&str; 5] = [
    "tool_calls",
    "model_turns",
    "tokens_in",
    "tokens_out",
    "usd",
];

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    survey: &mut Survey,
) -> Result<()> {
    let row = one_within(db, period, SPENT).await?;
    let row = Fields::new("metrics", &row);
    let (n, alerts): (i64, f64) = (row.get("n")?, row.get("alerts")?);
    for name in SUMS {
        let sum: Option<f64> = row.get(name)?;
        let each = sum.filter(|_| alerts > 0.0).map(|s| s / alerts);
        for (metric, sum) in [
            (format!("cost_{name}"), sum),
            (format!("cost_{name}_per_alert"), each),
        ] {
            let key = Key::whole(&metric);
            survey.amounts.push(Amount { key, sum, n });
        }
    }
    for row in &within(db, period, ERRORS).await? {
        let row = Fields::new("metrics", row);
        survey.shares.push(Share {
            key: key(&row)?,
            k: row.get("k")?,
            n: row.get("n")?,
        });
    }
    Ok(())
}
