//! Alerts as they came, and the letters that could not be read as alerts; which case they belong to is said in `cases`.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError, cursors, digest};
use crate::model::{Alert, AlertId, CaseId, Cursor, NewAlert, Rule, Time};

/// Something a source delivered that nobody could read as an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Configured name of the source.
    pub source: String,
    /// What came, verbatim.
    pub raw: Vec<u8>,
    /// Why it could not be read.
    pub reason: String,
}

/// A dead letter in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDeadLetter {
    /// Row id.
    pub id: i64,
    /// When it was stored.
    pub received: Time,
    /// What came.
    pub letter: DeadLetter,
}

/// What became of one delivered alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Its row, new or from before.
    pub alert: AlertId,
    /// False when the source has delivered it before.
    pub new: bool,
    /// The case it is in, if it already is in one.
    pub case: Option<CaseId>,
}

impl Store {
    /// Stores a delivery in one transaction: alerts, dead letters and where the source now stands.
    ///
    /// The answers stand in the order of `alerts`. A dead letter that came before is not stored again.
    ///
    /// # Errors
    /// Any; then nothing of the delivery is stored and the cursor has not moved.
    pub async fn store_alerts(
        &self,
        alerts: &[NewAlert],
        dead: &[DeadLetter],
        cursor: Option<&Cursor>,
        now: Time,
    ) -> Result<Vec<Received>> {
        let mut tx = self.begin().await?;
        let mut received = Vec::with_capacity(alerts.len());
        for alert in alerts {
            received.push(store_alert(&mut tx, alert, now).await?);
        }
        for letter in dead {
            store_dead_letter(&mut tx, letter, now).await?;
        }
        if let Some(cursor) = cursor {
            cursors::put(&mut tx, cursor, now).await?;
        }
        tx.commit().await?;
        Ok(received)
    }

    /// Alerts that are in no case yet: the oldest alert time first, then the lower id.
    pub async fn alerts_without_case(&self, limit: i64) -> Result<Vec<Alert>> {
        let found = sqlx::query(
            "SELECT * FROM alerts WHERE case_id IS NULL ORDER BY time, id LIMIT max(?1, 0)",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows::all("alerts", &found)
    }

    /// One alert.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this id.
    pub async fn alert(&self, id: AlertId) -> Result<Alert> {
        let found = sqlx::query("SELECT * FROM alerts WHERE id = ?1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("alerts", found.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("alert {}", id.0)))
    }

    /// One alert by the id its source gave it.
    pub async fn alert_by_source_id(
        &self,
        source: &str,
        source_alert_id: &str,
    ) -> Result<Option<Alert>> {
        let found = sqlx::query("SELECT * FROM alerts WHERE source = ?1 AND source_alert_id = ?2")
            .bind(source)
            .bind(source_alert_id)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("alerts", found.as_ref())
    }

    /// The alerts with this id at their source, and the cases they are in; of every source when none is named.
    pub async fn alerts_of_source_id(
        &self,
        source: Option<&str>,
        source_alert_id: &str,
    ) -> Result<Vec<(AlertId, Option<CaseId>)>> {
        let found: Vec<(i64, Option<i64>)> = sqlx::query_as(
            "SELECT id, case_id FROM alerts WHERE source_alert_id = ?1 AND (?2 IS NULL OR source = ?2) ORDER BY id",
        )
        .bind(source_alert_id)
        .bind(source)
        .fetch_all(&self.readers)
        .await?;
        let ids = found.into_iter();
        Ok(ids
            .map(|(id, case)| (AlertId(id), case.map(CaseId)))
            .collect())
    }

    /// The alerts of a case, oldest alert time first.
    pub async fn alerts_of(&self, case: CaseId) -> Result<Vec<Alert>> {
        let found = sqlx::query("SELECT * FROM alerts WHERE case_id = ?1 ORDER BY time, id")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("alerts", &found)
    }

    /// The newest dead letters, newest first.
    pub async fn dead_letters(&self, limit: i64) -> Result<Vec<StoredDeadLetter>> {
        let found = sqlx::query("SELECT * FROM dead_letters ORDER BY id DESC LIMIT max(?1, 0)")
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows::all("dead_letters", &found)
    }

    /// How many dead letters there are.
    pub async fn dead_letter_count(&self) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM dead_letters")
            .fetch_one(&self.readers)
            .await?)
    }
}

pub(super) async fn store_alert(
    db: &mut SqliteConnection,
    alert: &NewAlert,
    now: Time,
) -> Result<Received> {
    let new: Option<i64> = sqlx::query_scalar(
        "INSERT INTO alerts (source, source_alert_id, mapping, product, rule_id, rule_name, rule_groups, severity,
             time, received, attacks, entities, observables, activities, raw)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
         ON CONFLICT (source, source_alert_id) DO NOTHING RETURNING id",
    )
    .bind(&alert.source)
    .bind(&alert.source_alert_id)
    .bind(&alert.mapping)
    .bind(&alert.product)
    .bind(&alert.rule.id)
    .bind(&alert.rule.name)
    .bind(json(&alert.rule.groups)?)
    .bind(alert.severity.as_str())
    .bind(micros(alert.time))
    .bind(micros(now))
    .bind(json(&alert.attacks)?)
    .bind(json(&alert.entities)?)
    .bind(json(&alert.observables)?)
    .bind(json(&alert.activities)?)
    .bind(&alert.raw)
    .fetch_optional(&mut *db)
    .await?;
    if let Some(id) = new {
        return Ok(Received {
            alert: AlertId(id),
            new: true,
            case: None,
        });
    }
    let (id, case): (i64, Option<i64>) =
        sqlx::query_as("SELECT id, case_id FROM alerts WHERE source = ?1 AND source_alert_id = ?2")
            .bind(&alert.source)
            .bind(&alert.source_alert_id)
            .fetch_one(db)
            .await?;
    Ok(Received {
        alert: AlertId(id),
        new: false,
        case: case.map(CaseId),
    })
}

async fn store_dead_letter(
    db: &mut SqliteConnection,
    letter: &DeadLetter,
    now: Time,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO dead_letters (source, sha256, raw, reason, received) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (source, sha256) DO NOTHING",
    )
    .bind(&letter.source)
    .bind(digest::sha256_hex(&letter.raw))
    .bind(&letter.raw)
    .bind(&letter.reason)
    .bind(micros(now))
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for Alert {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.alert("id")?,
            received: row.time("received")?,
            data: NewAlert {
                source: row.get("source")?,
                source_alert_id: row.get("source_alert_id")?,
                mapping: row.get("mapping")?,
                product: row.get("product")?,
                rule: Rule {
                    id: row.get("rule_id")?,
                    name: row.get("rule_name")?,
                    groups: row.json("rule_groups")?,
                },
                severity: row.word("severity")?,
                time: row.time("time")?,
                attacks: row.json("attacks")?,
                activities: row.json("activities")?,
                entities: row.json("entities")?,
                observables: row.json("observables")?,
                raw: row.get("raw")?,
            },
        })
    }
}

impl<'r> TryFrom<Fields<'r>> for StoredDeadLetter {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            received: row.time("received")?,
            letter: DeadLetter {
                source: row.get("source")?,
                raw: row.get("raw")?,
                reason: row.get("reason")?,
            },
        })
    }
}
