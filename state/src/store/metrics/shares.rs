//! Shares of the period's alerts: rates of verdicts, escalation, coverage, re-opening and broken service levels.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::{Fields, micros};
use super::{Key, Period, Share, Survey};

/// One row a group `g` with `k` and `n` of each share. `?1` is now: what is open past its service level has broken it, what
/// is open and still inside has not been decided and is in no scope.
macro_rules! shares_sql {
    ($group:literal, $scope:literal) => {
        concat!(
            "SELECT ", $group, " AS value,
                 count(*) FILTER (WHERE final = 'true_positive') AS tp,
                 count(*) FILTER (WHERE final = 'benign_positive') AS bp,
                 count(*) FILTER (WHERE final = 'false_positive') AS fp,
                 count(*) FILTER (WHERE machine = 'true_positive') AS machine_tp,
                 count(*) FILTER (WHERE machine = 'benign_positive') AS machine_bp,
                 count(*) FILTER (WHERE machine = 'false_positive') AS machine_fp,
                 count(*) FILTER (WHERE own = 'true_positive') AS human_tp,
                 count(*) FILTER (WHERE own = 'benign_positive') AS human_bp,
                 count(*) FILTER (WHERE own = 'false_positive') AS human_fp,
                 count(*) FILTER (WHERE z IS NOT NULL) AS closed,
                 count(*) FILTER (WHERE z IS NOT NULL AND final = 'undetermined') AS unsure,
                 count(*) FILTER (WHERE z IS NOT NULL AND NOT coalesce(touched <= z, 0)) AS untouched,
                 count(*) FILTER (WHERE s IS NOT NULL) AS triaged,
                 count(*) FILTER (WHERE s IS NOT NULL AND x IS NOT NULL) AS handed,
                 count(*) FILTER (WHERE s IS NOT NULL AND x IS NOT NULL AND asked) AS asked,
                 count(*) FILTER (WHERE tier >= 1) AS tier1,
                 count(*) FILTER (WHERE tier >= 2) AS tier2,
                 count(*) FILTER (WHERE tier >= 3) AS tier3,
                 count(*) FILTER (WHERE z1 + 604800000000 <= ?1 OR r <= z1 + 604800000000) AS ended7,
                 count(*) FILTER (WHERE z1 + 2592000000000 <= ?1 OR r <= z1 + 2592000000000) AS ended30,
                 count(*) FILTER (WHERE r <= z1 + 604800000000) AS again7,
                 count(*) FILTER (WHERE r <= z1 + 2592000000000) AS again30,
                 count(*) FILTER (WHERE x IS NOT NULL AND acknowledge IS NOT NULL
                     AND (h IS NOT NULL OR ?1 - x > acknowledge)) AS tta_scope,
                 count(*) FILTER (WHERE x IS NOT NULL AND coalesce(h, ?1) - x > acknowledge) AS tta_broken,
                 count(*) FILTER (WHERE resolve IS NOT NULL AND (z IS NOT NULL OR ?1 - c > resolve)) AS ttr_scope,
                 count(*) FILTER (WHERE coalesce(z, ?1) - c > resolve) AS ttr_broken
             FROM cohort LEFT JOIN terms USING (severity) WHERE ", $scope, " GROUP BY value ORDER BY value"
        )
    };
}

const SHARES: [(&str, &str); 4] = [
    ("all", shares_sql!("''", "1")),
    ("severity", shares_sql!("severity", "1")),
    ("source", shares_sql!("source", "1")),
    (
        "tier",
        shares_sql!("CAST(tier AS TEXT)", "tier IS NOT NULL"),
    ),
];

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    survey: &mut Survey,
) -> Result<()> {
    for (by, sql) in SHARES {
        let found = sqlx::query(sql)
            .bind(micros(period.as_of))
            .fetch_all(&mut *db)
            .await?;
        for row in &found {
            group(&Fields::new("metrics", row), by, survey)?;
        }
    }
    Ok(())
}

/// The shares of one group.
fn group(row: &Fields<'_>, by: &str, survey: &mut Survey) -> Result<()> {
    let value: String = row.get("value")?;
    let of = |column: &str| -> Result<i64> { row.get(column) };
    let mut put = |metric: &str, k: i64, n: i64| {
        survey.shares.push(Share {
            key: Key {
                metric: metric.to_owned(),
                by: by.to_owned(),
                value: value.clone(),
            },
            k,
            n,
        });
    };
    for who in ["", "machine_", "human_"] {
        let (tp, bp, fp) = (
            of(&format!("{who}tp"))?,
            of(&format!("{who}bp"))?,
            of(&format!("{who}fp"))?,
        );
        let decided = tp + bp + fp;
        put(&format!("{who}tp_rate"), tp, decided);
        put(&format!("{who}bp_rate"), bp, decided);
        put(&format!("{who}fp_rate"), fp, decided);
        put(&format!("{who}noise_rate"), bp + fp, decided);
    }
    let closed = of("closed")?;
    put("undetermined_rate", of("unsure")?, closed);
    put("automation_coverage", of("untouched")?, closed);
    put("escalation_rate", of("handed")?, of("triaged")?);
    put("asked_rate", of("asked")?, of("triaged")?);
    put("tier2_rate", of("tier2")?, of("tier1")?);
    put("tier3_rate", of("tier3")?, of("tier2")?);
    put("reopen_rate_7d", of("again7")?, of("ended7")?);
    put("reopen_rate_30d", of("again30")?, of("ended30")?);
    put("sla_breach_rate_tta", of("tta_broken")?, of("tta_scope")?);
    put("sla_breach_rate_ttr", of("ttr_broken")?, of("ttr_scope")?);
    Ok(())
}
