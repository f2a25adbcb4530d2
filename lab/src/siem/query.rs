//! Running a checked statement: at the question's time, within a time limit, as JSON rows. Which
//! statements may run is decided in `guard`.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::TryStreamExt;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Column, Decode, Row as _, SqliteConnection, TypeInfo, ValueRef,
    pool::PoolConnection,
    sqlite::{Sqlite, SqliteRow},
};

use super::{
    guard::{self, Checked, Refusal},
    load::{Logs, run},
};
use crate::{
    answer::{Answer, MAX_BYTES, size_of_json},
    clock::Stamp,
    files::{Loaded, Row, Unanswered, bounded},
};

/// How long a statement may run.
const LONGEST: Duration = Duration::from_secs(2);
/// How long past that an answer is waited for.
const GRACE: Duration = Duration::from_secs(1);
/// How many steps of SQLite's machine pass between two looks at the clock.
const STEPS: i32 = 10_000;

/// Rows of a query.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct LogAnswer {
    #[serde(flatten)]
    answer: Answer,
    /// Column names, in order.
    columns: Vec<String>,
}

impl LogAnswer {
    pub(super) fn absent(reason: String) -> Self {
        Self {
            answer: Answer::absent(reason),
            columns: Vec::new(),
        }
    }
}

impl Logs {
    /// Answers one SELECT with at most `limit` rows, none later than `as_of`.
    pub(super) async fn query(&self, sql: &str, as_of: Stamp, limit: usize) -> Loaded<LogAnswer> {
        if self.tables.is_empty() {
            self.any_failure()?;
            return Err(Unanswered::Absent("this lab has no logs".to_owned()));
        }
        let mut views: BTreeSet<String> = self.tables.keys().map(|t| t.to_lowercase()).collect();
        views.insert("events".to_owned());
        let checked = match guard::check(sql, &views, &self.reserved) {
            Ok(checked) => checked,
            Err(Refusal::Not(reason)) => return Err(Unanswered::Failed(reason)),
            Err(Refusal::NoSuchTable(name)) => return Err(self.no_such_table(&name)),
        };
        if checked.views.contains("events") {
            self.any_failure()?;
        }
        let connection = match self.pool.acquire().await {
            Ok(connection) => connection,
            Err(error) => return Err(Unanswered::Failed(self.explain(&error))),
        };
        // In a task of its own, so that a caller who goes away can't leave the connection half set,
        // and so that one long step inside SQLite, which looks at no clock, can't hold the answer.
        let task = tokio::spawn(rows(connection, checked, as_of, limit));
        let rows = match tokio::time::timeout(LONGEST + GRACE, task).await {
            Ok(rows) => rows,
            Err(_) => return Err(Unanswered::Failed(stopped())),
        };
        match rows {
            Ok(Ok((rows, columns, note))) => Ok(LogAnswer {
                answer: Answer {
                    truncated: note.is_some(),
                    note,
                    ..Answer::new(as_of, rows, usize::MAX)
                },
                columns,
            }),
            Ok(Err(error)) => Err(Unanswered::Failed(self.explain(&error))),
            Err(_) => Err(Unanswered::Failed(
                "the query stopped unexpectedly".to_owned(),
            )),
        }
    }

    fn no_such_table(&self, name: &str) -> Unanswered {
        match self.unanswered.get(name) {
            Some(reason) => reason.clone(),
            None => Unanswered::Failed(format!(
                "no such table: {}; {}",
                bounded(name, 60),
                self.tables_there_are()
            )),
        }
    }

    fn tables_there_are(&self) -> String {
        let mut names: Vec<&str> = self.tables.keys().map(String::as_str).collect();
        names.push("events");
        format!("the tables are {}", names.join(", "))
    }

