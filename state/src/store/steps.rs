//! Which playbook steps have begun and ended, so that a crash repeats none that is done; running them is the tier's.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, evidence, timeline};
use crate::model::{CaseId, Evidence, StepRun, StepState, TimelineEvent};

impl Store {
    /// Notes that a step begins; a step of the same name and alert that ran before is begun anew.
    pub async fn begin_step(&self, run: &StepRun) -> Result<()> {
        let mut tx = self.begin().await?;
        put(&mut tx, run, StepState::Started).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores what a step found, notes that it ended and puts events on the timeline, all or nothing; gives the
    /// evidence with its name.
    pub async fn finish_step(
        &self,
        mut run: StepRun,
        mut evidence: Evidence,
        tell: impl FnOnce(&Evidence) -> Vec<TimelineEvent>,
    ) -> Result<Evidence> {
        let mut tx = self.begin().await?;
        evidence::insert(&mut tx, &mut evidence).await?;
        run.evidence = Some(evidence.reference.clone());
        put(&mut tx, &run, StepState::Done).await?;
        timeline::append_all(&mut tx, run.case, &tell(&evidence)).await?;
        tx.commit().await?;
        Ok(evidence)
    }

    /// The step runs of a case in the order in which they began.
    pub async fn step_runs(&self, case: CaseId) -> Result<Vec<StepRun>> {
        let found = sqlx::query(
            "SELECT * FROM step_runs WHERE case_id = ?1 ORDER BY started, alert_id, step",
        )
        .bind(case.0)
        .fetch_all(&self.readers)
        .await?;
        rows::all("step_runs", &found)
    }
}

async fn put(db: &mut SqliteConnection, run: &StepRun, state: StepState) -> Result<()> {
    let evidence = match state {
        StepState::Started => None,
        StepState::Done => run.evidence.as_deref(),
    };
    sqlx::query(
        "INSERT INTO step_runs (case_id, alert_id, step, tier, class, state, evidence, started)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (case_id, alert_id, step) DO UPDATE SET tier = excluded.tier, class = excluded.class,
             state = excluded.state, evidence = excluded.evidence, started = excluded.started",
    )
    .bind(run.case.0)
    .bind(run.alert.0)
    .bind(&run.step)
    .bind(run.tier.number())
    .bind(run.class.as_str())
    .bind(state.as_str())
    .bind(evidence)
    .bind(micros(run.started))
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for StepRun {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            case: row.case("case_id")?,
            alert: row.alert("alert_id")?,
            step: row.get("step")?,
            tier: row.tier("tier")?,
            class: row.word("class")?,
            state: row.word("state")?,
            evidence: row.get("evidence")?,
            started: row.time("started")?,
        })
    }
}
