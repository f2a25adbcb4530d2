//! Cases, their alerts and entities, and the one helper that moves a case; which case an alert joins is the intake's choice.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError, approvals, timeline};
use crate::model::{
    Alert, CANARY_SOURCE, Case, CaseEvent, CaseId, CaseStatus, Entity, Time, TimelineEvent,
    VerdictKind, next,
};

impl Store {
    /// Opens a case with this alert; the events are put on its timeline whatever case they name.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the alert is in a case already.
    pub async fn open_case(
        &self,
        alert: &Alert,
        title: &str,
        now: Time,
        events: Vec<TimelineEvent>,
    ) -> Result<Case> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO cases (title, status, opened, alert_time, updated, canary)
             VALUES (?1, ?2, ?3, ?4, ?3, ?5) RETURNING *",
        )
        .bind(title)
        .bind(CaseStatus::New.as_str())
        .bind(micros(now))
        .bind(micros(alert.time))
        .bind(alert.source == CANARY_SOURCE)
        .fetch_one(&mut *tx)
        .await?;
        let case = Case::try_from(Fields::new("cases", &row))?;
        put_alert(&mut tx, case.id, alert).await?;
        timeline::append_all(&mut tx, case.id, &events).await?;
        tx.commit().await?;
        Ok(case)
    }

    /// Puts another alert into a case. A case that waits for a person, is with one or is closed is worked again.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the alert is in a case already, [`StoreError::NotFound`].
    pub async fn join_case(
        &self,
        case: CaseId,
        alert: &Alert,
        now: Time,
        events: Vec<TimelineEvent>,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let status = status_of(&mut tx, case).await?;
        put_alert(&mut tx, case, alert).await?;
        timeline::append_all(&mut tx, case, &events).await?;
        match status {
            CaseStatus::New | CaseStatus::Triaging => touch(&mut tx, case, now).await?,
            CaseStatus::AwaitingApproval | CaseStatus::Escalated | CaseStatus::Closed => {
                move_case(&mut tx, case, CaseEvent::Reopened, now).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Open cases, without `except`, that hold a true positive and share a joinable entity.
    pub async fn open_incidents(&self, keys: &[String], except: CaseId) -> Result<Vec<CaseId>> {
        self.open_with(VerdictKind::TruePositive, keys, except)
            .await
    }

    /// Open cases, without `except`, that hold something suspicious and share a joinable entity.
    pub async fn open_suspicions(&self, keys: &[String], except: CaseId) -> Result<Vec<CaseId>> {
        self.open_with(VerdictKind::Suspicious, keys, except).await
    }

    async fn open_with(
        &self,
        kind: VerdictKind,
        keys: &[String],
        except: CaseId,
    ) -> Result<Vec<CaseId>> {
        let found: Vec<i64> = sqlx::query_scalar(
            "SELECT c.id FROM cases c
             WHERE c.id IN (SELECT case_id FROM case_entities
                            WHERE joins = 1 AND key IN (SELECT value FROM json_each(?1)))
                 AND c.id <> ?2 AND c.status <> 'closed' AND c.canary = 0
                 AND EXISTS (SELECT 1 FROM verdicts v
                             WHERE v.case_id = c.id AND v.superseded = 0 AND v.kind = ?3)
             ORDER BY c.id",
        )
        .bind(json(&keys)?)
        .bind(except.0)
        .bind(kind.as_str())
        .fetch_all(&self.readers)
        .await?;
        Ok(found.into_iter().map(CaseId).collect())
    }

    /// One case.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this id.
    pub async fn case(&self, id: CaseId) -> Result<Case> {
        let found = sqlx::query("SELECT * FROM cases WHERE id = ?1")
            .bind(id.0)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("cases", found.as_ref())?.ok_or_else(|| no_case(id))
    }

    /// Who and what is involved in a case, over all its alerts.
    pub async fn entities_of(&self, case: CaseId) -> Result<Vec<Entity>> {
        let found = sqlx::query(
            "SELECT * FROM case_entities WHERE case_id = ?1 ORDER BY kind, role, trust, key",
        )
        .bind(case.0)
        .fetch_all(&self.readers)
        .await?;
        rows::all("case_entities", &found)
    }
}

async fn put_alert(db: &mut SqliteConnection, case: CaseId, alert: &Alert) -> Result<()> {
    let put = sqlx::query(
        "UPDATE alerts SET case_id = ?1, joined_fence = (SELECT fence FROM cases WHERE id = ?1)
         WHERE id = ?2 AND case_id IS NULL",
    )
    .bind(case.0)
    .bind(alert.id.0)
    .execute(&mut *db)
    .await?;
    if put.rows_affected() == 0 {
        return Err(StoreError::refused(format!(
            "alert {} is in a case already or was never stored",
            alert.id.0
        )));
    }
    entities_put(db, case, alert).await
}

/// Adds who and what an alert names to its case.
pub(super) async fn entities_put(
    db: &mut SqliteConnection,
    case: CaseId,
    alert: &Alert,
) -> Result<()> {
    for entity in &alert.entities {
        sqlx::query(
            "INSERT INTO case_entities (case_id, kind, role, trust, key, value, joins)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )
        .bind(case.0)
        .bind(entity.kind.as_str())
        .bind(entity.role.as_str())
        .bind(entity.trust.as_str())
        .bind(entity.key())
        .bind(&entity.value)
        .bind(entity.joins())
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

pub(super) fn no_case(case: CaseId) -> StoreError {
    StoreError::not_found(format!("case {case}"))
}

pub(super) async fn status_of(db: &mut SqliteConnection, case: CaseId) -> Result<CaseStatus> {
    let row = sqlx::query("SELECT id, status FROM cases WHERE id = ?1")
        .bind(case.0)
        .fetch_optional(db)
        .await?
        .ok_or_else(|| no_case(case))?;
    Fields::new("cases", &row).word("status")
}

async fn touch(db: &mut SqliteConnection, case: CaseId, now: Time) -> Result<()> {
    sqlx::query("UPDATE cases SET updated = ?2 WHERE id = ?1")
        .bind(case.0)
        .bind(micros(now))
        .execute(db)
        .await?;
    Ok(())
}

/// Moves a case as [`next`] says and takes it from its worker; claiming, which gives it one, is the queue's.
///
/// A case in the queue has no outcome; what people were asked about a reopened one has lapsed. Attempts count those
/// that came to no end: only a release keeps them. One that comes back
/// after it was ended begins its attempts anew.
pub(super) async fn move_case(
    db: &mut SqliteConnection,
    case: CaseId,
    event: CaseEvent,
    now: Time,
) -> Result<CaseStatus> {
    let status = next(status_of(db, case).await?, event)?;
    if status == CaseStatus::Triaging {
        return Err(StoreError::refused(
            "only the queue gives a case to a worker",
        ));
    }
    sqlx::query(
        "UPDATE cases SET status = ?2, updated = ?3, owner = NULL, lease_until = NULL,
             outcome = CASE WHEN ?4 THEN NULL ELSE outcome END, attempts = CASE WHEN ?5 THEN 0 ELSE attempts END
         WHERE id = ?1",
    )
    .bind(case.0)
    .bind(status.as_str())
    .bind(micros(now))
    .bind(status == CaseStatus::New)
    .bind(matches!(event, CaseEvent::Reopened | CaseEvent::Answered))
    .execute(&mut *db)
    .await?;
    if event == CaseEvent::Reopened {
        approvals::lapse_of_case(db, case, approvals::WORKED, now).await?;
    }
    Ok(status)
}

impl<'r> TryFrom<Fields<'r>> for Case {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Self::try_from(&row)
    }
}

impl<'r> TryFrom<&Fields<'r>> for Case {
    type Error = StoreError;
    fn try_from(row: &Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.case("id")?,
            title: row.get("title")?,
            status: row.word("status")?,
            outcome: row.opt_word("outcome")?,
            opened: row.time("opened")?,
            alert_time: row.time("alert_time")?,
            updated: row.time("updated")?,
            attempts: row.get("attempts")?,
        })
    }
}

impl<'r> TryFrom<Fields<'r>> for Entity {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            kind: row.word("kind")?,
            value: row.get("value")?,
            role: row.word("role")?,
            trust: row.word("trust")?,
        })
    }
}
