//! From `logs/*.jsonl` to views in an in-memory database. Base tables have names that start with an
//! underscore; only the views, which hide what is later than "now", are offered to questions.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};

use serde_json::{Map, Value, json};
use sqlx::{
    AssertSqlSafe, Row as _, SqliteConnection, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::fields::Fields;
use crate::{
    LabError,
    clock::Stamp,
    files::{self, Loaded, Row, Unanswered, bounded},
    manifest,
    serve::Lab,
};

/// Rows are handed to the database in pieces of about this many bytes.
const CHUNK: usize = 4 * 1024 * 1024;
/// What SQLite may take beside the logs themselves; a question that wants more fails.
const HEAP: usize = 512 * 1024 * 1024;

/// The logs, ready to be asked.
pub(super) struct Logs {
    pub pool: SqlitePool,
    pub tables: BTreeMap<String, Table>,
    /// Tables that have no file or one that can't be read, in small letters, and why.
    pub unanswered: BTreeMap<String, Unanswered>,
    /// Names that a statement must not give to a part of its own, in small letters.
    pub reserved: BTreeSet<String>,
}

/// What is known of a table without asking the database.
pub(super) struct Table {
    times: Vec<Stamp>,
    fields: Fields,
}

struct Event {
    id: String,
    time: Stamp,
    raw: String,
}

impl Logs {
    pub(super) async fn open(lab: &Lab) -> Result<Self, LabError> {
        let pool = memory().await?;
        let mut logs = Self {
            tables: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            reserved: reserved(&pool).await?,
            pool,
        };
        for name in lab.manifest.tables.keys() {
            let reason = format!("this lab has no logs/{name}.jsonl");
            let lower = name.to_lowercase();
            logs.unanswered.insert(lower, Unanswered::Absent(reason));
        }
        let mut connection = logs.pool.acquire().await?;
        run(&mut connection, "CREATE TABLE _clock (now TEXT NOT NULL)").await?;
        run(&mut connection, "INSERT INTO _clock VALUES ('')").await?;
        let mut bytes = 0;
        let names = names(lab).unwrap_or_else(|error| {
            let reason = Unanswered::Failed(format!("can't list logs/: {error}"));
            logs.unanswered.insert("logs/".to_owned(), reason);
            Vec::new()
        });
        for (number, name) in names.into_iter().enumerate() {
            let lower = name.to_lowercase();
            match logs.read(lab, &name) {
                Err(unanswered) => {
                    logs.unanswered.insert(lower, unanswered);
                }
                Ok((events, table)) => {
                    bytes += events.iter().map(|event| event.raw.len()).sum::<usize>();
                    fill(&mut connection, number, &events).await?;
                    let view = view(&name, number, &table.fields);
                    run(&mut connection, &view).await?;
                    logs.unanswered.remove(&lower);
                    logs.tables.insert(name, table);
                }
            }
        }
        run(&mut connection, &union(logs.tables.keys())).await?;
        let heap = HEAP.saturating_add(bytes.saturating_mul(8));
        for pragma in [
            "temp_store = MEMORY".to_owned(),
            format!("hard_heap_limit = {heap}"),
            "query_only = ON".to_owned(),
        ] {
            run(&mut connection, &format!("PRAGMA {pragma}")).await?;
        }
        drop(connection);
        Ok(logs)
    }

    fn read(&self, lab: &Lab, name: &str) -> Loaded<(Vec<Event>, Table)> {
        let file = format!("logs/{name}.jsonl");
        let lower = name.to_lowercase();
        let taken = lower == "events" || self.reserved.contains(&lower);
        let inner = lower.starts_with("sqlite") || lower.starts_with("pragma");
        if !is_plain(name) || taken || inner {
            return Err(Unanswered::Failed(format!(
                "{} can't be a table's name; rename the file to small letters, digits and \
                 underscores, not `events`",
                bounded(&file, 100)
            )));
        }
        if self
            .tables
            .keys()
            .any(|known| known.to_lowercase() == lower)
        {
            return Err(Unanswered::Failed(format!(
                "{file} differs from another table in letter case only; rename it"
            )));
        }
        let default = manifest::Table::default();
        let keys = lab.manifest.tables.get(name).unwrap_or(&default);
        let mut events = Vec::new();
        let mut fields = Fields::default();
        for (number, line) in files::lines(&files::bytes(&lab.dir, &file)?) {
            let event = files::row(line).and_then(|row| event(row, keys, &mut fields));
            events.push(event.map_err(|problem| {
                Unanswered::Failed(format!("{file} line {number}: {problem}; correct the file"))
            })?);
        }
        let mut times: Vec<Stamp> = events.iter().map(|event| event.time).collect();
        times.sort_unstable();
        Ok((events, Table { times, fields }))
    }

    /// Name, rows, times and fields of each table, at a time.
    pub(super) fn describe(&self, as_of: Stamp) -> Loaded<Vec<Value>> {
        self.any_failure()?;
        if self.tables.is_empty() {
            return Err(Unanswered::Absent("this lab has no logs".to_owned()));
        }
        Ok(self
            .tables
            .iter()
            .map(|(name, table)| {
                let rows = table.times.partition_point(|time| *time <= as_of);
                let seen = &table.times[..rows];
                let (fields, cut) = table.fields.at(as_of);
                json!({
                    "name": name,
                    "rows": rows,
                    "first": seen.first().map(Stamp::to_string),
                    "last": seen.last().map(Stamp::to_string),
                    "fields": fields,
                    "fields_truncated": cut,
                })
            })
            .collect())
    }

    /// The first table that is there and can't be read, as a refusal.
    pub(super) fn any_failure(&self) -> Loaded<()> {
        let mut reasons = self.unanswered.values();
        match reasons.find(|reason| matches!(reason, Unanswered::Failed(_))) {
            Some(reason) => Err(reason.clone()),
            None => Ok(()),
        }
    }
}

fn event(row: Row, keys: &manifest::Table, fields: &mut Fields) -> Result<Event, String> {
    let get = |key: &str| match key.starts_with('/') {
        true => pointer(&row, key),
        false => row.get(key),
    };
    let time = get(&keys.time)
        .and_then(Value::as_str)
        .and_then(Stamp::rfc3339)
        .ok_or_else(|| format!("no RFC 3339 time under `{}`", bounded(&keys.time, 60)))?;
    let id = match get(&keys.id) {
        Some(Value::String(text)) if !text.is_empty() => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(format!("no id under `{}`", bounded(&keys.id, 60))),
    };
    fields.add(&row, time);
    let raw = serde_json::to_string(&row).map_err(|error| error.to_string())?;
    Ok(Event { id, time, raw })
}

fn pointer<'a>(row: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let (first, rest) = key.get(1..)?.split_once('/').unwrap_or((&key[1..], ""));
    let value = row.get(first)?;
    match rest {
        "" => Some(value),
        rest => value.pointer(&format!("/{rest}")),
    }
}

