//! How a value asked for is compared with a row: exact names, short names, exact leaves. It decides
//! equality only; no pattern and no guess is made here.

use serde_json::Value;

use crate::files::{Row, Unanswered, bounded};

/// The most values one question may ask for.
const MAX_VALUES: usize = 200;

/// The texts under `keys`: strings, numbers, and the members of arrays of these. An array member
/// that is an object counts with its `address`, `name` or `id`.
pub(crate) fn texts<'a>(row: &'a Row, keys: &'a [&'a str]) -> impl Iterator<Item = String> + 'a {
    keys.iter()
        .filter_map(|key| row.get(*key))
        .flat_map(|value| match value {
            Value::Array(members) => members.iter().filter_map(text).collect(),
            other => text(other).into_iter().collect::<Vec<_>>(),
        })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => ["address", "name", "id"]
            .iter()
            .find_map(|key| object.get(*key).and_then(Value::as_str))
            .map(str::to_owned),
        _ => None,
    }
}

/// Whether any text under `keys` equals `wanted`, letter case aside.
pub(crate) fn equals(row: &Row, keys: &[&str], wanted: &str) -> bool {
    let wanted = wanted.trim().to_lowercase();
    !wanted.is_empty() && texts(row, keys).any(|text| text.to_lowercase() == wanted)
}

/// The last path segment of an ARN, the part after the last backslash, or the part before `@`.
pub(crate) fn short_name(text: &str) -> &str {
    let text = text.trim();
    let text = match text.get(..4) {
        Some(head) if head.eq_ignore_ascii_case("arn:") => {
            text.rsplit_once('/').map_or(text, |(_, last)| last)
        }
        _ => text,
    };
    let text = text.rsplit_once('\\').map_or(text, |(_, last)| last);
    text.split_once('@').map_or(text, |(first, _)| first)
}

/// Those of `values` that stand in the row as a whole string leaf, at any depth.
pub(crate) fn leaves_in(row: &Row, values: &[String]) -> Vec<String> {
    let mut leaves = Vec::new();
    for value in row.values() {
        collect(value, &mut leaves);
    }
    values
        .iter()
        .filter(|value| leaves.contains(&value.as_str()))
        .cloned()
        .collect()
}

fn collect<'a>(value: &'a Value, leaves: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => leaves.push(text),
        Value::Array(members) => members.iter().for_each(|member| collect(member, leaves)),
        Value::Object(object) => object.values().for_each(|member| collect(member, leaves)),
        _ => {}
    }
}

/// Refuses a list of values that is too long or holds an empty one.
pub(crate) fn check_values(values: &[String]) -> Result<(), Unanswered> {
    if values.len() > MAX_VALUES {
        return Err(Unanswered::Failed(format!(
            "at most {MAX_VALUES} values in one question"
        )));
    }
    if values.iter().any(|value| value.trim().is_empty()) {
        return Err(Unanswered::Failed(
            "a value is empty; leave it out".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses an id that is empty or longer than any real one.
pub(crate) fn check_id(id: &str) -> Result<(), Unanswered> {
    if id.trim().is_empty() {
        return Err(Unanswered::Failed("the value asked for is empty".into()));
    }
    if id.len() > 2048 {
        return Err(Unanswered::Failed(format!(
            "the value asked for is longer than 2048 bytes: {}",
            bounded(id, 60)
        )));
    }
    Ok(())
}
