//! What people said of alerts, append-only; the last word on an alert counts. What follows from it is decided elsewhere.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError};
use crate::model::{CANARY_SOURCE, CaseId, Feedback, Likeness, Precedent, Time};

/// Words on one rule that are read at once.
const MOST: i64 = 1000;

impl Store {
    /// What people said of alerts of a rule whose time lies in `since..until`, at most a thousand: those that
    /// say malicious or suspicious before all others, then the newest first.
    pub async fn precedents(
        &self,
        rule: (&str, &str),
        since: Time,
        until: Time,
    ) -> Result<Vec<Precedent>> {
        let (source, id) = rule;
        let found = sqlx::query(
            "SELECT f.*, a.case_id FROM feedback f JOIN alerts a ON a.id = f.alert_id
             WHERE f.source = ?1 AND f.rule_id = ?2 AND f.superseded = 0 AND f.alert_time >= ?3 AND f.alert_time < ?4
             ORDER BY f.kind IN ('true_positive', 'suspicious') DESC, f.alert_time DESC, f.id DESC LIMIT ?5",
        )
        .bind(source)
        .bind(id)
        .bind(micros(since))
        .bind(micros(until))
        .bind(MOST)
        .fetch_all(&self.readers)
        .await?;
        rows::all("feedback", &found)
    }

    /// The words in force that were given since then, the oldest first; on the alerts of one case when it is named.
    pub async fn feedback_since(
        &self,
        since: Time,
        case: Option<CaseId>,
    ) -> Result<Vec<Precedent>> {
        let found = sqlx::query(
            "SELECT f.*, a.case_id FROM feedback f JOIN alerts a ON a.id = f.alert_id
             WHERE f.superseded = 0 AND f.at >= ?1 AND (?2 IS NULL OR a.case_id = ?2) ORDER BY f.id",
        )
        .bind(micros(since))
        .bind(case.map(|c| c.0))
        .fetch_all(&self.readers)
        .await?;
        rows::all("feedback", &found)
    }

    /// How many alerts of a rule came in `since..until`: in all, and in cases with this trusted entity.
    pub async fn fired(
        &self,
        rule: (&str, &str),
        principal: &str,
        (since, until): (Time, Time),
    ) -> Result<(i64, i64)> {
        let (source, id) = rule;
        Ok(sqlx::query_as(
            "SELECT count(*), coalesce(sum(EXISTS (
                 SELECT 1 FROM case_entities e
                 WHERE e.case_id = a.case_id AND e.key = ?3 AND e.trust <> 'untrusted')), 0)
             FROM alerts a WHERE a.source = ?1 AND a.rule_id = ?2 AND a.time >= ?4 AND a.time < ?5 AND a.source <> ?6",
        )
        .bind(source)
        .bind(id)
        .bind(principal)
        .bind(micros(since))
        .bind(micros(until))
        .bind(CANARY_SOURCE)
        .fetch_one(&self.readers)
        .await?)
    }
}

/// Keeps words within a larger transaction; each supersedes the earlier one on its alert.
pub(super) async fn keep(db: &mut SqliteConnection, case: CaseId, said: &[Feedback]) -> Result<()> {
    for word in said {
        sqlx::query("UPDATE feedback SET superseded = 1 WHERE alert_id = ?1 AND superseded = 0")
            .bind(word.alert.0)
            .execute(&mut *db)
            .await?;
        let kept = sqlx::query(
            "INSERT INTO feedback (alert_id, kind, given_by, channel, note, source, rule_id, principal, shape, content,
                 signals, alert_time, at)
             SELECT id, ?3, ?4, ?5, ?6, source, rule_id, ?7, ?8, ?9, ?10, time, ?11 FROM alerts
             WHERE id = ?1 AND case_id = ?2 AND source <> ?12",
        )
        .bind(word.alert.0)
        .bind(case.0)
        .bind(word.kind.as_str())
        .bind(&word.by)
        .bind(&word.channel)
        .bind(&word.note)
        .bind(&word.likeness.principal)
        .bind(&word.likeness.shape)
        .bind(&word.likeness.content)
        .bind(json(&word.signals)?)
        .bind(micros(word.at))
        .bind(CANARY_SOURCE)
        .execute(&mut *db)
        .await?;
        if kept.rows_affected() == 0 {
            return Err(StoreError::refused(format!(
                "a person's word on alert {}, which is not a real one in {case}",
                word.alert.0
            )));
        }
    }
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for Precedent {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            case: row.case("case_id")?,
            alert: row.alert("alert_id")?,
            kind: row.word("kind")?,
            by: row.get("given_by")?,
            note: row.get("note")?,
            likeness: Likeness {
                principal: row.get("principal")?,
                shape: row.get("shape")?,
                content: row.get("content")?,
            },
            signals: row.json("signals")?,
            alert_time: row.time("alert_time")?,
            at: row.time("at")?,
        })
    }
}
