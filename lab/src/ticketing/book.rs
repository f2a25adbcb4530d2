//! The book of tickets: tickets.jsonl as it was found, and tickets.out.jsonl, to which each creation
//! and update is appended as one line. It shows a ticket as it stood at a time; it edits no line.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::{
    answer::with,
    clock::{Stamp, any_later, first_time},
    files::{self, Loaded, Row, Unanswered},
    matching::equals,
    serve::Lab,
};

const EARLIER: &str = "tickets.jsonl";
const OUT: &str = "tickets.out.jsonl";

/// When a ticket was made.
pub(super) const MADE: [&str; 3] = ["created_at", "opened_at", "time"];
const CHANGED: [&str; 4] = ["closed_at", "resolved_at", "updated_at", "finished_at"];

/// What a ticket says when it is made. All else may have come later.
const FROM_THE_START: [&str; 35] = [
    "id",
    "key",
    "number",
    "kind",
    "type",
    "title",
    "summary",
    "subject",
    "description",
    "body",
    "severity",
    "priority",
    "created_at",
    "opened_at",
    "time",
    "created_by",
    "reporter",
    "requester",
    "queue",
    "project",
    "case_id",
    "source",
    "entities",
    "observables",
    "values",
    "assets",
    "asset",
    "hosts",
    "host",
    "users",
    "user",
    "rule_id",
    "alert_id",
    "principal",
    "requested_by",
];

/// Earlier tickets, and the file of new ones.
pub(super) struct Book {
    lab: Lab,
    earlier: Loaded<Vec<Row>>,
    out: PathBuf,
}

/// Whether a line of the out file is of this kind.
pub(super) fn is_op(row: &Row, op: &str) -> bool {
    row.get("op").and_then(Value::as_str) == Some(op)
}

impl Book {
    pub(super) fn open(lab: &Lab) -> Self {
        Self {
            earlier: lab.rows(EARLIER),
            out: lab.dir.join(OUT),
            lab: lab.clone(),
        }
    }

    /// The earlier tickets. Without that file there is a ticketing system only if tickets were made.
    fn earlier(&self, made: &[Row]) -> Loaded<&[Row]> {
        match &self.earlier {
            Ok(rows) => Ok(rows),
            Err(Unanswered::Absent(_)) if !made.is_empty() => Ok(&[]),
            Err(Unanswered::Absent(_)) => Err(Unanswered::Absent(format!(
                "this lab has no ticketing system; an empty {EARLIER} gives it one"
            ))),
            Err(failed) => Err(failed.clone()),
        }
    }

    /// The lines of the out file. A last line without its end was never acknowledged.
    fn made(&self) -> Loaded<Vec<Row>> {
        let bytes = match files::bytes(&self.lab.dir, OUT) {
            Ok(bytes) => bytes,
            Err(Unanswered::Absent(_)) => return Ok(Vec::new()),
            Err(failed) => return Err(failed),
        };
        files::lines(&bytes[..whole(&bytes)])
            .map(|(number, line)| {
                files::row(line).map_err(|problem| {
                    Unanswered::Failed(format!("{OUT} line {number}: {problem}; correct the file"))
                })
            })
            .collect()
    }

    /// Every ticket as it stood at `as_of`.
    pub(super) fn tickets(&self, as_of: Stamp) -> Loaded<Vec<Row>> {
        let made = self.made()?;
        let earlier = self.earlier(&made)?;
        let mut tickets: Vec<Row> = earlier
            .iter()
            .filter_map(|row| stood(row, as_of))
            .chain(
                made.iter()
                    .filter(|row| is_op(row, "create"))
                    .filter_map(|row| {
                        let mut row = stood(row, as_of)?;
                        row.shift_remove("op");
                        Some(row)
                    }),
            )
            .collect();
        for update in made.iter().filter(|row| is_op(row, "update")) {
            if any_later(update, &["updated_at"], as_of) {
                continue;
            }
            let id = update.get("id").and_then(Value::as_str).unwrap_or_default();
            for ticket in tickets
                .iter_mut()
                .filter(|ticket| equals(ticket, &["id", "key"], id))
            {
                apply(ticket, update);
            }
        }
        Ok(tickets)
    }

    /// Whether a ticket of this id is there.
    pub(super) fn knows(&self, made: &[Row], id: &str) -> Loaded<bool> {
        let earlier = self.earlier(made)?.iter();
        let created = made.iter().filter(|row| is_op(row, "create"));
        Ok(earlier
            .chain(created)
            .any(|row| equals(row, &["id", "key"], id)))
    }

    /// Appends what `make` returns, unless a line of this key is there: then that line is the answer.
    /// The file is locked meanwhile, so that several servers may share a lab.
    pub(super) fn append(
        &self,
        op: &str,
        key: &str,
        make: impl FnOnce(&[Row]) -> Loaded<Value>,
    ) -> Loaded<Row> {
        if key.trim().is_empty() || key.len() > 200 {
            let problem = "idempotency_key must have 1 to 200 bytes";
            return Err(Unanswered::Failed(problem.to_owned()));
        }
        self.earlier(&self.made()?)?;
        let failed = |error: io::Error| Unanswered::Failed(format!("can't write {OUT}: {error}"));
        let mut file = OpenOptions::new()
            .append(true)
            .read(true)
            .create(true)
            .open(&self.out)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        let made = self.made()?;
        let same = |row: &&Row| row.get("idempotency_key").and_then(Value::as_str) == Some(key);
        if let Some(first) = made.iter().find(same) {
            return match is_op(first, op) {
                true => Ok(first.clone()),
                false => Err(Unanswered::Failed(
                    "this idempotency_key was used for another kind of request".to_owned(),
                )),
            };
        }
        let Value::Object(row) = make(&made)? else {
            return Err(Unanswered::Failed("the ticket is not an object".to_owned()));
        };
        self.write(&mut file, &row).map_err(failed)?;
        Ok(row)
    }

    fn write(&self, file: &mut File, row: &Row) -> io::Result<()> {
        let bytes = std::fs::read(&self.out)?;
        file.set_len(whole(&bytes) as u64)?;
        let mut line = serde_json::to_vec(row)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_data()
    }
}

/// How many bytes are whole lines.
fn whole(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1)
}

/// The ticket as it stood: none if made later; with what it said from the start if changed later.
fn stood(row: &Row, as_of: Stamp) -> Option<Row> {
    if first_time(row, &MADE).is_some_and(|made| made > as_of) {
        return None;
    }
    if !any_later(row, &CHANGED, as_of) {
        return Some(row.clone());
    }
    let mut early = row.clone();
    early.retain(|key, _| FROM_THE_START.contains(&key.as_str()));
    Some(with(
        with(early, "status", "open"),
        "later_fields_hidden",
        true,
    ))
}

/// Brings one update into a ticket.
fn apply(ticket: &mut Row, update: &Row) {
    for key in ["status", "updated_at"] {
        if let Some(value) = update.get(key).filter(|value| !value.is_null()) {
            ticket.insert(key.to_owned(), value.clone());
        }
    }
    let Some(text) = update.get("comment").filter(|value| !value.is_null()) else {
        return;
    };
    let comment = json!({ "at": update.get("updated_at"), "text": text });
    match ticket.get_mut("comments") {
        Some(Value::Array(comments)) => comments.push(comment),
        _ => {
            ticket.insert("comments".to_owned(), json!([comment]));
        }
    }
}
