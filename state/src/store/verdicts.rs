//! Assessments and verdicts, append-only; a verdict is stored with its outcome, see `record`.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Claim, Result, Store, StoreError};
use crate::model::{AlertId, Assessment, CaseId, Reason, Verdict, VerdictKind};

/// A verdict in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredVerdict {
    /// Grows with every verdict stored.
    pub seq: i64,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether a later verdict on the same alert replaced it.
    pub superseded: bool,
}

impl Store {
    /// Every verdict ever given in a case, oldest first.
    pub async fn verdicts_of(&self, case: CaseId) -> Result<Vec<StoredVerdict>> {
        let found = sqlx::query("SELECT * FROM verdicts WHERE case_id = ?1 ORDER BY id")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("verdicts", &found)
    }

    /// The verdicts in force in a case: at most one an alert, in the order they were given.
    pub async fn current_verdicts(&self, case: CaseId) -> Result<Vec<Verdict>> {
        let found =
            sqlx::query("SELECT * FROM verdicts WHERE case_id = ?1 AND superseded = 0 ORDER BY id")
                .bind(case.0)
                .fetch_all(&self.readers)
                .await?;
        let stored: Vec<StoredVerdict> = rows::all("verdicts", &found)?;
        Ok(stored.into_iter().map(|v| v.verdict).collect())
    }

    /// Keeps what an analyst said of an alert.
    pub async fn add_assessment(
        &self,
        case: CaseId,
        alert: AlertId,
        assessment: &Assessment,
    ) -> Result<()> {
        finite(assessment.probability, &assessment.reasons)?;
        let mut tx = self.begin().await?;
        sqlx::query(
            "INSERT INTO assessments (case_id, alert_id, tier, analyst, body) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(case.0)
        .bind(alert.0)
        .bind(assessment.tier.number())
        .bind(assessment.analyst.as_str())
        .bind(json(assessment)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What analysts said of the alerts of a case, oldest first.
    pub async fn assessments_of(&self, case: CaseId) -> Result<Vec<(AlertId, Assessment)>> {
        sqlx::query("SELECT * FROM assessments WHERE case_id = ?1 ORDER BY id")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?
            .iter()
            .map(|row| {
                let row = Fields::new("assessments", row);
                Ok((row.alert("alert_id")?, row.json("body")?))
            })
            .collect()
    }
}

/// Stores a verdict and supersedes the earlier one on the same alert.
pub(super) async fn give(db: &mut SqliteConnection, case: CaseId, verdict: &Verdict) -> Result<()> {
    finite(verdict.basis.probability, &verdict.basis.reasons)?;
    let inside: i64 =
        sqlx::query_scalar("SELECT count(*) FROM alerts WHERE id = ?1 AND case_id = ?2")
            .bind(verdict.alert.0)
            .bind(case.0)
            .fetch_one(&mut *db)
            .await?;
    if inside == 0 || verdict.case != case {
        return Err(StoreError::refused(format!(
            "a verdict on alert {}, which is not in {case}",
            verdict.alert.0
        )));
    }
    sqlx::query("UPDATE verdicts SET superseded = 1 WHERE alert_id = ?1 AND superseded = 0")
        .bind(verdict.alert.0)
        .execute(&mut *db)
        .await?;
    sqlx::query(
        "INSERT INTO verdicts (case_id, alert_id, kind, rank, reason, impact, confidence, close_allowed, tier,
             vetoes, basis, provenance, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )
    .bind(case.0)
    .bind(verdict.alert.0)
    .bind(verdict.kind.as_str())
    .bind(verdict.kind.rank())
    .bind(verdict.reason.as_str())
    .bind(verdict.impact.as_str())
    .bind(verdict.confidence)
    .bind(verdict.close_allowed)
    .bind(verdict.provenance.tier.number())
    .bind(json(&verdict.vetoes)?)
    .bind(json(&verdict.basis)?)
    .bind(json(&verdict.provenance)?)
    .bind(micros(verdict.at))
    .execute(db)
    .await?;
    Ok(())
}

/// JSON has no spelling for infinity and for what is not a number: such a row could not be read again.
fn finite(probability: f64, reasons: &[Reason]) -> Result<()> {
    if probability.is_finite() && reasons.iter().all(|r| r.weight.is_finite()) {
        return Ok(());
    }
    Err(StoreError::refused(
        "a probability or weight that is not a finite number",
    ))
}

/// Whether the case has an alert without a verdict in force; with a claim, one that came during that claim.
pub(super) async fn unjudged(
    db: &mut SqliteConnection,
    case: CaseId,
    during: Option<&Claim>,
) -> Result<bool> {
    let alerts: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM alerts a WHERE a.case_id = ?1 AND (?2 IS NULL OR a.joined_fence = ?2)
             AND NOT EXISTS (SELECT 1 FROM verdicts v WHERE v.alert_id = a.id AND v.superseded = 0)",
    )
    .bind(case.0)
    .bind(during.map(|claim| claim.fence))
    .fetch_one(db)
    .await?;
    Ok(alerts > 0)
}

/// Refuses a close without a person while a verdict in force is not final.
pub(super) async fn all_final(db: &mut SqliteConnection, case: CaseId) -> Result<()> {
    let found = sqlx::query("SELECT id, kind FROM verdicts WHERE case_id = ?1 AND superseded = 0")
        .bind(case.0)
        .fetch_all(db)
        .await?;
    for row in &found {
        let kind: VerdictKind = Fields::new("verdicts", row).word("kind")?;
        if matches!(kind, VerdictKind::Suspicious | VerdictKind::Undetermined) {
            return Err(StoreError::refused(format!(
                "closing {case} without a person while a verdict in it is {kind}"
            )));
        }
    }
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for StoredVerdict {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            seq: row.get("id")?,
            verdict: Verdict {
                case: row.case("case_id")?,
                alert: row.alert("alert_id")?,
                kind: row.word("kind")?,
                reason: row.word("reason")?,
                impact: row.word("impact")?,
                confidence: row.get("confidence")?,
                close_allowed: row.flag("close_allowed")?,
                vetoes: row.json("vetoes")?,
                basis: row.json("basis")?,
                provenance: row.json("provenance")?,
                at: row.time("at")?,
            },
            superseded: row.flag("superseded")?,
        })
    }
}
