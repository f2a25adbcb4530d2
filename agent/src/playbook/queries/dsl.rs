//! Search bodies in JSON: slots become JSON values, never JSON text; what a search means is the dialect file's.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::slots::rfc3339;
use super::QueryError;
use super::template::{self, Piece, pieces};
use super::values::{Typed, Values, tail};

/// What a body is filled from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filling<'d> {
    /// Shared fragments.
    pub parts: &'d BTreeMap<String, Value>,
    /// Slots.
    pub values: &'d Values,
    /// How deep fragments may still lie in fragments.
    pub depth: u8,
}

impl Filling<'_> {
    /// The body with its slots and fragments filled. Keys are never filled.
    ///
    /// # Errors
    /// When a slot has no value or stands where its type can't, or a fragment is missing or lies in itself.
    pub(super) fn fill(&self, node: &Value) -> Result<Value, QueryError> {
        match node {
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().map(|v| self.fill(v)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(k, v)| Ok((k.clone(), self.fill(v)?)))
                .collect(),
            other => Ok(other.clone()),
        }
    }

    fn text(&self, text: &str) -> Result<Value, QueryError> {
        match pieces(text).as_slice() {
            [Piece::Slot { name, way }] => match name.strip_prefix('@') {
                Some(part) => self.part(part),
                None => whole((name, *way), self.values),
            },
            [] | [Piece::Plain(_)] => Ok(json!(text)),
            _ => template::fill(text, |name, way| match whole((name, way), self.values)? {
                Value::String(text) if matches!(way, Some("glob" | "tail_glob")) => Ok(text),
                _ => Err(QueryError::Misfit(format!(
                    "`{{{name}}}` inside a text must be a pattern: write `{{{name}:glob}}`"
                ))),
            })
            .map(Value::String),
        }
    }

    fn part(&self, name: &str) -> Result<Value, QueryError> {
        let part = self.parts.get(name).filter(|_| self.depth > 0);
        let part = part.ok_or_else(|| {
            QueryError::Misfit(format!("`{{@{name}}}` is missing or lies in itself"))
        })?;
        let depth = self.depth - 1;
        Self { depth, ..*self }.fill(part)
    }
}

fn whole(slot: (&str, Option<&str>), values: &Values) -> Result<Value, QueryError> {
    let (name, way) = slot;
    let value = values
        .get(name)
        .ok_or_else(|| QueryError::Misfit(format!("`{{{name}}}` is not among the slots")))?;
    Ok(match (value, way) {
        (Typed::Text(text), None) => json!(text),
        (Typed::Text(text), Some("tail")) => json!(tail(text)),
        (Typed::Text(text), Some("glob")) => json!(glob(text)),
        (Typed::Text(text), Some("tail_glob")) => json!(glob(tail(text))),
        (Typed::Texts(texts), None) => json!(texts),
        (Typed::Count(n), None) => json!(n),
        (Typed::Time(time), None) => json!(rfc3339(*time)),
        (_, way) => {
            let way = way.unwrap_or_default();
            return Err(QueryError::Misfit(format!(
                "`{{{name}:{way}}}`: a slot of this type is not written that way"
            )));
        }
    })
}

/// A text in which `*`, `?` and `\` stand for themselves in a pattern.
fn glob(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}
