//! What the cases of the period have cost: tokens, money, tool calls, and how many of these failed.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::Fields;
use super::{Amount, Key, Period, Share, Survey, key, one_within, within};

/// A case belongs to the period of its first alert, whatever joined later. What its tokens cost is not known where they have
/// no price: such cases are left out of the money.
const SPENT: &str = "WITH w AS (SELECT s.*, (SELECT count(*) FROM alerts a WHERE a.case_id = c.id) AS alerts,
            coalesce(s.usd > 0 OR s.tokens_in + s.tokens_out = 0, 1) AS priced
        FROM cases c LEFT JOIN case_spent s ON s.case_id = c.id
        WHERE c.alert_time >= ?1 AND c.alert_time < ?2 AND c.canary = 0)
    SELECT count(case_id) AS n, count(case_id) FILTER (WHERE priced) AS priced, CAST(sum(tool_calls) AS REAL) AS tool_calls,
        CAST(sum(turns) AS REAL) AS model_turns, CAST(sum(tokens_in) AS REAL) AS tokens_in,
        CAST(sum(tokens_out) AS REAL) AS tokens_out, CAST(sum(usd) FILTER (WHERE priced) AS REAL) AS usd,
        CAST(coalesce(sum(alerts), 0) AS REAL) AS alerts,
        CAST(coalesce(sum(alerts) FILTER (WHERE priced), 0) AS REAL) AS alerts_priced
    FROM w";

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
    for name in SUMS {
        let (n, alerts) = match name {
            "usd" => ("priced", "alerts_priced"),
            _ => ("n", "alerts"),
        };
        let (n, alerts): (i64, f64) = (row.get(n)?, row.get(alerts)?);
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
