//! Text that is a table with a header; anything a person might write as prose is not one.

use serde_json::{Map, Value};

/// The rows as objects, if the text is CSV: a header of two or more plain names and rows of the same width.
pub(super) fn table(text: &str) -> Option<Value> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .from_reader(text.as_bytes());
    let header = reader.headers().ok()?.clone();
    let mut seen = std::collections::HashSet::new();
    if header.len() < 2 || !header.iter().all(|cell| is_name(cell) && seen.insert(cell)) {
        return None;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.ok()?;
        let row: Map<String, Value> = header
            .iter()
            .zip(record.iter())
            .map(|(name, cell)| (name.to_owned(), Value::String(cell.to_owned())))
            .collect();
        rows.push(Value::Object(row));
    }
    (!rows.is_empty()).then_some(Value::Array(rows))
}

fn is_name(cell: &str) -> bool {
    let mut chars = cell.chars();
    chars
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || "_@#".contains(c))
        && cell.len() <= 64
        && chars.all(|c| c.is_ascii_alphanumeric() || "_.-@".contains(c))
}
