//! Rules and what came of their alerts, the noisiest first; what to do about one is suggested elsewhere.

use chrono::TimeDelta;
use sqlx::SqliteConnection;

use super::super::Result;
use super::super::rows::{Fields, micros};
use super::{Period, Survey};
use crate::model::{Time, VerdictReason};

/// Most rules that are listed.
pub(super) const MOST: i64 = 500;
/// How far back the last true positive of a rule is looked for.
const MEMORY: TimeDelta = TimeDelta::days(365);

/// What came of the alerts of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleNoise {
    /// Source.
    pub source: String,
    /// Rule id at the source.
    pub rule: String,
    /// Name, as the source writes it.
    pub title: String,
    /// Alerts.
    pub volume: i64,
    /// Alerts by final verdict: true, benign, false positive.
    pub kinds: (i64, i64, i64),
    /// Minutes of people: what alerts that a person touched cost by the operator's terms.
    pub human_minutes: f64,
    /// Minutes of the daemon, from triage to verdict.
    pub machine_minutes: f64,
    /// The newest true positive of the year before the period's end.
    pub last_tp: Option<Time>,
    /// The daemon's most frequent reason among its harmless alerts, and how many have it.
    pub reason: Option<(VerdictReason, i64)>,
    /// Who acted in most of its harmless alerts, by trusted fields, and in how many. May be attacker-chosen.
    pub principal: Option<(String, i64)>,
}

const RULES: &str = "WITH
    t AS (SELECT source, rule, max(title) AS title, count(*) AS volume,
            count(*) FILTER (WHERE final = 'true_positive') AS tp, count(*) FILTER (WHERE final = 'benign_positive') AS bp,
            count(*) FILTER (WHERE final = 'false_positive') AS fp,
            coalesce(sum(minutes) FILTER (WHERE touched IS NOT NULL), 0.0) AS human_minutes,
            coalesce(sum(v - s) FILTER (WHERE v >= s), 0) / 6e7 AS machine_minutes
        FROM cohort GROUP BY source, rule),
    k AS (SELECT source, rule, reason, n FROM (SELECT source, rule, reason, count(*) AS n,
            row_number() OVER (PARTITION BY source, rule ORDER BY count(*) DESC, reason) AS place
        FROM cohort WHERE final IN ('benign_positive', 'false_positive') AND reason IS NOT NULL GROUP BY source, rule, reason)
        WHERE place = 1),
    real AS (SELECT alert_id FROM verdicts WHERE kind = 'true_positive' AND superseded = 0
        UNION SELECT alert_id FROM feedback WHERE kind = 'true_positive' AND superseded = 0),
    l AS (SELECT a.source, a.rule_id, max(a.time) AS at FROM real r JOIN alerts a ON a.id = r.alert_id
        LEFT JOIN feedback f ON f.alert_id = a.id AND f.superseded = 0
        WHERE coalesce(f.kind, 'true_positive') = 'true_positive' AND a.time >= ?1 AND a.time < ?2
        GROUP BY a.source, a.rule_id)
    SELECT t.*, k.reason, k.n AS reason_n, l.at AS last_tp
    FROM t LEFT JOIN k ON k.source = t.source AND k.rule = t.rule
    LEFT JOIN l ON l.source = t.source AND l.rule_id = t.rule
    ORDER BY t.bp + t.fp DESC, t.volume DESC, t.source, t.rule LIMIT ?3";

/// The principal of most harmless alerts of a rule: whom the alerts themselves name, not whoever else is in their cases.
const PRINCIPAL: &str = "SELECT substr(m.key, instr(m.key, ':') + 1) AS value, count(DISTINCT o.alert) AS n FROM cohort o
    JOIN mentions m ON m.alert_id = o.alert AND m.part = 'user'
    WHERE o.source = ?1 AND o.rule = ?2 AND o.final IN ('benign_positive', 'false_positive')
    GROUP BY m.key ORDER BY n DESC, m.key LIMIT 1";

/// Rules of this many harmless alerts or more are asked for their principal.
const WORTH_ASKING: i64 = 5;
/// Most rules that are asked.
const MOST_ASKED: usize = 50;

pub(super) async fn measure(
    db: &mut SqliteConnection,
    period: &Period,
    survey: &mut Survey,
) -> Result<()> {
    let found = sqlx::query(RULES)
        .bind(micros(period.until - MEMORY))
        .bind(micros(period.until))
        .bind(MOST)
        .fetch_all(&mut *db)
        .await?;
    for row in &found {
        survey.rules.push(rule(&Fields::new("metrics", row))?);
    }
    let first = sqlx::query("SELECT received FROM alerts ORDER BY id LIMIT 1")
        .fetch_optional(&mut *db)
        .await?;
    let first = first.map(|row| Fields::new("alerts", &row).time("received"));
    survey.known_since = first.transpose()?.map(|at| at.max(period.until - MEMORY));
    sqlx::query("CREATE INDEX temp.cohort_by_rule ON cohort (source, rule)")
        .execute(&mut *db)
        .await?;
    let loud = |r: &&mut RuleNoise| r.kinds.1 + r.kinds.2 >= WORTH_ASKING;
    for rule in survey.rules.iter_mut().filter(loud).take(MOST_ASKED) {
        rule.principal = sqlx::query_as(PRINCIPAL)
            .bind(&rule.source)
            .bind(&rule.rule)
            .fetch_optional(&mut *db)
            .await?;
    }
    Ok(())
}

fn rule(row: &Fields<'_>) -> Result<RuleNoise> {
    let reason: Option<VerdictReason> = row.opt_word("reason")?;
    let last: Option<i64> = row.get("last_tp")?;
    Ok(RuleNoise {
        source: row.get("source")?,
        rule: row.get("rule")?,
        title: row.get("title")?,
        volume: row.get("volume")?,
        kinds: (row.get("tp")?, row.get("bp")?, row.get("fp")?),
        human_minutes: row.get("human_minutes")?,
        machine_minutes: row.get("machine_minutes")?,
        last_tp: last.map(|_| row.time("last_tp")).transpose()?,
        reason: reason
            .map(|r| Ok::<_, super::super::StoreError>((r, row.get("reason_n")?)))
            .transpose()?,
        principal: None,
    })
}
