//! Durations between the clock points of an alert, with percentiles by rank; which service level they break is `shares`'.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::Fields;
use super::{Survey, spread, spread_sql};

/// Every distribution: the rows are group and duration. What is not in scope has no row; what has no end yet is null.
const SPREADS: [&str; 17] = [
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

pub(super) async fn measure(db: &mut SqliteConnection, survey: &mut Survey) -> Result<()> {
    for sql in SPREADS {
        for row in &sqlx::query(sql).fetch_all(&mut *db).await? {
            survey.spreads.push(spread(&Fields::new("metrics", row))?);
        }
    }
    Ok(())
}
