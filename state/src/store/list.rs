//! Cases as people list and count them; read-only.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use sqlx::sqlite::SqlitePool;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError};
use crate::model::{CANARY_SOURCE, Case, CaseStatus, Outcome, Tier, Time, VerdictKind};

/// Whether canaries are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Canaries {
    /// They are left out.
    #[default]
    Without,
    /// They stand among the others.
    With,
    /// Nothing but canaries.
    Only,
}

/// Which cases to list; what is not set does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseFilter {
    /// Where the case stands.
    pub status: Option<CaseStatus>,
    /// What was done with it.
    pub outcome: Option<Outcome>,
    /// The worst verdict in force on its alerts.
    pub verdict: Option<VerdictKind>,
    /// Id or name of the rule of one of its alerts.
    pub rule: Option<String>,
    /// An entity of it, in any spelling of upper and lower case.
    pub entity: Option<String>,
    /// First alert at or after this.
    pub since: Option<Time>,
    /// First alert before this.
    pub until: Option<Time>,
    /// At most so many.
    pub limit: Option<i64>,
    /// Canaries among them.
    pub canaries: Canaries,
}

/// One case as a line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseLine {
    /// The case.
    pub case: Case,
    /// Name of the rule of its first alert.
    pub rule: String,
    /// Who acted, as the product writes it; empty when nobody is named. May be attacker-written.
    pub principal: String,
    /// The worst verdict in force.
    pub verdict: Option<VerdictKind>,
    /// Confidence of that verdict, 0 to 100.
    pub confidence: Option<i64>,
    /// Tier that gave it.
    pub tier: Option<Tier>,
    /// How many alerts it holds.
    pub alerts: i64,
}

/// How much of everything there is, canaries left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Alerts.
    pub alerts: i64,
    /// Letters nobody could read as alerts.
    pub dead_letters: i64,
    /// Cases by status; a status no case has is absent.
    pub cases: BTreeMap<CaseStatus, i64>,
    /// Alerts by the verdict in force.
    pub verdicts: BTreeMap<VerdictKind, i64>,
    /// Cases by outcome.
    pub outcomes: BTreeMap<Outcome, i64>,
}

impl Store {
    /// Cases that fit the filter, the newest first alert first.
    pub async fn list_cases(&self, filter: CaseFilter) -> Result<Vec<CaseLine>> {
        let found = sqlx::query(
            "SELECT c.*, v.kind AS verdict, v.confidence AS confidence, v.tier AS tier,
                 coalesce((SELECT a.rule_name FROM alerts a WHERE a.case_id = c.id ORDER BY a.time, a.id LIMIT 1), '') AS rule,
                 coalesce((SELECT e.value FROM case_entities e WHERE e.case_id = c.id AND e.role = 'principal'
                           ORDER BY e.trust = 'untrusted', e.kind <> 'user', e.key LIMIT 1), '') AS principal,
                 (SELECT count(*) FROM alerts a WHERE a.case_id = c.id) AS alerts
             FROM cases c
             LEFT JOIN verdicts v ON v.id = (
                 SELECT w.id FROM verdicts w WHERE w.case_id = c.id AND w.superseded = 0
                 ORDER BY w.rank DESC, w.confidence DESC, w.id LIMIT 1)
             WHERE (?1 IS NULL OR c.status = ?1) AND (?2 IS NULL OR c.outcome = ?2) AND (?3 IS NULL OR v.kind = ?3)
                 AND (?4 IS NULL OR EXISTS (SELECT 1 FROM alerts a WHERE a.case_id = c.id AND ?4 IN (a.rule_id, a.rule_name)))
                 AND (?5 IS NULL OR c.id IN (SELECT case_id FROM case_entities WHERE key = ?5))
                 AND (?6 IS NULL OR c.alert_time >= ?6) AND (?7 IS NULL OR c.alert_time < ?7) AND (?9 IS NULL OR c.canary = ?9)
             ORDER BY c.alert_time DESC, c.id DESC LIMIT coalesce(max(?8, 0), -1)",
        )
        .bind(filter.status.map(CaseStatus::as_str))
        .bind(filter.outcome.map(Outcome::as_str))
        .bind(filter.verdict.map(VerdictKind::as_str))
        .bind(filter.rule)
        .bind(filter.entity.map(|e| e.trim().to_lowercase()))
        .bind(filter.since.map(micros))
        .bind(filter.until.map(micros))
        .bind(filter.limit)
        .bind(match filter.canaries {
            Canaries::Without => Some(false),
            Canaries::With => None,
            Canaries::Only => Some(true),
        })
        .fetch_all(&self.readers)
        .await?;
        rows::all("cases", &found)
    }

    /// How much of everything there is, canaries left out.
    pub async fn counts(&self) -> Result<Counts> {
        let alerts = sqlx::query_scalar("SELECT count(*) FROM alerts WHERE source <> ?1")
            .bind(CANARY_SOURCE)
            .fetch_one(&self.readers)
            .await?;
        Ok(Counts {
            alerts,
            dead_letters: self.dead_letter_count().await?,
            cases: tally(
                &self.readers,
                "SELECT status AS word, count(*) AS n FROM cases WHERE canary = 0 GROUP BY status",
            )
            .await?,
            verdicts: tally(
                &self.readers,
                "SELECT v.kind AS word, count(*) AS n FROM verdicts v JOIN cases c ON c.id = v.case_id
                 WHERE v.superseded = 0 AND c.canary = 0 GROUP BY v.kind",
            )
            .await?,
            outcomes: tally(
                &self.readers,
                "SELECT outcome AS word, count(*) AS n FROM cases WHERE outcome IS NOT NULL AND canary = 0 GROUP BY outcome",
            )
            .await?,
        })
    }
}

async fn tally<T>(pool: &SqlitePool, sql: &'static str) -> Result<BTreeMap<T, i64>>
where
    T: FromStr<Err: Display> + Ord,
{
    sqlx::query(sql)
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| {
            let row = Fields::new("counts", row);
            Ok((row.word("word")?, row.get("n")?))
        })
        .collect()
}

impl<'r> TryFrom<Fields<'r>> for CaseLine {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let verdict: Option<VerdictKind> = row.opt_word("verdict")?;
        Ok(Self {
            case: Case::try_from(&row)?,
            rule: row.get("rule")?,
            principal: row.get("principal")?,
            verdict,
            confidence: row.get("confidence")?,
            tier: verdict.map(|_| row.tier("tier")).transpose()?,
            alerts: row.get("alerts")?,
        })
    }
}
