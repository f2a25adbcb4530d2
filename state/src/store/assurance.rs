//! Runs of the golden lab, append-only, each with its audit entry; whether one passed is for the caller to say.

use serde_json::json;

use super::rows::{self, Fields, json as text, micros};
use super::{Result, Store, StoreError, audit, switches};
use crate::model::{AssuranceRun, Switch, SwitchState, Turn};

impl Store {
    /// Keeps a run; one that failed switches closing off in the same transaction, unless it is off already.
    ///
    /// # Errors
    /// When the store fails; then neither the run nor the turn stands.
    pub async fn add_assurance(&self, run: &AssuranceRun) -> Result<()> {
        let mut tx = self.begin().await?;
        let figures = run.figures.as_ref().map(text).transpose()?;
        sqlx::query(
            "INSERT INTO assurance_runs (at, lab, passed, why, figures) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(micros(run.at))
        .bind(&run.lab)
        .bind(run.passed)
        .bind(&run.why)
        .bind(figures)
        .execute(&mut *tx)
        .await?;
        let entry =
            json!({"kind": "assurance", "lab": run.lab, "passed": run.passed, "why": run.why});
        audit::append(&mut tx, run.at, &entry).await?;
        if !run.passed && !switches::is_off(&mut tx, Switch::Closing).await? {
            let turn = Turn {
                switch: Switch::Closing,
                state: SwitchState::Off,
                by: "nightdesk".to_owned(),
                why: run.why.clone(),
                at: run.at,
            };
            switches::put(&mut tx, &turn).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The newest runs, newest first.
    pub async fn assurance_runs(&self, limit: i64) -> Result<Vec<AssuranceRun>> {
        let found = sqlx::query("SELECT * FROM assurance_runs ORDER BY id DESC LIMIT max(?1, 0)")
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows::all("assurance_runs", &found)
    }
}

impl<'r> TryFrom<Fields<'r>> for AssuranceRun {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        let figures: Option<String> = row.get("figures")?;
        Ok(Self {
            at: row.time("at")?,
            lab: row.get("lab")?,
            passed: row.flag("passed")?,
            why: row.get("why")?,
            figures: figures.map(|_| row.json("figures")).transpose()?,
        })
    }
}
