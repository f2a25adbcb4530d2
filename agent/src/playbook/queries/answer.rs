//! Where rows stand in a product's answer and how one reads as an event; what the rows mean is the mappings'.

use mcp_clients::result::at;
use serde_json::{Map, Value, json};

use super::form::AnswerForm;

/// The rows of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Each an event, or `{event_uid, event_time, raw}` around one.
    pub rows: Vec<Value>,
    /// Whether there is more: the product says so, or it gave more than is taken.
    pub more: bool,
}

/// The rows of an answer, or why it can't be read: an answer without its rows is never an empty one.
pub(super) fn read(form: &AnswerForm, value: &Value, most: Option<u64>) -> Result<Rows, String> {
    let mut more = form
        .more
        .iter()
        .any(|path| at(value, path) == Some(&Value::Bool(true)));
    if !form.count.is_empty() {
        return Ok(Rows {
            rows: vec![count(form, value)?],
            more,
        });
    }
    if let Some(mut found) = form.rows.iter().find_map(|path| rows_at(value, path)) {
        more |= cut(&mut found, most);
        let found = found.into_iter().flatten();
        let rows = found.map(|row| event(form, row)).collect();
        return Ok(Rows { rows, more });
    }
    let says = |start: &String| {
        let text = value.get("text").and_then(Value::as_str);
        text.is_some_and(|t| t.trim_start().starts_with(start.as_str()))
    };
    if form.nothing.as_ref().is_some_and(says) {
        return Ok(Rows {
            rows: Vec::new(),
            more,
        });
    }
    Err(format!(
        "the answer has no list of rows at {}; see `answer` of the query dialect",
        form.rows.join(" or ")
    ))
}

/// Leaves no more than `most`; whether there were more.
pub fn cut<T>(found: &mut Vec<T>, most: Option<u64>) -> bool {
    let Some(most) = most.and_then(|m| usize::try_from(m).ok()) else {
        return false;
    };
    let more = found.len() > most;
    found.truncate(most);
    more
}

/// The list at a path, one by one; where the path says `*`, what stands there in each element of a list.
fn rows_at<'v>(value: &'v Value, path: &str) -> Option<Vec<Vec<&'v Value>>> {
    let Some((before, after)) = path.split_once(".*.") else {
        return match at(value, path)? {
            Value::Array(rows) => Some(rows.iter().map(|row| vec![row]).collect()),
            _ => None,
        };
    };
    let Value::Array(items) = at(value, before)? else {
        return None;
    };
    let inner = |v| Some(rows_at(v, after)?.into_iter().flatten().collect());
    items.iter().map(inner).collect()
}

/// One row as an event.
fn event(form: &AnswerForm, row: &Value) -> Value {
    let Value::Object(map) = row else {
        return row.clone();
    };
    let key = |key: &Option<String>| get(map, key.as_deref()?);
    let inner = key(&form.event).and_then(object);
    let mut out = Map::new();
    if let Some(uid) = key(&form.uid).filter(|v| !v.is_null()) {
        out.insert("event_uid".to_owned(), uid.clone());
    }
    if let Some(time) = key(&form.time).filter(|v| !v.is_null()) {
        out.insert("event_time".to_owned(), time.clone());
    }
    let raw = match inner {
        Some(inner) => inner,
        None if form.event.is_some() => map.clone(),
        None => return Value::Object(spelt(form, map.clone())),
    };
    let raw = Value::Object(spelt(form, raw));
    if out.is_empty() {
        return raw;
    }
    out.insert("raw".to_owned(), raw);
    Value::Object(out)
}

/// The value of a key, letter case aside where it is not there as written.
fn get<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m Value> {
    let other = || map.iter().find(|(k, _)| k.eq_ignore_ascii_case(key));
    map.get(key).or_else(|| other().map(|(_, v)| v))
}

/// An object, or the one that a text holds.
fn object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// Top keys spelt as the events spell them.
fn spelt(form: &AnswerForm, map: Map<String, Value>) -> Map<String, Value> {
    if form.columns.is_empty() {
        return map;
    }
    map.into_iter()
        .map(|(key, value)| {
            let known = form.columns.iter().find(|c| c.eq_ignore_ascii_case(&key));
            // Columns that no event of ours names are in small letters, as standard ones are.
            let shouted = !key.bytes().any(|b| b.is_ascii_lowercase());
            let key = match known {
                Some(known) => known.clone(),
                None if shouted => key.to_ascii_lowercase(),
                None => key,
            };
            (key, value)
        })
        .collect()
}

/// The one row of a count; a field that is not there is an answer that can't be read.
fn count(form: &AnswerForm, value: &Value) -> Result<Value, String> {
    let mut row = Map::new();
    for (field, paths) in &form.count {
        let found = paths.iter().find_map(|path| match path.strip_suffix(".#") {
            Some(list) => at(value, list)?.as_array().map(|a| json!(a.len())),
            None => at(value, path).cloned(),
        });
        let found = found.ok_or_else(|| {
            format!(
                "the answer has no `{field}` at {}; see `answer` of the query dialect",
                paths.join(" or ")
            )
        })?;
        row.insert(field.clone(), found);
    }
    Ok(Value::Object(row))
}
