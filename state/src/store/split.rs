//! A person takes alerts out of a case into one of their own, and what was split stays apart; who may do so is checked elsewhere.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::SqliteConnection;

use super::cases::{entities_put, move_case, no_case};
use super::mentions::{RuleBy, rules_by};
use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, approvals, audit, timeline};
use crate::model::{
    Alert, AlertId, Case, CaseEvent, CaseId, CaseStatus, Time, TimelineEvent, TimelineKind,
};

/// Alerts that a person takes out of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The case they are in.
    pub from: CaseId,
    /// The alerts, at least one and not all.
    pub alerts: Vec<AlertId>,
    /// Title of the new case.
    pub title: String,
    /// Who does it.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
    /// When.
    pub now: Time,
}

impl Store {
    /// Moves alerts into a case of their own, in one transaction with its audit record; gives the new case.
    ///
    /// Both cases are then worked again. What was found stays where it was found; a verdict on a moved alert is
    /// superseded. Rules by actors that are now on one side alone are kept off the other.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when a worker holds the case, when it is a canary, when an alert is not in it or when
    /// none would be left; [`StoreError::NotFound`].
    pub async fn split_case(&self, split: &Split) -> Result<CaseId> {
        let mut tx = self.begin().await?;
        let old = splittable(&mut tx, split.from).await?;
        let (moved, left) = parted(&mut tx, split).await?;
        let to = open(&mut tx, split).await?;
        for alert in &split.alerts {
            sqlx::query("UPDATE alerts SET case_id = ?1, joined_fence = 0 WHERE id = ?2")
                .bind(to.0)
                .bind(alert.0)
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "UPDATE verdicts SET superseded = 1 WHERE alert_id = ?1 AND superseded = 0",
            )
            .bind(alert.0)
            .execute(&mut *tx)
            .await?;
        }
        for case in [split.from, to] {
            settle(&mut tx, case).await?;
        }
        keep_apart(&mut tx, split.from, moved.difference(&left)).await?;
        keep_apart(&mut tx, to, left.difference(&moved)).await?;
        if old.status != CaseStatus::New {
            move_case(&mut tx, split.from, CaseEvent::Reopened, split.now).await?;
        }
        approvals::lapse_of_case(&mut tx, split.from, approvals::WORKED, split.now).await?;
        tell(&mut tx, split, to).await?;
        tx.commit().await?;
        Ok(to)
    }
}

/// The case, when alerts may be taken out of it.
async fn splittable(db: &mut SqliteConnection, case: CaseId) -> Result<Case> {
    let row = sqlx::query("SELECT * FROM cases WHERE id = ?1")
        .bind(case.0)
        .fetch_optional(db)
        .await?
        .ok_or_else(|| no_case(case))?;
    let fields = Fields::new("cases", &row);
    if fields.flag("canary")? {
        return Err(StoreError::refused(format!(
            "splitting {case}, which is a canary"
        )));
    }
    let found = Case::try_from(&fields)?;
    match found.status {
        CaseStatus::Triaging => Err(StoreError::refused(format!(
            "splitting {case} while a worker holds it; try again when it is done"
        ))),
        _ => Ok(found),
    }
}

/// Rules and actors of the alerts that go and of those that stay.
async fn parted(
    db: &mut SqliteConnection,
    split: &Split,
) -> Result<(BTreeSet<RuleBy>, BTreeSet<RuleBy>)> {
    let all = rules_by(db, split.from).await?;
    for alert in &split.alerts {
        if all.iter().all(|(id, _)| id != alert) {
            let (id, case) = (alert.0, split.from);
            return Err(StoreError::refused(format!(
                "splitting alert {id}, which is not in {case}"
            )));
        }
    }
    let (goes, stays): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|(id, _)| split.alerts.contains(id));
    if goes.is_empty() || stays.is_empty() {
        return Err(StoreError::refused(format!(
            "splitting none or all of the alerts of {}; name some of them",
            split.from
        )));
    }
    let rules = |side: Vec<(AlertId, RuleBy)>| side.into_iter().map(|(_, by)| by).collect();
    Ok((rules(goes), rules(stays)))
}

async fn open(db: &mut SqliteConnection, split: &Split) -> Result<CaseId> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO cases (title, status, opened, alert_time, updated) VALUES (?1, 'new', ?2, ?2, ?2) RETURNING id",
    )
    .bind(&split.title)
    .bind(micros(split.now))
    .fetch_one(&mut *db)
    .await?;
    sqlx::query(
        "INSERT INTO splits (at, from_case, to_case, split_by, why) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(micros(split.now))
    .bind(split.from.0)
    .bind(id)
    .bind(&split.by)
    .bind(&split.why)
    .execute(db)
    .await?;
    Ok(CaseId(id))
}

/// Makes time and entities of a case those of the alerts it now has.
async fn settle(db: &mut SqliteConnection, case: CaseId) -> Result<()> {
    sqlx::query(
        "UPDATE cases SET alert_time = (SELECT min(time) FROM alerts WHERE case_id = ?1) WHERE id = ?1",
    )
    .bind(case.0)
    .execute(&mut *db)
    .await?;
    sqlx::query("DELETE FROM case_entities WHERE case_id = ?1")
        .bind(case.0)
        .execute(&mut *db)
        .await?;
    let found = sqlx::query("SELECT * FROM alerts WHERE case_id = ?1")
        .bind(case.0)
        .fetch_all(&mut *db)
        .await?;
    let alerts: Vec<Alert> = rows::all("alerts", &found)?;
    for alert in &alerts {
        entities_put(db, case, alert).await?;
    }
    Ok(())
}

async fn keep_apart(
    db: &mut SqliteConnection,
    case: CaseId,
    rules: impl Iterator<Item = &RuleBy>,
) -> Result<()> {
    for by in rules {
        sqlx::query(
            "INSERT INTO kept_apart (case_id, source, rule_id, actor) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )
        .bind(case.0)
        .bind(&by.source)
        .bind(&by.rule_id)
        .bind(&by.actor)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Tells both timelines and the audit log.
async fn tell(db: &mut SqliteConnection, split: &Split, to: CaseId) -> Result<()> {
    let ids: Vec<i64> = split.alerts.iter().map(|a| a.0).collect();
    let why = match split.why.as_str() {
        "" => String::new(),
        why => format!(": {why}"),
    };
    let (by, from, n) = (&split.by, split.from, ids.len());
    let alerts = if n == 1 { "alert" } else { "alerts" };
    let data = json!({"from": from, "to": to, "alerts": ids, "by": by, "why": split.why});
    for (case, kind, message) in [
        (
            from,
            TimelineKind::Answered,
            format!("{by} split {n} {alerts} off into {to}{why}"),
        ),
        (
            to,
            TimelineKind::Opened,
            format!("{by} split it off {from} with {n} {alerts}{why}"),
        ),
    ] {
        let mut event = TimelineEvent::ours(case, split.now, kind, message).with(data.clone());
        event.actor.clone_from(by);
        timeline::append(db, case, &event).await?;
    }
    let record =
        json!({"kind": "split", "case": from, "to": to, "alerts": ids, "by": by, "why": split.why});
    audit::append(db, split.now, &record).await?;
    Ok(())
}
