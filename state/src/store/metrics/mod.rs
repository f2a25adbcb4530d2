//! What happened in a period, counted and measured in SQL over the stored cases; what the figures mean and how they are
//! shown is the daemon's room `metrics`.
//!
//! One survey is one read transaction: the period's alerts with all their clock points are laid out once in a temporary
//! table (`cohort`), every figure is an aggregate over it, and the rollback at the end clears it away. Canaries are left
//! out everywhere. Clock points of an alert: `e` first event, `c` created at its source, `i` ingested, `s` triage started,
//! `v` first machine verdict, `x` handed to a person, `h` first human action after that, `a` first countermeasure sent, `k`
//! contained, `z` closed, `r` worked again after a close. All durations are in microseconds inside, in seconds outside.

mod approvals;
mod backlog;
mod cohort;
mod cost;
mod durations;
mod exports;
mod gaps;
mod lots;
mod noise;
mod review;
mod shares;
mod words;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::rows::{Fields, micros};
use super::{Result, Store};
use crate::model::{Severity, Time, VerdictKind};

pub use backlog::OpenCase;
pub use exports::MetricsExport;
pub use gaps::PollGap;
pub use lots::Lottery;
pub use noise::RuleNoise;

/// The period that is surveyed: alerts created at their source in `since..until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// From, inclusive.
    pub since: Time,
    /// To, exclusive.
    pub until: Time,
    /// What was stored later than this instant is counted too; what is open is judged as of it.
    pub as_of: Time,
}

impl Period {
    /// Where what stood at the end of the period is looked at: its end, or now while it is not over.
    #[must_use]
    pub fn end(&self) -> Time {
        self.until.min(self.as_of)
    }
}

/// What a severity promises and costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeverityTerms {
    /// Seconds in which a person acts on what was handed to one.
    pub acknowledge: Option<f64>,
    /// Seconds in which the case is closed.
    pub resolve: Option<f64>,
    /// Minutes an analyst spends on an alert by hand.
    pub minutes: Option<f64>,
}

/// The operator's terms; a severity without any has no service level and saves nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Terms {
    /// By severity.
    pub severities: Vec<(Severity, SeverityTerms)>,
    /// Minutes by hand for rules by id; they win over the severity's.
    pub rule_minutes: Vec<(String, f64)>,
    /// Minutes a person spends to check one sampled close.
    pub review_minutes: f64,
}

/// Which figure a row is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The metric.
    pub metric: String,
    /// What it is broken down by; `all` for the whole.
    pub by: String,
    /// The value of that; empty for the whole. May be text from outside.
    pub value: String,
}

impl Key {
    /// A metric as a whole.
    #[must_use]
    pub fn whole(metric: &str) -> Self {
        Self::part(metric, ("all", ""))
    }

    /// A part of a metric: what it is broken down by, and the value of that.
    #[must_use]
    pub fn part(metric: &str, (by, value): (&str, &str)) -> Self {
        Self {
            metric: metric.to_owned(),
            by: by.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// A count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Which.
    pub key: Key,
    /// How many.
    pub n: i64,
}

/// A share: `k` of `n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Which.
    pub key: Key,
    /// How many are so.
    pub k: i64,
    /// How many could be.
    pub n: i64,
}

/// A distribution of durations. Percentiles are the nearest rank: the smallest value that so many per cent do not exceed.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Which.
    pub key: Key,
    /// How many were measured.
    pub n: i64,
    /// How many in scope have no such duration, or a negative one.
    pub missing: i64,
    /// Seconds; none when nothing was measured.
    pub p50: Option<f64>,
    /// Seconds.
    pub p90: Option<f64>,
    /// Seconds.
    pub p95: Option<f64>,
    /// Seconds.
    pub mean: Option<f64>,
    /// Seconds.
    pub max: Option<f64>,
}

/// A sum in a unit of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Amount {
    /// Which.
    pub key: Key,
    /// How much; none when there was nothing to sum.
    pub sum: Option<f64>,
    /// Over how many.
    pub n: i64,
}

/// How often the daemon said one thing of an alert and a person another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The daemon's last verdict.
    pub machine: VerdictKind,
    /// The person's last word.
    pub human: VerdictKind,
    /// Alerts.
    pub n: i64,
}

/// Everything measured over a period.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Survey {
    /// Counts.
    pub tallies: Vec<Tally>,
    /// Shares.
    pub shares: Vec<Share>,
    /// Durations.
    pub spreads: Vec<Spread>,
    /// Sums.
    pub amounts: Vec<Amount>,
    /// Machine and person beside each other.
    pub pairs: Vec<Pair>,
    /// Rules, the noisiest first; at most 500.
    pub rules: Vec<RuleNoise>,
    /// How far back the rules' true positives could be seen: the first alert ever received, at most a year.
    pub known_since: Option<Time>,
    /// The oldest open cases at the end of the period.
    pub oldest: Vec<OpenCase>,
    /// Time without a successful poll, by source.
    pub gaps: Vec<PollGap>,
}

