//! What a dialect file may not say; whether the playbooks' queries are in it is `check`'s.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde_json::{Map, Value, json};

use super::Dialect;
use super::form::{Form, QueryForm, SlotType};
use super::template::{Piece, pieces};

/// Every fault of a dialect.
pub(super) fn of(dialect: &Dialect) -> Vec<String> {
    let mut found = Vec::new();
    let queries = || {
        dialect
            .form
            .call
            .values()
            .filter(|v| v.as_str() == Some("{query}"))
    };
    if queries().count() != 1 {
        found.push("`call` must have exactly one argument that is \"{query}\"".to_owned());
    }
    let tables = dialect.form.tables.values().flatten();
    for table in tables.filter(|t| !is_table(dialect.language, t)) {
        found.push(format!("`{table}` is not the name of a table or index"));
    }
    for (name, query) in &dialect.form.queries {
        let mut faults = Vec::new();
        if query.finds.trim().is_empty() {
            faults.push("says no `finds`".to_owned());
        }
        match &query.not_available {
            Some(reason) if reason.trim().is_empty() => {
                faults.push("`not_available` gives no reason".to_owned());
            }
            Some(_) => {}
            None => worded(dialect, query, &mut faults),
        }
        if faults.is_empty() && query.not_available.is_none() {
            trial(dialect, (name, query), &mut faults);
        }
        found.extend(faults.into_iter().map(|f| format!("query `{name}` {f}")));
    }
    found
}

/// Names of tables stand in queries as they are.
fn is_table(language: Form, name: &str) -> bool {
    let more = match language {
        Form::Sqlite | Form::Snowflake => "._$",
        Form::SearchDsl => "._-*:<>{}/+",
        Form::Spl => "_-*",
    };
    let begins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '*' | '<');
    name.starts_with(begins)
        && name.len() <= 200
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

/// That a query has its words, and that they name its slots, its parts and two bounds in time.
fn worded(dialect: &Dialect, query: &QueryForm, found: &mut Vec<String>) {
    let mut named = BTreeSet::new();
    match (dialect.language, &query.text, &query.body) {
        (Form::SearchDsl, None, Some(body)) => names(dialect, body, &mut named),
        (Form::SearchDsl, ..) => found.push("needs `body` and no `text`".to_owned()),
        (_, Some(text), None) => names(dialect, &json!(text), &mut named),
        (_, _, _) => found.push("needs `text` and no `body`".to_owned()),
    }
    if named.contains("tables") {
        let each = query.each.as_deref().or(dialect.part("each"));
        names(dialect, &json!(each), &mut named);
    }
    for name in &named {
        let known = match name.strip_prefix('@') {
            Some(part) => dialect.form.parts.contains_key(part),
            None => matches!(name.as_str(), "tables" | "table") || query.slots.contains_key(name),
        };
        if !known {
            found.push(format!(
                "names `{{{name}}}`, which is not among its slots or the dialect's parts"
            ));
        }
    }
    for slot in query.slots.keys().filter(|s| !named.contains(*s)) {
        found.push(format!("has the slot `{slot}` and does not name it"));
    }
    let time = |s: &&String| {
        let kind = query.slots.get(*s);
        matches!(kind, Some(SlotType::Before | SlotType::After))
    };
    if named.iter().filter(time).count() < 2 {
        found.push("names no two bounds in time".to_owned());
    }
    let slots = &query.slots;
    for slot in query.defaults.keys().filter(|s| !slots.contains_key(*s)) {
        found.push(format!("defaults `{slot}`, which is not among its slots"));
    }
    let families = &dialect.form.tables;
    for family in query.tables.iter().filter(|f| !families.contains_key(*f)) {
        found.push(format!(
            "reads the tables of `{family}`, and no such family is named"
        ));
    }
}

/// Every name in the words of a query and in the parts that they name.
fn names(dialect: &Dialect, words: &Value, out: &mut BTreeSet<String>) {
    match words {
        Value::String(text) => {
            for piece in pieces(text) {
                let Piece::Slot { name, .. } = piece else {
                    continue;
                };
                let new = out.insert(name.to_owned());
                let part = name.strip_prefix('@').filter(|_| new);
                if let Some(part) = part.and_then(|p| dialect.form.parts.get(p)) {
                    names(dialect, part, out);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|v| names(dialect, v, out)),
        Value::Object(map) => map.values().for_each(|v| names(dialect, v, out)),
        _ => {}
    }
}

/// That it can be written, with any values: SQL must be one reading statement, SPL a chain of reading commands.
fn trial(dialect: &Dialect, named: (&str, &QueryForm), found: &mut Vec<String>) {
    let (name, query) = named;
    // Families that the operator has still to name are tried with a name.
    let mut dialect = dialect.clone();
    for tables in dialect.form.tables.values_mut().filter(|t| t.is_empty()) {
        tables.push("named".to_owned());
    }
    let values: Map<String, Value> = query
        .slots
        .iter()
        .filter(|(slot, _)| !query.defaults.contains_key(*slot))
        .map(|(slot, kind)| {
            let value = match kind {
                SlotType::Text => json!("CORP\\o'neil"),
                SlotType::Texts => json!(["a", "b"]),
                SlotType::Count => json!(10),
                SlotType::Before | SlotType::After => json!("1h"),
            };
            (slot.clone(), value)
        })
        .collect();
    if let Err(e) = dialect.ask(name, &values, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH) {
        found.push(format!("can't be written: {e}"));
    }
}
