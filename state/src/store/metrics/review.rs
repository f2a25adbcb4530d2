//! The random sample of closes that people check, what they found in it, and the hours the others saved.

use sqlx::SqliteConnection;

use super::super::rows::{Fields, micros};
use super::super::{Result, Store};
use super::{Amount, Key, Period, Share, Survey, Tally, Terms};
use crate::model::{CaseId, Time};

/// Cases drawn in the period, with the people's words in force on their alerts. One word of attack speaks for the case;
/// one that is not harmless overturns the close.
const SAMPLE: &str = "WITH drawn AS (SELECT DISTINCT d.case_id FROM review_draws d JOIN cases c ON c.id = d.case_id
        WHERE d.at >= ?1 AND d.at < ?2 AND c.canary = 0),
    said AS (SELECT d.case_id, count(f.id) AS words,
            coalesce(sum(f.kind = 'true_positive'), 0) AS attacks,
            coalesce(sum(f.kind NOT IN ('benign_positive', 'false_positive', 'duplicate')), 0) AS against
        FROM drawn d LEFT JOIN alerts a ON a.case_id = d.case_id
        LEFT JOIN feedback f ON f.alert_id = a.id AND f.superseded = 0 GROUP BY d.case_id)
    SELECT count(*) AS drawn, count(*) FILTER (WHERE words > 0) AS reviewed,
        count(*) FILTER (WHERE attacks > 0) AS missed, count(*) FILTER (WHERE against > 0) AS overturned FROM said";

/// Closes that no person touched before, with what they would have cost by hand; a rule or severity without a baseline saves
/// nothing and is counted apart.
const SAVED: &str =
    "SELECT count(*) AS n, count(minutes) AS known, coalesce(sum(minutes), 0.0) AS minutes
    FROM cohort WHERE z IS NOT NULL AND NOT coalesce(touched <= z, 0)";

/// People's words on closes that nobody drew: not a random sample. The first close counts: a word of attack opens the case
/// again, and what it overturned is the close before it.
const TOLD: &str = "SELECT count(human) AS told,
        count(*) FILTER (WHERE human NOT IN ('benign_positive', 'false_positive', 'duplicate')) AS told_against
    FROM cohort WHERE z1 IS NOT NULL AND NOT coalesce(touched <= z1, 0)";

impl Store {
    /// Notes that a close was drawn for review.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn draw_for_review(&self, case: CaseId, now: Time) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO review_draws (case_id, at) VALUES (?1, ?2)")
            .bind(case.0)
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    (terms, survey): (&Terms, &mut Survey),
) -> Result<()> {
    let row = sqlx::query(SAMPLE)
        .bind(micros(period.since))
        .bind(micros(period.until))
        .fetch_one(&mut *db)
        .await?;
    let row = Fields::new("metrics", &row);
    let (drawn, reviewed): (i64, i64) = (row.get("drawn")?, row.get("reviewed")?);
    let (missed, overturned): (i64, i64) = (row.get("missed")?, row.get("overturned")?);
    survey.tallies.push(Tally {
        key: whole("review_sample"),
        n: drawn,
    });
    for (metric, k) in [
        ("auto_close_precision", reviewed - overturned),
        ("missed_tp_rate", missed),
    ] {
        survey.shares.push(Share {
            key: whole(metric),
            k,
            n: reviewed,
        });
    }
    survey.shares.push(Share {
        key: whole("review_done"),
        k: reviewed,
        n: drawn,
    });
    let row = sqlx::query(SAVED).fetch_one(&mut *db).await?;
    let row = Fields::new("metrics", &row);
    let (closes, known, minutes): (i64, i64, f64) =
        (row.get("n")?, row.get("known")?, row.get("minutes")?);
    #[allow(
        clippy::cast_precision_loss,
        reason = "a count of reviews is far below 2^52"
    )]
    let reviewing = reviewed as f64 * terms.review_minutes;
    survey.amounts.push(Amount {
        key: whole("analyst_hours_saved"),
        sum: (closes > 0 && known > 0).then_some((minutes - reviewing) / 60.0),
        n: known,
    });
    let row = sqlx::query(TOLD).fetch_one(db).await?;
    let row = Fields::new("metrics", &row);
    let (told, against): (i64, i64) = (row.get("told")?, row.get("told_against")?);
    survey.shares.push(Share {
        key: whole("close_overturned_unsampled"),
        k: against,
        n: told,
    });
    Ok(())
}

fn whole(metric: &str) -> Key {
    Key {
        metric: metric.to_owned(),
        by: "all".to_owned(),
        value: String::new(),
    }
}
