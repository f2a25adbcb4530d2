//! Canaries from sending to judgement, each step with its audit entry; whether one passed is the daemon's to say.

use serde_json::json;
use sqlx::SqliteConnection;

use super::alerts::store_alert;
use super::cases::{move_case, status_of};
use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, approvals, audit, switches, timeline};
use crate::model::{
    CANARY_SOURCE, CanaryRun, CanaryState, CaseEvent, CaseId, CaseStatus, NewAlert, Switch,
    SwitchState, Time, TimelineEvent, TimelineKind, Turn,
};

/// How a canary came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryEnd {
    /// Row id of the run.
    pub run: i64,
    /// Anything but `started`.
    pub state: CanaryState,
    /// One sentence.
    pub why: String,
    /// When.
    pub at: Time,
}

const RUNS: &str = "SELECT r.*, a.case_id FROM canary_runs r JOIN alerts a ON a.id = r.alert_id";

impl Store {
    /// Stores a canary's alert and the run; it is taken in like any other alert.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the alert is not of the canaries' source or was sent before.
    pub async fn send_canary(&self, alert: &NewAlert, now: Time) -> Result<()> {
        if alert.source != CANARY_SOURCE {
            return Err(StoreError::refused(format!(
                "a canary from the source `{}`",
                alert.source
            )));
        }
        let mut tx = self.begin().await?;
        let received = store_alert(&mut tx, alert, now).await?;
        if !received.new {
            return Err(StoreError::refused("sending a canary twice"));
        }
        sqlx::query("INSERT INTO canary_runs (at, alert_id, state, why) VALUES (?1, ?2, ?3, ?4)")
            .bind(micros(now))
            .bind(received.alert.0)
            .bind(CanaryState::Started.as_str())
            .bind("sent")
            .execute(&mut *tx)
            .await?;
        let entry = json!({"kind": "canary", "alert": alert.source_alert_id, "state": CanaryState::Started});
        audit::append(&mut tx, now, &entry).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest canaries, newest first.
    pub async fn canaries(&self, limit: i64) -> Result<Vec<CanaryRun>> {
        let sql = format!("{RUNS} ORDER BY r.id DESC LIMIT max(?1, 0)");
        let found = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows::all("canary_runs", &found)
    }

    /// Canaries that were not judged yet, oldest first.
    pub async fn canaries_under_way(&self) -> Result<Vec<CanaryRun>> {
        let sql = format!("{RUNS} WHERE r.state = 'started' ORDER BY r.id");
        let found = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&self.readers)
            .await?;
        rows::all("canary_runs", &found)
    }

    /// Stores how a canary came out, in one transaction: one that passed has its case ended, one that did not
    /// switches closing off and has the question about its case taken back.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the run is judged already, [`StoreError::NotFound`].
    pub async fn judge_canary(&self, end: &CanaryEnd) -> Result<()> {
        let mut tx = self.begin().await?;
        let sql = format!("{RUNS} WHERE r.id = ?1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(end.run)
            .fetch_optional(&mut *tx)
            .await?;
        let run: CanaryRun = rows::one("canary_runs", row.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("canary {}", end.run)))?;
        if run.state != CanaryState::Started || end.state == CanaryState::Started {
            return Err(StoreError::refused(format!(
                "judging canary {} as {} when it is {}",
                end.run, end.state, run.state
            )));
        }
        sqlx::query("UPDATE canary_runs SET state = ?2, why = ?3, judged = ?4 WHERE id = ?1")
            .bind(end.run)
            .bind(end.state.as_str())
            .bind(&end.why)
            .bind(micros(end.at))
            .execute(&mut *tx)
            .await?;
        let entry = json!({"kind": "canary", "case": run.case, "state": end.state, "why": end.why});
        audit::append(&mut tx, end.at, &entry).await?;
        if let Some(case) = run.case {
            settle(&mut tx, case, end).await?;
        }
        if end.state.failed() {
            let turn = Turn {
                switch: Switch::Closing,
                state: SwitchState::Off,
                by: "nightdesk".to_owned(),
                why: end.why.clone(),
                at: end.at,
            };
            switches::put(&mut tx, &turn).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Ends the case of a canary that passed; takes one that did not from the queue of questions.
async fn settle(db: &mut SqliteConnection, case: CaseId, end: &CanaryEnd) -> Result<()> {
    let (event, kind) = match (status_of(db, case).await?, end.state) {
        (CaseStatus::Escalated, CanaryState::Escalated) => {
            (CaseEvent::Closed, TimelineKind::Closed)
        }
        (CaseStatus::AwaitingApproval, _) => (CaseEvent::Escalated, TimelineKind::Escalated),
        _ => return Ok(()),
    };
    move_case(db, case, event, end.at).await?;
    approvals::lapse_of_case(db, case, approvals::WORKED, end.at).await?;
    let told = TimelineEvent::ours(case, end.at, kind, format!("canary: {}", end.why));
    timeline::append(db, case, &told).await
}

impl<'r> TryFrom<Fields<'r>> for CanaryRun {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let judged: Option<i64> = row.get("judged")?;
        let case: Option<i64> = row.get("case_id")?;
        Ok(Self {
            id: row.get("id")?,
            at: row.time("at")?,
            alert: row.alert("alert_id")?,
            case: case.map(CaseId),
            state: row.word("state")?,
            why: row.get("why")?,
            judged: judged.map(|_| row.time("judged")).transpose()?,
        })
    }
}
