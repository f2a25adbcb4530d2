//! Every request to a tool: noted before it is sent and again when it ended; whether it may be sent is the gate's.

use serde_json::Value;
use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError, audit, evidence};
use crate::model::{CallOutcome, CaseId, Time, ToolCall};

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallEnd<'a> {
    /// How.
    pub outcome: CallOutcome,
    /// Why, when it did not end well.
    pub reason: Option<&'a str>,
    /// The whole answer.
    pub body: Option<&'a [u8]>,
    /// How long it took, milliseconds.
    pub millis: i64,
    /// When it ended.
    pub at: Time,
}

impl Store {
    /// Notes a call together with its audit entry, which gets the row id as `call`, and gives that id; the id in
    /// `call` is not looked at.
    pub async fn begin_call(&self, call: &ToolCall, entry: Value) -> Result<i64> {
        let mut tx = self.begin().await?;
        let id = begin(&mut tx, call, entry).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Notes how a started call ended, keeps its body and appends its audit entry, which gets the digest of the body as
    /// `digest`; gives that digest.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such call or it has ended before.
    pub async fn end_call(
        &self,
        id: i64,
        end: CallEnd<'_>,
        entry: Value,
    ) -> Result<Option<String>> {
        let mut tx = self.begin().await?;
        let digest = self::end(&mut tx, id, end, entry).await?;
        tx.commit().await?;
        Ok(digest)
    }

    /// The calls of a case in the order in which they were let through.
    pub async fn calls_of(&self, case: CaseId) -> Result<Vec<ToolCall>> {
        let found = sqlx::query("SELECT * FROM tool_calls WHERE case_id = ?1 ORDER BY id")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("tool_calls", &found)
    }

    /// The tools that may have done or said something for a case, each once.
    pub async fn tools_reached(&self, case: CaseId) -> Result<Vec<String>> {
        let found = sqlx::query_scalar(
            "SELECT DISTINCT tool FROM tool_calls
             WHERE case_id = ?1 AND outcome NOT IN ('denied', 'unavailable')",
        )
        .bind(case.0)
        .fetch_all(&self.readers)
        .await?;
        Ok(found)
    }

    /// The calls of a case that were let through and of whose end nothing is known.
    pub async fn started_calls(&self, case: CaseId) -> Result<Vec<ToolCall>> {
        let found = sqlx::query(
            "SELECT * FROM tool_calls WHERE case_id = ?1 AND outcome = 'started' ORDER BY id",
        )
        .bind(case.0)
        .fetch_all(&self.readers)
        .await?;
        rows::all("tool_calls", &found)
    }
}

/// Notes a call and its audit entry within a larger transaction.
pub(super) async fn begin(
    db: &mut SqliteConnection,
    call: &ToolCall,
    mut entry: Value,
) -> Result<i64> {
    let id = sqlx::query_scalar(
        "INSERT INTO tool_calls (case_id, tier, asked_by, tool, class, arguments, outcome, reason, digest, started, millis)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) RETURNING id",
    )
    .bind(call.case.0)
    .bind(call.tier.number())
    .bind(&call.asked_by)
    .bind(&call.tool)
    .bind(call.class.as_str())
    .bind(json(&call.arguments)?)
    .bind(call.outcome.as_str())
    .bind(&call.reason)
    .bind(&call.digest)
    .bind(micros(call.started))
    .bind(call.millis)
    .fetch_one(&mut *db)
    .await?;
    entry["call"] = Value::from(id);
    audit::append(db, call.started, &entry).await?;
    Ok(id)
}

/// Notes how a started call ended within a larger transaction, as [`Store::end_call`] does.
pub(super) async fn end(
    db: &mut SqliteConnection,
    id: i64,
    end: CallEnd<'_>,
    mut entry: Value,
) -> Result<Option<String>> {
    let digest = match end.body {
        Some(bytes) => Some(evidence::keep(db, bytes).await?),
        None => None,
    };
    let ended = sqlx::query(
        "UPDATE tool_calls SET outcome = ?2, reason = ?3, digest = ?4, millis = ?5
         WHERE id = ?1 AND outcome = 'started'",
    )
    .bind(id)
    .bind(end.outcome.as_str())
    .bind(end.reason)
    .bind(&digest)
    .bind(end.millis)
    .execute(&mut *db)
    .await?;
    if ended.rows_affected() == 0 {
        return Err(StoreError::not_found(format!("started tool call {id}")));
    }
    entry["digest"] = digest.clone().map_or(Value::Null, Value::from);
    audit::append(db, end.at, &entry).await?;
    Ok(digest)
}

impl<'r> TryFrom<Fields<'r>> for ToolCall {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            case: row.case("case_id")?,
            tier: row.tier("tier")?,
            asked_by: row.get("asked_by")?,
            tool: row.get("tool")?,
            class: row.word("class")?,
            arguments: row.json("arguments")?,
            outcome: row.word("outcome")?,
            reason: row.get("reason")?,
            digest: row.get("digest")?,
            started: row.time("started")?,
            millis: row.get("millis")?,
        })
    }
}
