//! Named queries and their dialects: what is asked is named in a playbook, how it is asked stands in a data file.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use mcp_clients::config::Span;
use serde::Deserialize;
use serde_json::{Map, Value};
use state::model::Time;

use super::slots::rfc3339;

/// Why a named query can't be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The dialect lacks it.
    #[error("the dialect has no query `{0}`")]
    Unknown(String),
    /// A slot got no value.
    #[error("query `{query}` needs `{slot}`")]
    Missing {
        /// Query name.
        query: String,
        /// Slot without a value.
        slot: String,
    },
    /// A slot got a value of another type.
    #[error("query `{query}`: `{slot}` is not {expected}")]
    Type {
        /// Query name.
        query: String,
        /// The slot.
        slot: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The query has no such slot.
    #[error("query `{query}` has no slot `{slot}`")]
    Extra {
        /// Query name.
        query: String,
        /// The slot.
        slot: String,
    },
}

/// Type of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SlotType {
    /// A text, quoted for the dialect.
    Text,
    /// A list of texts, quoted and joined by commas.
    Texts,
    /// A whole number from 1 to 1000.
    Count,
    /// A span such as `48h`, reckoned back from or on from the alert's time and quoted as a time.
    Before,
    /// As `before`, but later than the alert.
    After,
}

/// One dialect: a file of named queries.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// How a text is quoted.
    quote: Quote,
    /// The queries by name.
    queries: BTreeMap<String, Query>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Quote {
    /// `'it''s'`
    Sql,
    /// `"it\"s"`
    Json,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    /// What it finds, for people.
    #[serde(rename = "finds")]
    _finds: String,
    slots: BTreeMap<String, SlotType>,
    #[serde(default)]
    defaults: BTreeMap<String, Value>,
    text: String,
}

impl Dialect {
    /// Whether the dialect has a query.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.queries.contains_key(name)
    }

    /// Slot names that a query takes and does not default.
    #[must_use]
    pub fn required(&self, name: &str) -> Vec<&str> {
        self.queries.get(name).map_or_else(Vec::new, |q| {
            q.slots
                .keys()
                .filter(|s| !q.defaults.contains_key(*s))
                .map(String::as_str)
                .collect()
        })
    }

    /// Every `{slot}` that a text names but its query does not declare.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, query) in &self.queries {
            for part in query.text.split('{').skip(1) {
                let slot = part.split('}').next().unwrap_or_default();
                if !query.slots.contains_key(slot) {
                    faults.push(format!(
                        "query `{name}` names `{{{slot}}}`, which is not among its slots"
                    ));
                }
            }
        }
        faults
    }

    /// The text of a query with its slots filled; values are typed and quoted, never pasted.
    ///
    /// # Errors
    /// When the query is unknown or a value is missing, extra or of another type.
    pub fn render(
        &self,
        name: &str,
        values: &Map<String, Value>,
        at: Time,
    ) -> Result<String, QueryError> {
        let query = self
            .queries
            .get(name)
            .ok_or_else(|| QueryError::Unknown(name.to_owned()))?;
        if let Some(extra) = values.keys().find(|k| !query.slots.contains_key(*k)) {
            return Err(QueryError::Extra {
                query: name.to_owned(),
                slot: extra.clone(),
            });
        }
        let mut out = String::new();
        let mut rest = query.text.as_str();
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            out.push_str(before);
            let Some(close) = after.find('}') else { break };
            let slot = &after[1..close];
            let value = values.get(slot).or(query.defaults.get(slot));
            let value = value.ok_or_else(|| QueryError::Missing {
                query: name.to_owned(),
                slot: slot.to_owned(),
            })?;
            let kind = query.slots.get(slot).copied().unwrap_or(SlotType::Text);
            let written = self
                .write(kind, value, at)
                .map_err(|expected| QueryError::Type {
                    query: name.to_owned(),
                    slot: slot.to_owned(),
                    expected,
                })?;
            out.push_str(&written);
            rest = &after[close + 1..];
        }
        out.push_str(rest);
        Ok(out)
    }

    fn write(&self, kind: SlotType, value: &Value, at: Time) -> Result<String, &'static str> {
        match (kind, value) {
            (SlotType::Text, Value::String(s)) => Ok(self.quoted(s)),
            (SlotType::Texts, Value::Array(items)) if !items.is_empty() => {
                let texts: Option<Vec<String>> = items
                    .iter()
                    .map(|v| v.as_str().map(|s| self.quoted(s)))
                    .collect();
                texts.map(|t| t.join(", ")).ok_or("a list of texts")
            }
            (SlotType::Count, Value::Number(n)) => match n.as_u64() {
                Some(n @ 1..=1000) => Ok(n.to_string()),
                _ => Err("a whole number from 1 to 1000"),
            },
            (SlotType::Before | SlotType::After, Value::String(s)) => {
                let span: Span = s.parse().map_err(|_| "a span such as 48h")?;
                let delta = TimeDelta::from_std(span.0).map_err(|_| "a span such as 48h")?;
                let time = match kind {
                    SlotType::Before => at.checked_sub_signed(delta),
                    _ => at.checked_add_signed(delta),
                };
                Ok(self.quoted(&rfc3339(time.ok_or("a span within the calendar")?)))
            }
            (SlotType::Text, _) => Err("a text"),
            (SlotType::Texts, _) => Err("a list of texts with at least one"),
            (SlotType::Count, _) => Err("a whole number from 1 to 1000"),
            (SlotType::Before | SlotType::After, _) => Err("a span such as 48h"),
        }
    }

    fn quoted(&self, text: &str) -> String {
        let clean: String = text.chars().filter(|c| *c != '\0').collect();
        match self.quote {
            Quote::Sql => format!("'{}'", clean.replace('\'', "''")),
            Quote::Json => Value::String(clean).to_string(),
        }
    }
}
