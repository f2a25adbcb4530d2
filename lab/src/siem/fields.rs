//! Which fields a log table has: dotted paths with JSON types and the time each was first seen. No
//! value of a field is kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{clock::Stamp, files::Row};

/// The most paths kept for a table.
pub(super) const MOST: usize = 400;
/// Paths deeper or longer than this are left out: field names are the event's, not ours.
const DEEPEST: usize = 8;
const LONGEST: usize = 200;

/// The fields of one table.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Path, then type, then the earliest event that has it so.
    paths: BTreeMap<String, BTreeMap<&'static str, Stamp>>,
    /// Top-level keys that hold a scalar somewhere, in the order seen.
    pub scalars: Vec<String>,
    cut: bool,
}

impl Fields {
    /// Takes note of one row.
    pub(super) fn add(&mut self, row: &Row, time: Stamp) {
        for (key, value) in row {
            let scalar = !matches!(value, Value::Object(_) | Value::Array(_) | Value::Null);
            if scalar && self.scalars.len() < MOST && !self.scalars.contains(key) {
                self.scalars.push(key.clone());
            }
            self.walk(key.clone(), value, time, 1);
        }
    }

    fn walk(&mut self, path: String, value: &Value, time: Stamp, depth: usize) {
        if depth > DEEPEST || path.len() > LONGEST {
            self.cut = true;
            return;
        }
        match value {
            Value::Object(object) => {
                for (key, member) in object {
                    self.walk(format!("{path}.{key}"), member, time, depth + 1);
                }
            }
            Value::Array(members) => {
                self.note(path.clone(), "array", time);
                for member in members {
                    self.walk(format!("{path}[]"), member, time, depth + 1);
                }
            }
            Value::String(_) => self.note(path, "string", time),
            Value::Number(_) => self.note(path, "number", time),
            Value::Bool(_) => self.note(path, "boolean", time),
            Value::Null => self.note(path, "null", time),
        }
    }

    fn note(&mut self, path: String, kind: &'static str, time: Stamp) {
        if self.paths.len() >= MOST && !self.paths.contains_key(&path) {
            self.cut = true;
            return;
        }
        let first = self.paths.entry(path).or_default().entry(kind);
        first.and_modify(|t| *t = (*t).min(time)).or_insert(time);
    }

    /// Paths and types known at `as_of`, and whether some are left out.
    pub(super) fn at(&self, as_of: Stamp) -> (Map<String, Value>, bool) {
        let mut fields = Map::new();
        for (path, kinds) in &self.paths {
            let known = kinds.iter().filter(|(_, first)| **first <= as_of);
            let names: Vec<&str> = known.map(|(kind, _)| *kind).collect();
            if !names.is_empty() {
                fields.insert(path.clone(), names.join("|").into());
            }
        }
        (fields, self.cut)
    }
}