/// The tables there are files for, in order.
fn names(lab: &Lab) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(lab.dir.join("logs")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if let Some(name) = file.strip_suffix(".jsonl").filter(|n| !n.starts_with('.')) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// One connection that lives as long as the server: the database is gone with it.
async fn memory() -> Result<SqlitePool, sqlx::Error> {
    let options: SqliteConnectOptions = "sqlite::memory:".parse()?;
    SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
}

/// The names of SQLite's virtual tables, which must not be shadowed.
async fn reserved(pool: &SqlitePool) -> Result<BTreeSet<String>, sqlx::Error> {
    let rows = sqlx::query("SELECT lower(name) FROM pragma_module_list")
        .fetch_all(pool)
        .await?;
    // SQLite names these two only after their first use.
    let late = ["json_each", "json_tree"].map(|name| Ok(name.to_owned()));
    let named = rows.iter().map(|row| row.try_get(0));
    named.chain(late).collect()
}

/// Runs a statement of ours.
pub(super) async fn run(connection: &mut SqliteConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(|_| ())
}

async fn fill(
    connection: &mut SqliteConnection,
    number: usize,
    events: &[Event],
) -> Result<(), sqlx::Error> {
    let table = format!(
        "CREATE TABLE _t{number} (event_uid TEXT, event_time TEXT, raw TEXT, doc BLOB);
         CREATE INDEX _t{number}_time ON _t{number} (event_time)"
    );
    run(connection, &table).await?;
    let insert = format!(
        "INSERT INTO _t{number} SELECT value ->> 0, value ->> 1, value ->> 2, jsonb(value ->> 2)
         FROM json_each(?)"
    );
    let mut rest = events;
    while !rest.is_empty() {
        let mut size = 0;
        let fits = |event: &&Event| {
            let fits = size < CHUNK;
            size += event.raw.len();
            fits
        };
        let (piece, left) = rest.split_at(rest.iter().take_while(fits).count());
        rest = left;
        let rows = piece
            .iter()
            .map(|event| json!([event.id, event.time.to_string(), event.raw]));
        sqlx::query(AssertSqlSafe(insert.clone()))
            .bind(Value::Array(rows.collect()).to_string())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// The view of one table. Keys that differ in letter case only share a column, because SQLite's
/// column names do; keys whose name can't stand in a JSON path have none.
fn view(name: &str, number: usize, fields: &Fields) -> String {
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    for key in &fields.scalars {
        let lower = key.to_lowercase();
        let ours = ["event_uid", "event_time", "raw"].contains(&lower.as_str());
        let strange = |c: char| c.is_control() || "\"\\`[]'".contains(c);
        if ours || key.is_empty() || key.len() > 120 || key.contains(strange) {
            continue;
        }
        let value = format!("json_extract(doc, '$.\"{key}\"')");
        match columns
            .iter_mut()
            .find(|(known, _)| known.to_lowercase() == lower)
        {
            Some((_, values)) => values.push(value),
            None => columns.push((key.clone(), vec![value])),
        }
    }
    let columns: String = columns
        .into_iter()
        .map(|(key, values)| match values.as_slice() {
            [value] => format!(", {value} AS \"{key}\""),
            _ => format!(", coalesce({}) AS \"{key}\"", values.join(", ")),
        })
        .collect();
    format!(
        "CREATE VIEW \"{name}\" AS SELECT event_uid, event_time, raw{columns} FROM _t{number} \
         WHERE event_time <= (SELECT now FROM _clock)"
    )
}

/// The view over all tables.
fn union<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let parts: Vec<String> = names
        .map(|name| {
            format!("SELECT event_uid, event_time, '{name}' AS table_name, raw FROM \"{name}\"")
        })
        .collect();
    let body = match parts.is_empty() {
        true => {
            "SELECT '' AS event_uid, '' AS event_time, '' AS table_name, '' AS raw WHERE 0".into()
        }
        false => parts.join(" UNION ALL "),
    };
    format!("CREATE VIEW events AS {body}")
}