    fn explain(&self, error: &sqlx::Error) -> String {
        let message = match error {
            sqlx::Error::Database(error) => error.message().to_owned(),
            sqlx::Error::PoolTimedOut => "busy with earlier queries; ask again".to_owned(),
            other => other.to_string(),
        };
        let message = bounded(&message, 500);
        if message == "interrupted" {
            return stopped();
        }
        if message.starts_with("no such column") {
            let hint = "text goes in single quotes; list_tables shows the fields";
            return format!("{message}; {hint}; {}", self.tables_there_are());
        }
        message
    }
}

fn stopped() -> String {
    format!(
        "stopped after {} s without an answer; narrow the question, for example by event_time",
        LONGEST.as_secs()
    )
}

type Rows = (Vec<Row>, Vec<String>, Option<String>);

async fn rows(
    mut connection: PoolConnection<Sqlite>,
    checked: Checked,
    as_of: Stamp,
    limit: usize,
) -> Result<Rows, sqlx::Error> {
    run(&mut connection, "PRAGMA query_only = OFF").await?;
    let set = sqlx::query("UPDATE _clock SET now = ?")
        .bind(as_of.to_string())
        .execute(&mut *connection)
        .await;
    run(&mut connection, "PRAGMA query_only = ON").await?;
    set?;
    let end = Instant::now() + LONGEST;
    connection
        .lock_handle()
        .await?
        .set_progress_handler(STEPS, move || Instant::now() < end);
    let rows = fetch(&mut connection, checked.sql, limit).await;
    connection.lock_handle().await?.remove_progress_handler();
    rows
}

/// Takes rows until one of the limits is met; says which in the note.
async fn fetch(
    connection: &mut SqliteConnection,
    sql: String,
    limit: usize,
) -> Result<Rows, sqlx::Error> {
    let mut stream = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .fetch(connection);
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    let mut room = MAX_BYTES;
    while let Some(row) = stream.try_next().await? {
        if columns.is_empty() {
            columns = names(&row);
        }
        if rows.len() == limit {
            let note = format!("cut after {limit} rows; count in SQL, or narrow the question");
            return Ok((rows, columns, Some(note)));
        }
        let row = object(&row, &columns);
        let size = size_of_json(&Value::Object(row.clone()));
        if size > room {
            let note = format!("cut at {MAX_BYTES} bytes; select fewer columns or rows");
            return Ok((rows, columns, Some(note)));
        }
        room -= size;
        rows.push(row);
    }
    Ok((rows, columns, None))
}

/// Column names, a repeated one numbered.
fn names(row: &SqliteRow) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in row.columns() {
        let name = column.name();
        let taken = |names: &Vec<String>, name: &str| names.iter().any(|known| known == name);
        let mut free = name.to_owned();
        let mut number = 2;
        while taken(&names, &free) {
            free = format!("{name}_{number}");
            number += 1;
        }
        names.push(free);
    }
    names
}

fn object(row: &SqliteRow, names: &[String]) -> Row {
    names
        .iter()
        .zip(row.columns())
        .map(|(name, column)| {
            let value = value(row, column.ordinal());
            (name.clone(), parsed(column.name(), value))
        })
        .collect()
}

/// `raw` and whatever ends so is shown as the JSON it holds.
fn parsed(name: &str, value: Value) -> Value {
    match &value {
        Value::String(text) if name.to_lowercase().ends_with("raw") => {
            serde_json::from_str(text).unwrap_or(value)
        }
        _ => value,
    }
}

fn value(row: &SqliteRow, ordinal: usize) -> Value {
    let Ok(cell) = row.try_get_raw(ordinal) else {
        return Value::Null;
    };
    if cell.is_null() {
        return Value::Null;
    }
    let kind = cell.type_info().name().to_owned();
    let decoded = match kind.as_str() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(cell).map(Value::from),
        "REAL" => <f64 as Decode<Sqlite>>::decode(cell).map(Value::from),
        "TEXT" => <&[u8] as Decode<Sqlite>>::decode(cell)
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned().into()),
        _ => <&[u8] as Decode<Sqlite>>::decode(cell).map(|bytes| hex(bytes).into()),
    };
    decoded.unwrap_or(Value::Null)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
