//! Slot values of one question, typed and bounded; how they are written is the languages'.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use mcp_clients::config::Span;
use serde_json::{Map, Value};
use state::model::Time;

use super::QueryError;
use super::form::{QueryForm, SlotType};

/// A slot's value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    /// A text without NUL.
    Text(String),
    /// At least one text.
    Texts(Vec<String>),
    /// 1 to 1000; of a limit, one more.
    Count(u64),
    /// A moment.
    Time(Time),
}

/// All slots of one question.
#[derive(Debug, Clone)]
pub(super) struct Values {
    slots: BTreeMap<String, Typed>,
}

/// The slot that bounds the rows.
pub(super) const LIMIT: &str = "limit";

impl Values {
    /// Types the values given and the defaults of the rest; `limit` is cut to what can be taken, and a moment to the last
    /// that may be looked at. One row more than is taken is asked for, so that an answer that was cut can be told.
    ///
    /// # Errors
    /// The first value that is missing, extra or of another type.
    pub(super) fn of(
        named: (&str, &QueryForm),
        given: &Map<String, Value>,
        moments: (Time, Time),
        most: Option<u64>,
    ) -> Result<Self, QueryError> {
        let (name, query) = named;
        if let Some(extra) = given.keys().find(|k| !query.slots.contains_key(*k)) {
            return Err(QueryError::Extra {
                query: name.to_owned(),
                slot: extra.clone(),
            });
        }
        let mut slots = BTreeMap::new();
        for (slot, kind) in &query.slots {
            let value = given.get(slot).or(query.defaults.get(slot));
            let value = value.ok_or_else(|| QueryError::Missing {
                query: name.to_owned(),
                slot: slot.clone(),
            })?;
            let mut typed =
                typed(*kind, value, moments.0).map_err(|expected| QueryError::Type {
                    query: name.to_owned(),
                    slot: slot.clone(),
                    expected,
                })?;
            match (slot.as_str(), &mut typed) {
                (LIMIT, Typed::Count(n)) if query.first => *n = most.map_or(*n, |m| m.min(*n)),
                (LIMIT, Typed::Count(n)) => *n = most.map_or(*n + 1, |m| m.min(*n + 1)),
                (_, Typed::Time(time)) => *time = (*time).min(moments.1),
                _ => {}
            }
            slots.insert(slot.clone(), typed);
        }
        Ok(Self { slots })
    }

    /// The value of a slot.
    pub(super) fn get(&self, slot: &str) -> Option<&Typed> {
        self.slots.get(slot)
    }

    /// How many rows are asked for.
    pub(super) fn limit(&self) -> Option<u64> {
        match self.slots.get(LIMIT) {
            Some(Typed::Count(n)) => Some(*n),
            _ => None,
        }
    }

    /// The first and the last moment that is named.
    pub(super) fn bounds(&self) -> Option<(Time, Time)> {
        let times = || {
            self.slots.values().filter_map(|v| match v {
                Typed::Time(time) => Some(*time),
                _ => None,
            })
        };
        times().min().zip(times().max())
    }
}

fn typed(kind: SlotType, value: &Value, at: Time) -> Result<Typed, &'static str> {
    let clean = |s: &str| s.replace('\0', "");
    match (kind, value) {
        (SlotType::Text, Value::String(s)) => Ok(Typed::Text(clean(s))),
        (SlotType::Texts, Value::Array(items)) if !items.is_empty() => {
            let texts: Option<Vec<String>> = items.iter().map(|v| v.as_str().map(clean)).collect();
            texts.map(Typed::Texts).ok_or("a list of texts")
        }
        (SlotType::Count, Value::Number(n)) => match n.as_u64() {
            Some(n @ 1..=1000) => Ok(Typed::Count(n)),
            _ => Err("a whole number from 1 to 1000"),
        },
        (SlotType::Before | SlotType::After, Value::String(s)) => {
            let span: Span = s.parse().map_err(|_| "a span such as 48h")?;
            let delta = TimeDelta::from_std(span.0).map_err(|_| "a span such as 48h")?;
            let time = match kind {
                SlotType::Before => at.checked_sub_signed(delta),
                _ => at.checked_add_signed(delta),
            };
            time.map(Typed::Time).ok_or("a span within the calendar")
        }
        (SlotType::Text, _) => Err("a text"),
        (SlotType::Texts, _) => Err("a list of texts with at least one"),
        (SlotType::Count, _) => Err("a whole number from 1 to 1000"),
        (SlotType::Before | SlotType::After, _) => Err("a span such as 48h"),
    }
}

/// What stands after the last `\` or `/` of a name, for products that keep the domain apart.
pub(super) fn tail(text: &str) -> &str {
    let last = text.rsplit(['\\', '/']).next().unwrap_or(text);
    if last.is_empty() { text } else { last }
}
