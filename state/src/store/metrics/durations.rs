//! Durations between the clock points of an alert, with percentiles by rank; which service level they break is `shares`'.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::{Fields, micros};
use super::{Period, Survey, spread, spread_sql};

/// Every distribution: the rows are group and duration. What is not in scope has no row; what has no end yet is null.
const SPREADS: [&str; 19] = [
    // Times inside an alert are read to the millisecond: an event later by less is no later.
    spread_sql!(
        "ttd",
        "all",
        "SELECT '' AS g, CASE WHEN e > c AND e - c < 1000 THEN 0 ELSE c - e END AS d FROM cohort"
    ),
    spread_sql!(
        "ingest_lag",
        "all",
        "SELECT '' AS g, i - c AS d FROM cohort"
    ),
    spread_sql!(
        "ingest_lag",
        "source",
        "SELECT source AS g, i - c AS d FROM cohort"
    ),
    spread_sql!(
        "tta_machine",
        "all",
        "SELECT '' AS g, s - c AS d FROM cohort"
    ),
    spread_sql!(
        "tta_human",
        "all",
        "SELECT '' AS g, h - x AS d FROM cohort WHERE x IS NOT NULL"
    ),
    spread_sql!(
        "tta_human",
        "severity",
        "SELECT severity AS g, h - x AS d FROM cohort WHERE x IS NOT NULL"
    ),
    spread_sql!(
        "tti",
        "all",
        "SELECT '' AS g, v - s AS d FROM cohort WHERE s IS NOT NULL"
    ),
    spread_sql!(
        "tti",
        "tier",
        "SELECT CAST(tier AS TEXT) AS g, v - s AS d FROM cohort WHERE s IS NOT NULL AND tier IS NOT NULL"
    ),
    spread_sql!(
        "time_to_decision",
        "all",
        "SELECT '' AS g, v - c AS d FROM cohort"
    ),
    spread_sql!(
        "time_to_decision",
        "tier",
        "SELECT CAST(tier AS TEXT) AS g, v - c AS d FROM cohort WHERE tier IS NOT NULL"
    ),
    spread_sql!(
        "time_to_decision",
        "severity",
        "SELECT severity AS g, v - c AS d FROM cohort"
    ),
    spread_sql!(
        "ttc",
        "all",
        "SELECT '' AS g, k - c AS d FROM cohort WHERE final = 'true_positive'"
    ),
    // A true positive that nothing was done about has no response; of another alert none is wanted.
    spread_sql!(
        "time_to_respond",
        "all",
        "SELECT '' AS g, a - c AS d FROM cohort WHERE a IS NOT NULL OR final = 'true_positive'"
    ),
    spread_sql!(
        "time_to_respond",
        "severity",
        "SELECT severity AS g, a - c AS d FROM cohort WHERE a IS NOT NULL OR final = 'true_positive'"
    ),
    spread_sql!("ttr", "all", "SELECT '' AS g, z - c AS d FROM cohort"),
    spread_sql!(
        "ttr",
        "severity",
        "SELECT severity AS g, z - c AS d FROM cohort"
    ),
    spread_sql!(
        "ttr",
        "closed_by",
        "SELECT CASE WHEN touched <= z THEN 'person' ELSE 'daemon' END AS g, z - c AS d FROM cohort WHERE z IS NOT NULL"
    ),
    spread_sql!(
        "ttr",
        "verdict",
        "SELECT final AS g, z - c AS d FROM cohort WHERE final IS NOT NULL"
    ),
    spread_sql!(
        "ttc",
        "severity",
        "SELECT severity AS g, k - c AS d FROM cohort WHERE final = 'true_positive'"
    ),
];

/// Incidents: cases with a true positive, by the earliest of them; one that began in an earlier period was counted there.
/// How an incident began stands with the daemon's last verdict on each alert, to the millisecond.
const DWELL: &str = spread_sql!(
    "dwell",
    "all",
    "SELECT '' AS g, CASE WHEN b > c AND b - c < 1000 THEN 0 ELSE c - b END AS d
     FROM (SELECT q.case_id, min(q.c) AS c, min(CAST(round(unixepoch(v.basis ->> '$.earliest', 'subsec') * 1000) AS INTEGER) * 1000) AS b
           FROM cohort q JOIN clocks k ON k.alert = q.alert LEFT JOIN verdicts v ON v.id = k.machine
           WHERE q.final = 'true_positive' AND q.case_id IS NOT NULL GROUP BY q.case_id) t
     WHERE NOT EXISTS (SELECT 1 FROM alerts a JOIN verdicts w ON w.alert_id = a.id AND w.superseded = 0
                       WHERE a.case_id = t.case_id AND a.time < ?1 AND w.kind = 'true_positive')"
);

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    survey: &mut Survey,
) -> Result<()> {
    let since = micros(period.since);
    for row in &sqlx::query(DWELL).bind(since).fetch_all(&mut *db).await? {
        survey.spreads.push(spread(&Fields::new("metrics", row))?);
    }
    for sql in SPREADS {
        for row in &sqlx::query(sql).fetch_all(&mut *db).await? {
            survey.spreads.push(spread(&Fields::new("metrics", row))?);
        }
    }
    Ok(())
}
