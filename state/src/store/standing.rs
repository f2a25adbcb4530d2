//! Whether what a person decides on still is what they were asked about or have seen: its alerts and their verdicts, as the answer finds them.

use std::collections::BTreeSet;

use sqlx::{Row, SqliteConnection};

use super::Result;
use super::cases::status_of;
use super::rows::Fields;
use crate::model::{AlertId, Approval, CaseId, CaseStatus, VerdictKind};

/// A case as a person saw it when they decided on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Where it stood.
    pub status: CaseStatus,
    /// Its alerts, each with its verdict in force.
    pub judged: BTreeSet<(AlertId, Option<VerdictKind>)>,
}

/// Whether a case still is as a person saw it.
pub(super) async fn is_as_seen(
    db: &mut SqliteConnection,
    case: CaseId,
    seen: &Seen,
) -> Result<bool> {
    if status_of(db, case).await? != seen.status {
        return Ok(false);
    }
    let found = sqlx::query(
        "SELECT a.id, v.kind FROM alerts a
         LEFT JOIN verdicts v ON v.alert_id = a.id AND v.superseded = 0 WHERE a.case_id = ?1",
    )
    .bind(case.0)
    .fetch_all(db)
    .await?;
    let now: Result<BTreeSet<(AlertId, Option<VerdictKind>)>> = found
        .iter()
        .map(|row| {
            let row = Fields::new("alerts", row);
            Ok((AlertId(row.get("id")?), row.opt_word("kind")?))
        })
        .collect();
    Ok(now? == seen.judged)
}

/// Source, id there and verdict of an alert.
type Judged = (String, String, Option<String>);

/// Whether the alerts of the case, each with its verdict in force, are those that the question names.
pub(super) async fn is_as_asked(db: &mut SqliteConnection, asked: &Approval) -> Result<bool> {
    let Some(named) = named(asked) else {
        return Ok(false);
    };
    let found = sqlx::query(
        "SELECT a.source, a.source_alert_id, v.kind FROM alerts a
         LEFT JOIN verdicts v ON v.alert_id = a.id AND v.superseded = 0 WHERE a.case_id = ?1",
    )
    .bind(asked.case.0)
    .fetch_all(db)
    .await?;
    let now: sqlx::Result<BTreeSet<Judged>> = found
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)))
        .collect();
    Ok(now? == named)
}

/// What the question names; none when it names nothing that could be compared.
fn named(asked: &Approval) -> Option<BTreeSet<Judged>> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let list = asked.binding.get("alerts")?.as_array()?;
    let named: Option<BTreeSet<Judged>> = list
        .iter()
        .map(|one| {
            let (source, id) = (text(one.get("source")?)?, text(one.get("alert")?)?);
            Some((source, id, one.get("verdict").and_then(text)))
        })
        .collect();
    named.filter(|named| !named.is_empty())
}
