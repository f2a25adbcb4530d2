//! What a mapping's pointers see: the raw event and its bases, decoded; values are found here, not interpreted.

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::pointer::{Pointer, Walk, scalar};

/// How the value of a base is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decode {
    /// As it stands.
    #[default]
    Plain,
    /// An array of `{name, value}` pairs becomes an object.
    Pairs,
    /// A Windows event written as XML: the named `Data` elements and the elements of `System`.
    EventXml,
    /// `key=value` text, values perhaps quoted; the first of equal keys counts.
    KeyValues,
    /// Backslashes and quotes that were escaped twice are unescaped once.
    Escaped,
}

/// A place in the event that pointers can start at.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) pointer: Pointer,
    pub(crate) decode: Decode,
}

/// Patterns the decoders need; compiled once with the mappings.
#[derive(Debug)]
pub(crate) struct Patterns {
    xml_data: Regex,
    xml_element: Regex,
    key_value: Regex,
}

impl Patterns {
    pub(crate) fn new() -> Result<Self, regex::Error> {
        Ok(Self {
            xml_data: Regex::new(r#"(?s)<Data Name=["']([^"']+)["']>([^<]*)</Data>"#)?,
            xml_element: Regex::new(r"<(EventID|Computer|Channel)[^>]*>([^<]*)</")?,
            key_value: Regex::new(r#"(?:^|[\s,(])([A-Za-z_][\w.-]*)=(?:"([^"]*)"|([^\s]*))"#)?,
        })
    }
}

/// The event as one mapping sees it.
pub(crate) struct Scope<'v> {
    root: &'v Value,
    walk: Walk<'v>,
    bases: BTreeMap<&'v str, Vec<Cow<'v, Value>>>,
    empty: &'v [String],
}

/// One scalar a pointer reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) text: String,
    /// The way led through text that somebody may have written as JSON.
    pub(crate) through_text: bool,
}

impl<'v> Scope<'v> {
    /// A scope without bases, as alert envelopes and detection use it.
    pub(crate) fn plain(root: &'v Value, walk: Walk<'v>, empty: &'v [String]) -> Self {
        Self {
            root,
            walk,
            bases: BTreeMap::new(),
            empty,
        }
    }

    /// The same scope with the bases decoded.
    pub(crate) fn with_bases(
        mut self,
        bases: &'v BTreeMap<String, Vec<Base>>,
        patterns: &Patterns,
    ) -> Self {
        for (name, places) in bases {
            let mut found = Vec::new();
            for base in places {
                if base.pointer.text().is_empty() && base.decode == Decode::Plain {
                    found.push(Cow::Borrowed(self.root));
                    continue;
                }
                if let Some(value) = base.pointer.first(self.root, self.walk) {
                    found.extend(decode(value, base.decode, patterns).map(Cow::Owned));
                }
            }
            self.bases.insert(name, found);
        }
        self
    }

    /// Every scalar the pointer reaches, arrays of scalars flattened; empty words left out.
    pub(crate) fn hits(&self, pointer: &Pointer) -> Vec<Hit> {
        let mut hits = self.all_hits(pointer);
        hits.retain(|hit| !hit.text.is_empty() && !self.empty.contains(&hit.text));
        hits
    }

    /// The same with empty words.
    pub(crate) fn all_hits(&self, pointer: &Pointer) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.each(pointer, &mut |value, through_text| {
            let items = match value {
                Value::Array(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for text in items.iter().filter_map(scalar) {
                hits.push(Hit { text, through_text });
            }
        });
        hits
    }

    /// Every value the pointer reaches, of whatever type.
    pub(crate) fn each(&self, pointer: &Pointer, visit: &mut dyn FnMut(&Value, bool)) {
        match pointer.base() {
            None => pointer.visit(self.root, self.walk, visit),
            Some(name) => {
                for value in self.bases.get(name).into_iter().flatten() {
                    pointer.visit(value, self.walk, visit);
                }
            }
        }
    }

    /// Whether the pointer reaches a value.
    pub(crate) fn has(&self, pointer: &Pointer) -> bool {
        let mut found = false;
        self.each(pointer, &mut |_, _| found = true);
        found
    }
}

fn decode(value: Value, how: Decode, patterns: &Patterns) -> Option<Value> {
    match how {
        Decode::Plain => match value {
            Value::String(text) => super::pointer::json_in(&text),
            other => Some(other),
        },
        Decode::Pairs => match value {
            Value::Array(items) => Some(pairs(&items)),
            Value::String(text) => decode(super::pointer::json_in(&text)?, how, patterns),
            other => Some(other),
        },
        Decode::EventXml => value.as_str().map(|text| event_xml(text, patterns)),
        Decode::KeyValues => value.as_str().map(|text| key_values(text, patterns)),
        Decode::Escaped => Some(unescaped(value)),
    }
}

const PAIR_NAMES: [&str; 6] = ["name", "Name", "key", "Key", "@Name", "displayName"];
const PAIR_VALUES: [&str; 10] = [
    "value",
    "Value",
    "#text",
    "newValue",
    "multiValue",
    "boolValue",
    "intValue",
    "multiIntValue",
    "stringValue",
    "NewValue",
];

fn pairs(items: &[Value]) -> Value {
    let mut map = Map::new();
    for item in items {
        let name = PAIR_NAMES.iter().find_map(|k| item.get(k)?.as_str());
        let value = PAIR_VALUES
            .iter()
            .find_map(|k| item.get(k).filter(|v| !v.is_null()));
        if let (Some(name), Some(value)) = (name, value) {
            map.entry(name.to_owned()).or_insert_with(|| value.clone());
        }
    }
    Value::Object(map)
}

fn event_xml(text: &str, patterns: &Patterns) -> Value {
    let mut map = Map::new();
    for pattern in [&patterns.xml_element, &patterns.xml_data] {
        for found in pattern.captures_iter(text) {
            map.entry(found[1].to_owned())
                .or_insert_with(|| Value::String(xml_text(&found[2])));
        }
    }
    Value::Object(map)
}

fn xml_text(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

fn key_values(text: &str, patterns: &Patterns) -> Value {
    let mut map = Map::new();
    for found in patterns.key_value.captures_iter(text) {
        let value = found.get(2).or(found.get(3)).map_or("", |m| m.as_str());
        map.entry(found[1].to_owned())
            .or_insert_with(|| Value::String(value.to_owned()));
    }
    Value::Object(map)
}

fn unescaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("\\\\", "\\").replace("\\\"", "\"")),
        Value::Array(items) => items.into_iter().map(unescaped).collect(),
        Value::Object(map) => map.into_iter().map(|(k, v)| (k, unescaped(v))).collect(),
        other => other,
    }
}
