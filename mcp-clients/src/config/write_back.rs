//! How an alert is answered at its source: which tools, with which arguments; whether anything is said is the gate's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How far a source's alerts are answered at the source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteBackMode {
    /// Not at all.
    #[default]
    Off,
    /// With a comment.
    Comment,
    /// With a comment and the status.
    Close,
}

/// `[sources.write_back]` as written; the preset of the source's server fills in what is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WriteBack {
    /// How far; `off` when not given. Only the source says it.
    pub mode: Option<WriteBackMode>,
    /// Table of the product's own words: `mappings/verdicts/NAME.toml`; the name of the source's mapping when not given.
    pub words: Option<String>,
    /// Adds a comment.
    pub comment: Option<Said>,
    /// Finds our comment again.
    pub comments: Option<Read>,
    /// Sets the status.
    pub close: Option<Said>,
    /// Reads the status; without it none is set.
    pub read: Option<Read>,
}

/// A call that says something of an alert.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// `server.tool`; in a preset the tool alone.
    pub tool: String,
    /// Arguments with slots: `{{alert}}`, `{{case}}`, `{{comment}}`, `{{confidence}}`, `{{version}}`, and every word of
    /// the product's table. An argument that is a slot without a value is left out.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// A reading call that shows what stands at the source.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// `server.tool`; in a preset the tool alone.
    pub tool: String,
    /// Arguments; `{{alert}}` is the only slot.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Dotted path of the status, or of the comments.
    pub path: String,
    /// Dotted path of the version, where a change names the one it was made from.
    #[serde(default)]
    pub version: Option<String>,
}

/// Values for slots, by name.
pub type Slots = BTreeMap<String, Value>;

impl WriteBack {
    /// Fills in what is not given from `under`.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        Self {
            mode: self.mode,
            words: self.words.or(under.words),
            comment: self.comment.or(under.comment),
            comments: self.comments.or(under.comments),
            close: self.close.or(under.close),
            read: self.read.or(under.read),
        }
    }

    /// The same with tools named as those of one server.
    #[must_use]
    pub(crate) fn of_server(mut self, server: &str) -> Self {
        let said = self.comment.iter_mut().chain(&mut self.close);
        let read = self.comments.iter_mut().chain(&mut self.read);
        let tools = said.map(|s| &mut s.tool).chain(read.map(|r| &mut r.tool));
        for tool in tools {
            *tool = format!("{server}.{tool}");
        }
        self
    }

    /// How far alerts are answered.
    #[must_use]
    pub fn mode(&self) -> WriteBackMode {
        self.mode.unwrap_or_default()
    }
}

/// Arguments with their slots filled. An argument that is one slot without a value is left out.
///
/// # Errors
/// The name of a slot that has no value and stands within a text or a list.
pub fn fill(template: &Map<String, Value>, slots: &Slots) -> Result<Map<String, Value>, String> {
    let mut filled = Map::new();
    for (name, value) in template {
        match value {
            Value::String(text) if slot(text).is_some_and(|s| !slots.contains_key(s)) => {}
            Value::Object(inner) => {
                filled.insert(name.clone(), Value::Object(fill(inner, slots)?));
            }
            value => {
                filled.insert(name.clone(), one(value, slots)?);
            }
        }
    }
    Ok(filled)
}

fn one(value: &Value, slots: &Slots) -> Result<Value, String> {
    match value {
        Value::String(text) => match slot(text) {
            Some(name) => slots.get(name).cloned().ok_or_else(|| name.to_owned()),
            None => within(text, slots).map(Value::String),
        },
        Value::Array(items) => items.iter().map(|v| one(v, slots)).collect(),
        Value::Object(inner) => fill(inner, slots).map(Value::Object),
        other => Ok(other.clone()),
    }
}

/// The name of the slot that the whole text is.
fn slot(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains(['{', '}'])).then_some(name)
}

fn within(text: &str, slots: &Slots) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        match slots.get(name).ok_or_else(|| name.to_owned())? {
            Value::String(text) => out.push_str(text),
            other => out.push_str(&other.to_string()),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The names of all slots in arguments.
#[must_use]
pub fn slots_in(arguments: &Map<String, Value>) -> Vec<String> {
    let text = Value::Object(arguments.clone()).to_string();
    let parts = text.split("{{").skip(1);
    let names = parts.filter_map(|part| Some(part.split_once("}}")?.0.to_owned()));
    names.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn slots_keep_their_type_and_one_without_a_value_leaves_its_argument_out() {
        let slots = Slots::from([
            ("alert".to_owned(), json!("a-1")),
            ("version".to_owned(), json!(7)),
        ]);
        let template = json!({"ids": ["{{alert}}"], "version": "{{version}}", "reason": "{{reason}}",
            "note": "of {{alert}}", "inner": {"v": "{{version}}", "r": "{{reason}}"}});
        let filled = fill(template.as_object().unwrap(), &slots).unwrap();
        let wanted = json!({"ids": ["a-1"], "version": 7, "note": "of a-1", "inner": {"v": 7}});
        assert_eq!(Value::Object(filled), wanted);
        for bad in [json!({"x": ["{{reason}}"]}), json!({"x": "a {{reason}}"})] {
            assert_eq!(
                fill(bad.as_object().unwrap(), &slots),
                Err("reason".to_owned())
            );
        }
        assert_eq!(slots_in(template.as_object().unwrap()).len(), 6);
    }
}
