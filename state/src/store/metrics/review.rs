//! The random sample of closes that people check, what they found in it, and the hours the others saved.

use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::{Fields, micros};
use super::{Amount, Key, Period, Share, Survey, Tally, Terms, one_within};

/// Cases drawn in the period, with the people's words in force on their alerts. One word of attack speaks for the case;
/// one that is not harmless overturns the close.
const SAMPLE: &str = "WITH lots AS (SELECT l.case_id, l.drawn FROM review_lots l JOIN cases c ON c.id = l.case_id
        WHERE l.at >= ?1 AND l.at < ?2 AND c.canary = 0),
    drawn AS (SELECT case_id FROM lots WHERE drawn),
    said AS (SELECT d.case_id, count(f.id) AS words,
            coalesce(sum(f.kind = 'true_positive'), 0) AS attacks,
            coalesce(sum(f.kind NOT IN ('benign_positive', 'false_positive', 'duplicate')), 0) AS against
        FROM drawn d LEFT JOIN alerts a ON a.case_id = d.case_id
        LEFT JOIN feedback f ON f.alert_id = a.id AND f.superseded = 0 GROUP BY d.case_id)
    SELECT count(*) AS drawn, (SELECT count(*) FROM lots) AS lots, count(*) FILTER (WHERE words > 0) AS reviewed,
        count(*) FILTER (WHERE attacks > 0) AS missed, count(*) FILTER (WHERE against > 0) AS overturned FROM said";

/// Of the weeks that began in the period and are over: how many cases were wanted, and how many of these were drawn. A week
/// with fewer closes than the least number is held against all of them. `?3` is now.
const FLOOR: &str = "SELECT coalesce(sum(min(drawn, due)), 0) AS k, coalesce(sum(due), 0) AS n
    FROM (SELECT sum(l.drawn) AS drawn, min(max(l.least), count(*)) AS due FROM review_lots l JOIN cases c ON c.id = l.case_id
        WHERE l.week >= ?1 AND l.week < ?2 AND l.week + 604800000000 <= ?3 AND c.canary = 0 GROUP BY l.week)";

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

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    (terms, survey): (&Terms, &mut Survey),
) -> Result<()> {
    let reviewed = sample(db, period, survey).await?;
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
        key: Key::whole("analyst_hours_saved"),
        sum: (closes > 0 && known > 0).then_some((minutes - reviewing) / 60.0),
        n: known,
    });
    let row = sqlx::query(TOLD).fetch_one(db).await?;
    let row = Fields::new("metrics", &row);
    let (told, against): (i64, i64) = (row.get("told")?, row.get("told_against")?);
    survey.shares.push(Share {
        key: Key::whole("close_overturned_unsampled"),
        k: against,
        n: told,
    });
    Ok(())
}

/// What was drawn, whether enough, and what people found in it; gives how many cases they have reviewed.
async fn sample(db: &mut SqliteConnection, period: &Period, survey: &mut Survey) -> Result<i64> {
    let row = one_within(db, period, SAMPLE).await?;
    let row = Fields::new("metrics", &row);
    let (drawn, lots): (i64, i64) = (row.get("drawn")?, row.get("lots")?);
    let (reviewed, missed): (i64, i64) = (row.get("reviewed")?, row.get("missed")?);
    let overturned: i64 = row.get("overturned")?;
    let row = sqlx::query(FLOOR)
        .bind(micros(period.since))
        .bind(micros(period.until))
        .bind(micros(period.as_of))
        .fetch_one(&mut *db)
        .await?;
    let row = Fields::new("metrics", &row);
    survey.tallies.push(Tally {
        key: Key::whole("review_sample"),
        n: drawn,
    });
    for (metric, k, n) in [
        ("review_share", drawn, lots),
        ("review_floor", row.get("k")?, row.get("n")?),
        ("review_done", reviewed, drawn),
        ("auto_close_precision", reviewed - overturned, reviewed),
        ("missed_tp_rate", missed, reviewed),
    ] {
        let key = Key::whole(metric);
        survey.shares.push(Share { key, k, n });
    }
    Ok(reviewed)
}