/// How much of a survey is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Figures to compare with: no rules, no single cases.
    Figures,
    /// Everything.
    Whole,
}

impl Store {
    /// Measures a period. Memory does not grow with the number of cases.
    ///
    /// # Errors
    /// When the store fails or holds what can't be read.
    pub async fn survey(&self, period: &Period, terms: &Terms, depth: Depth) -> Result<Survey> {
        // Rolled back in every case: the temporary tables go with it.
        let mut tx = self.readers.begin().await?;
        let db = &mut *tx;
        cohort::lay_out(db, period, terms).await?;
        let mut survey = Survey::default();
        words::volume(db, &mut survey).await?;
        words::verdicts(db, &mut survey).await?;
        durations::measure(db, period, &mut survey).await?;
        shares::measure(db, period, &mut survey).await?;
        review::measure(db, period, (terms, &mut survey)).await?;
        backlog::measure(db, period, depth, &mut survey).await?;
        approvals::measure(db, period, &mut survey).await?;
        cost::measure(db, period, &mut survey).await?;
        gaps::measure(db, period, &mut survey).await?;
        if depth == Depth::Whole {
            noise::measure(db, period, &mut survey).await?;
        }
        tx.rollback().await?;
        Ok(survey)
    }
}

/// The rows of a query over the period: `?1` is its first instant, `?2` the first after it.
async fn within(
    db: &mut SqliteConnection,
    period: &Period,
    sql: &'static str,
) -> Result<Vec<SqliteRow>> {
    let query = sqlx::query(sql).bind(micros(period.since));
    Ok(query.bind(micros(period.until)).fetch_all(db).await?)
}

/// The one row of a query over the period, counted whether there is anything or not.
async fn one_within(
    db: &mut SqliteConnection,
    period: &Period,
    sql: &'static str,
) -> Result<SqliteRow> {
    let query = sqlx::query(sql).bind(micros(period.since));
    Ok(query.bind(micros(period.until)).fetch_one(db).await?)
}

fn key(row: &Fields<'_>) -> Result<Key> {
    Ok(Key {
        metric: row.get("metric")?,
        by: row.get("by")?,
        value: row.get("value")?,
    })
}

/// Reads counts: columns `metric`, `by`, `value`, `n`.
async fn tallies(db: &mut SqliteConnection, sql: &'static str, survey: &mut Survey) -> Result<()> {
    for row in &sqlx::query(sql).fetch_all(db).await? {
        let row = Fields::new("metrics", row);
        survey.tallies.push(Tally {
            key: key(&row)?,
            n: row.get("n")?,
        });
    }
    Ok(())
}

/// One distribution: columns as in [`Spread`], durations in microseconds.
fn spread(row: &Fields<'_>) -> Result<Spread> {
    let seconds = |column: &str| -> Result<Option<f64>> {
        let micros: Option<f64> = row.get(column)?;
        Ok(micros.map(|m| m / 1e6))
    };
    Ok(Spread {
        key: key(row)?,
        n: row.get("n")?,
        missing: row.get("missing")?,
        p50: seconds("p50")?,
        p90: seconds("p90")?,
        p95: seconds("p95")?,
        mean: seconds("mean")?,
        max: seconds("max")?,
    })
}

/// The SQL of one distribution over rows `(g, d)`: group and duration in microseconds, null or negative where there is none.
macro_rules! spread_sql {
    ($metric:literal, $by:literal, $rows:expr) => {
        concat!(
            "WITH v AS (", $rows, "),
             t AS (SELECT g, count(*) AS total, count(*) FILTER (WHERE d >= 0) AS n, avg(d) FILTER (WHERE d >= 0) AS mean,
                       max(d) FILTER (WHERE d >= 0) AS most FROM v GROUP BY g),
             o AS (SELECT g, d, row_number() OVER (PARTITION BY g ORDER BY d) AS k FROM v WHERE d >= 0),
             p AS (SELECT o.g, max(CASE WHEN o.k = (t.n * 50 + 99) / 100 THEN o.d END) AS p50,
                       max(CASE WHEN o.k = (t.n * 90 + 99) / 100 THEN o.d END) AS p90,
                       max(CASE WHEN o.k = (t.n * 95 + 99) / 100 THEN o.d END) AS p95
                   FROM o CROSS JOIN t WHERE t.g = o.g
                       AND o.k IN ((t.n * 50 + 99) / 100, (t.n * 90 + 99) / 100, (t.n * 95 + 99) / 100) GROUP BY o.g)
             SELECT '", $metric, "' AS metric, '", $by, "' AS by, t.g AS value, t.n, t.total - t.n AS missing, t.mean,
                 CAST(t.most AS REAL) AS max, CAST(p.p50 AS REAL) AS p50, CAST(p.p90 AS REAL) AS p90, CAST(p.p95 AS REAL) AS p95
             FROM t LEFT JOIN p ON p.g = t.g ORDER BY t.g"
        )
    };
}
use spread_sql;
