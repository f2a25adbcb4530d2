//! How many alerts came, and what machine and people said of them, kept apart.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::Fields;
use super::{Pair, Survey, tallies};

/// Alerts, and how they break down; of rules the 100 that fired most.
const VOLUME: [&str; 6] = [
    "SELECT 'alert_volume' AS metric, 'all' AS by, '' AS value, count(*) AS n FROM cohort",
    "SELECT 'alert_volume' AS metric, 'source' AS by, source AS value, count(*) AS n FROM cohort GROUP BY source ORDER BY n DESC, source",
    "SELECT 'alert_volume' AS metric, 'severity' AS by, severity AS value, count(*) AS n FROM cohort GROUP BY severity ORDER BY severity",
    "SELECT 'alert_volume' AS metric, 'rule' AS by, rule AS value, count(*) AS n FROM cohort GROUP BY rule ORDER BY n DESC, rule LIMIT 100",
    "SELECT 'alert_volume' AS metric, 'tier' AS by, CAST(tier AS TEXT) AS value, count(*) AS n FROM cohort
     WHERE tier IS NOT NULL GROUP BY tier ORDER BY tier",
    "SELECT 'case_volume' AS metric, 'all' AS by, '' AS value, count(DISTINCT case_id) AS n FROM cohort",
];

/// The last word of each: the daemon's, the person's, and the one that counts (the person's where there is one).
const VERDICTS: [&str; 3] = [
    "SELECT 'verdicts' AS metric, 'machine' AS by, machine AS value, count(*) AS n FROM cohort WHERE machine IS NOT NULL GROUP BY machine ORDER BY machine",
    "SELECT 'verdicts' AS metric, 'human' AS by, human AS value, count(*) AS n FROM cohort WHERE human IS NOT NULL GROUP BY human ORDER BY human",
    "SELECT 'verdicts' AS metric, 'final' AS by, final AS value, count(*) AS n FROM cohort WHERE final IS NOT NULL GROUP BY final ORDER BY final",
];

pub(super) async fn volume(db: &mut SqliteConnection, survey: &mut Survey) -> Result<()> {
    for sql in VOLUME {
        tallies(db, sql, survey).await?;
    }
    Ok(())
}

pub(super) async fn verdicts(db: &mut SqliteConnection, survey: &mut Survey) -> Result<()> {
    for sql in VERDICTS {
        tallies(db, sql, survey).await?;
    }
    let found = sqlx::query(
        "SELECT machine, own AS human, count(*) AS n FROM cohort WHERE machine IS NOT NULL AND own IS NOT NULL
         GROUP BY machine, own ORDER BY machine, own",
    )
    .fetch_all(db)
    .await?;
    for row in &found {
        let row = Fields::new("metrics", row);
        survey.pairs.push(Pair {
            machine: row.word("machine")?,
            human: row.word("human")?,
            n: row.get("n")?,
        });
    }
    Ok(())
}
