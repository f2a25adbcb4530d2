//! Taking values out of a parsed TOML document and collecting every fault with its line. It knows
//! TOML and places; which keys there are is for the manifest.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use toml::de::{DeTable, DeValue};

use crate::{Fault, LabError, files::bounded};

/// Collects faults while a document is read, so that all are shown at once.
pub(super) struct Reader<'a> {
    text: &'a str,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            faults: Vec::new(),
        }
    }

    pub(super) fn clean(&self) -> bool {
        self.faults.is_empty()
    }

    pub(super) fn into_error(mut self, file: PathBuf) -> LabError {
        self.faults.sort_by_key(|fault| fault.line);
        LabError::Manifest {
            file,
            faults: self.faults,
        }
    }

    /// Notes a fault at a byte offset.
    pub(super) fn fault(&mut self, place: usize, key: &str, problem: impl Into<String>) {
        let before = self.text.get(..place).unwrap_or(self.text);
        self.faults.push(Fault {
            line: before.matches('\n').count() + 1,
            key: key.to_owned(),
            problem: problem.into(),
        });
    }

    /// Every key of `table` that is not in `allowed` is a fault.
    pub(super) fn only(&mut self, table: &DeTable<'_>, under: &str, allowed: &[&str]) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !allowed.contains(&name) {
                let problem = format!("is not a known key; known here: {}", allowed.join(", "));
                let path = join(under, &bounded(name, 60));
                self.fault(key.span().start, &path, problem);
            }
        }
    }

    /// A top-level text that must be there.
    pub(super) fn text(&mut self, table: &DeTable<'_>, under: &str, key: &str) -> Option<String> {
        self.required(table, 0, under, key)
    }

    /// A text that must be there; `place` is blamed when it is not.
    pub(super) fn required(
        &mut self,
        table: &DeTable<'_>,
        place: usize,
        under: &str,
        key: &str,
    ) -> Option<String> {
        if !table.contains_key(key) {
            self.fault(place, &join(under, key), "is missing");
            return None;
        }
        self.optional(table, under, key)
    }

    /// A text that may be there; empty or of another type is a fault.
    pub(super) fn optional(
        &mut self,
        table: &DeTable<'_>,
        under: &str,
        key: &str,
    ) -> Option<String> {
        let value = table.get(key)?;
        match value.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => Some(text.to_string()),
            _ => {
                let path = join(under, key);
                self.fault(
                    value.span().start,
                    &path,
                    "must be a text that is not empty",
                );
                None
            }
        }
    }

    /// The lab's clock: an RFC 3339 text or a TOML time with offset.
    pub(super) fn clock(&mut self, table: &DeTable<'_>) -> Option<DateTime<Utc>> {
        let Some(value) = table.get("clock") else {
            self.fault(0, "clock", "is missing");
            return None;
        };
        let text = match value.get_ref() {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            _ => String::new(),
        };
        let time = DateTime::parse_from_rfc3339(&text).ok();
        if time.is_none() {
            let problem = "must be an RFC 3339 time such as 2026-07-15T00:00:00Z";
            self.fault(value.span().start, "clock", problem);
        }
        time.map(|time| time.to_utc())
    }
}

fn join(under: &str, key: &str) -> String {
    if under.is_empty() {
        key.to_owned()
    } else {
        format!("{under}.{key}")
    }
}

/// A TOML table as JSON; a time becomes its text.
pub(super) fn json_table(table: &DeTable<'_>) -> serde_json::Map<String, serde_json::Value> {
    table
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), json(value.get_ref())))
        .collect()
}

fn json(value: &DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| number.to_string().into(), Into::into),
        DeValue::Float(number) => number
            .as_str()
            .parse::<f64>()
            .map_or_else(|_| number.to_string().into(), Into::into),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(list) => list.iter().map(|entry| json(entry.get_ref())).collect(),
        DeValue::Table(table) => json_table(table).into(),
    }
}
