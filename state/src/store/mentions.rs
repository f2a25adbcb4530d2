//! What alerts name, for correlation: how many share an entity, and which open cases do; whether a case is joined is the intake's choice.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError};
use crate::model::{Alert, AlertId, Case, Mention, Mentions, Time, VerdictKind};

/// How many an entity joins within a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spread {
    /// The entity.
    pub key: String,
    /// Different actors among the alerts that name it.
    pub actors: u32,
    /// Different machines among the alerts that name it.
    pub places: u32,
}

/// Alerts of this rule by this actor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct RuleBy {
    /// Configured name of the source.
    pub source: String,
    /// Id of the rule there.
    pub rule_id: String,
    /// Key of who or what acted; empty when the alert names nobody.
    pub actor: String,
}

/// An open case that an alert could join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The case.
    pub case: Case,
    /// What it shares with the alerts asked for, sorted.
    pub shared: Vec<Mention>,
    /// Ids of the rules of its alerts, sorted.
    pub rules: Vec<String>,
    /// The worst verdict in force on its alerts.
    pub worst: Option<VerdictKind>,
    /// What a person keeps out of it.
    pub apart: Vec<RuleBy>,
}

impl Store {
    /// Notes what alerts name; what was noted of an alert before stays.
    pub async fn note_mentions(&self, of: &[(&Alert, &Mentions)]) -> Result<()> {
        let mut tx = self.begin().await?;
        for (alert, named) in of {
            note(&mut tx, alert, named).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// How many the entities join among alerts made in `since..=until`; an entity that no alert names is left out.
    pub async fn spread(&self, keys: &[String], since: Time, until: Time) -> Result<Vec<Spread>> {
        let found = sqlx::query(
            "SELECT m.key, count(DISTINCT m.actor) AS actors,
                 count(DISTINCT nullif(m.place, '')) AS places
             FROM json_each(?1) k JOIN mentions m ON m.key = k.value
             WHERE m.at BETWEEN ?2 AND ?3 GROUP BY m.key",
        )
        .bind(json(&keys)?)
        .bind(micros(since))
        .bind(micros(until))
        .fetch_all(&self.readers)
        .await?;
        rows::all("mentions", &found)
    }

    /// Cases not closed, whose first alert lies in `since..=until`, that share one of these entities; oldest first.
    pub async fn candidates(
        &self,
        keys: &[String],
        since: Time,
        until: Time,
    ) -> Result<Vec<Candidate>> {
        let found = sqlx::query(
            "WITH shares AS (
                 SELECT a.case_id, m.part, m.key FROM json_each(?1) k
                 JOIN mentions m ON m.key = k.value JOIN alerts a ON a.id = m.alert_id
                 WHERE a.case_id IS NOT NULL GROUP BY a.case_id, m.part, m.key)
             SELECT c.*,
                 (SELECT json_group_array(json_object('part', s.part, 'key', s.key)) FROM shares s
                  WHERE s.case_id = c.id) AS shared,
                 (SELECT json_group_array(DISTINCT a.rule_id) FROM alerts a WHERE a.case_id = c.id) AS rules,
                 (SELECT v.kind FROM verdicts v WHERE v.case_id = c.id AND v.superseded = 0
                  ORDER BY v.rank DESC LIMIT 1) AS worst,
                 (SELECT json_group_array(json_object('source', p.source, 'rule_id', p.rule_id, 'actor', p.actor))
                  FROM kept_apart p WHERE p.case_id = c.id) AS apart
             FROM cases c
             WHERE c.id IN (SELECT case_id FROM shares)
                 AND c.status <> 'closed' AND c.canary = 0 AND c.alert_time BETWEEN ?2 AND ?3
             ORDER BY c.alert_time, c.id",
        )
        .bind(json(&keys)?)
        .bind(micros(since))
        .bind(micros(until))
        .fetch_all(&self.readers)
        .await?;
        rows::all("cases", &found)
    }
}

async fn note(db: &mut SqliteConnection, alert: &Alert, named: &Mentions) -> Result<()> {
    for mention in &named.all {
        sqlx::query(
            "INSERT INTO mentions (alert_id, part, key, at, actor, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
        )
        .bind(alert.id.0)
        .bind(mention.part.as_str())
        .bind(&mention.key)
        .bind(micros(alert.time))
        .bind(&named.actor)
        .bind(&named.place)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Rule and actor of each alert of a case.
pub(super) async fn rules_by(
    db: &mut SqliteConnection,
    case: crate::model::CaseId,
) -> Result<Vec<(AlertId, RuleBy)>> {
    let found = sqlx::query(
        "SELECT a.id, a.source, a.rule_id,
             coalesce((SELECT m.actor FROM mentions m WHERE m.alert_id = a.id LIMIT 1), '') AS actor
         FROM alerts a WHERE a.case_id = ?1 ORDER BY a.id",
    )
    .bind(case.0)
    .fetch_all(db)
    .await?;
    found
        .iter()
        .map(|row| {
            let row = Fields::new("alerts", row);
            let by = RuleBy {
                source: row.get("source")?,
                rule_id: row.get("rule_id")?,
                actor: row.get("actor")?,
            };
            Ok((row.alert("id")?, by))
        })
        .collect()
}

impl<'r> TryFrom<Fields<'r>> for Spread {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            key: row.get("key")?,
            actors: row.count("actors")?,
            places: row.count("places")?,
        })
    }
}

impl<'r> TryFrom<Fields<'r>> for Candidate {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let mut shared: Vec<Mention> = row.json("shared")?;
        let mut rules: Vec<String> = row.json("rules")?;
        shared.sort_unstable();
        rules.sort_unstable();
        Ok(Self {
            case: Case::try_from(&row)?,
            shared,
            rules,
            worst: row.opt_word("worst")?,
            apart: row.json("apart")?,
        })
    }
}

impl Candidate {
    /// Whether the case is known to hold something real.
    #[must_use]
    pub fn is_incident(&self) -> bool {
        self.worst == Some(VerdictKind::TruePositive)
    }
}
