//! Kept answers about entities, and the cases that speak against them; asking and reading them is the rooms'.

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError};
use crate::model::{
    Alert, Baseline, BaselineAnswer, BaselineOf, CANARY_SOURCE, CaseStatus, Suspect, Time,
};

/// A whole answer and of what it is.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBaseline {
    /// What it is about.
    pub of: BaselineOf,
    /// Tool and dialect that it is of.
    pub asked_of: String,
    /// The answer.
    pub answer: BaselineAnswer,
}

impl Store {
    /// Keeps a whole answer in the place of the one before.
    pub async fn keep_baseline(&self, new: &NewBaseline) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO baselines (query, value, asked_of, since, until, computed, answered, tried, stale)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?6, NULL)
             ON CONFLICT (query, value) DO UPDATE SET asked_of = excluded.asked_of, since = excluded.since,
                 until = excluded.until, computed = excluded.computed, answered = excluded.answered, tried = excluded.tried,
                 stale = NULL",
        )
        .bind(&new.of.query)
        .bind(&new.of.value)
        .bind(&new.asked_of)
        .bind(micros(new.answer.since))
        .bind(micros(new.answer.until))
        .bind(micros(new.answer.computed))
        .bind(json(&new.answer.rows)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Notes that asking brought no whole answer; the one before stays.
    pub async fn mark_baseline_stale(
        &self,
        of: &BaselineOf,
        (asked_of, why): (&str, &str),
        now: Time,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO baselines (query, value, asked_of, tried, stale) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (query, value) DO UPDATE SET tried = excluded.tried, stale = excluded.stale",
        )
        .bind(&of.query)
        .bind(&of.value)
        .bind(asked_of)
        .bind(micros(now))
        .bind(why)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What is kept about one question.
    pub async fn baseline(&self, of: &BaselineOf) -> Result<Option<Baseline>> {
        let found = sqlx::query("SELECT * FROM baselines WHERE query = ?1 AND value = ?2")
            .bind(&of.query)
            .bind(&of.value)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("baselines", found.as_ref())
    }

    /// Everything that is kept, by value; about one value, letter case aside, when it is named.
    pub async fn baselines(&self, value: Option<&str>) -> Result<Vec<Baseline>> {
        let found = sqlx::query(
            "SELECT * FROM baselines WHERE ?1 IS NULL OR lower(value) = lower(?1) ORDER BY value, query",
        )
        .bind(value)
        .fetch_all(&self.readers)
        .await?;
        rows::all("baselines", &found)
    }

    /// Lets go of what nobody has asked for since then.
    pub async fn forget_baselines(&self, before: Time) -> Result<u64> {
        let mut tx = self.begin().await?;
        let gone = sqlx::query("DELETE FROM baselines WHERE tried < ?1")
            .bind(micros(before))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(gone.rows_affected())
    }

    /// The newest alerts that came since then, canaries left out, newest first.
    pub async fn alerts_received_since(&self, since: Time, limit: i64) -> Result<Vec<Alert>> {
        let found = sqlx::query(
            "SELECT * FROM alerts WHERE received >= ?1 AND source <> ?3 ORDER BY received DESC, id DESC LIMIT max(?2, 0)",
        )
        .bind(micros(since))
        .bind(limit)
        .bind(CANARY_SOURCE)
        .fetch_all(&self.readers)
        .await?;
        rows::all("alerts", &found)
    }

    /// Cases with one of these entities, lower case, in a trusted field that are open or were judged malicious or
    /// suspicious; by key and time.
    pub async fn suspects(&self, keys: &[String]) -> Result<Vec<Suspect>> {
        let found = sqlx::query(
            "WITH named AS (SELECT DISTINCT e.key, e.case_id FROM case_entities e
                 WHERE e.key IN (SELECT value FROM json_each(?1)) AND e.trust <> 'untrusted'),
             judged AS (SELECT n.key, c.id, c.status, c.updated, EXISTS (SELECT 1 FROM verdicts v
                 WHERE v.case_id = c.id AND v.superseded = 0 AND v.kind IN ('true_positive', 'suspicious')) AS malicious
                 FROM named n JOIN cases c ON c.id = n.case_id WHERE c.canary = 0)
             SELECT j.key, j.malicious, min(a.time) AS first, max(a.time) AS last,
                 CASE WHEN j.status = ?2 THEN j.updated END AS closed
             FROM judged j JOIN alerts a ON a.case_id = j.id
             WHERE j.malicious = 1 OR j.status <> ?2 GROUP BY j.key, j.id ORDER BY j.key, first, j.id",
        )
        .bind(json(&keys)?)
        .bind(CaseStatus::Closed.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows::all("cases", &found)
    }
}

impl<'r> TryFrom<Fields<'r>> for Baseline {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let answer = match row.opt_time("computed")? {
            None => None,
            Some(computed) => Some(BaselineAnswer {
                since: row.time("since")?,
                until: row.time("until")?,
                computed,
                rows: row.json("answered")?,
            }),
        };
        Ok(Self {
            of: BaselineOf {
                query: row.get("query")?,
                value: row.get("value")?,
            },
            asked_of: row.get("asked_of")?,
            answer,
            tried: row.time("tried")?,
            stale: row.get("stale")?,
        })
    }
}

impl<'r> TryFrom<Fields<'r>> for Suspect {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            key: row.get("key")?,
            first: row.time("first")?,
            last: row.time("last")?,
            closed: row.opt_time("closed")?,
            malicious: row.flag("malicious")?,
        })
    }
}
