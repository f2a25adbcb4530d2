//! Points in time and the rule that nothing later than "now" is shown. It never asks the machine
//! for the time: a lab's now comes from its manifest or from the question.

use std::{borrow::Cow, fmt};

use chrono::{DateTime, Datelike, NaiveDateTime, SecondsFormat, SubsecRound, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::files::Row;

/// A point in time, UTC, to the millisecond; written `2026-07-15T00:00:00.000Z`, so that the text
/// of two stamps compares like the stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(DateTime<Utc>);

impl Stamp {
    /// Cuts to the millisecond. None outside the years 1 to 9999, whose text would not compare.
    pub(crate) fn new(time: DateTime<Utc>) -> Option<Self> {
        (1..=9999)
            .contains(&time.year())
            .then(|| Self(time.trunc_subsecs(3)))
    }

    pub(crate) fn rfc3339(text: &str) -> Option<Self> {
        Self::new(DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc())
    }

    /// Reads the forms products write: RFC 3339, an offset without colon, no offset (taken as UTC),
    /// or seconds, milliseconds or microseconds since 1970 as a number.
    pub(crate) fn lenient(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::rfc3339(text).or_else(|| Self::loose(text.trim())),
            Value::Number(number) => Self::epoch(number.as_f64()?),
            _ => None,
        }
    }

    fn loose(text: &str) -> Option<Self> {
        let text = text.replacen(' ', "T", 1);
        if let Ok(time) = DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z") {
            return Self::new(time.to_utc());
        }
        let naive = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
        Self::new(naive.and_utc())
    }

    fn epoch(number: f64) -> Option<Self> {
        let millis = match number.abs() {
            n if n < 1e11 => number * 1e3,
            n if n < 1e14 => number,
            _ => number / 1e3,
        };
        // A float cast saturates, and the range check of `new` refuses what is absurd.
        Self::new(DateTime::from_timestamp_millis(millis as i64)?)
    }

    pub(crate) fn minutes_from(self, minutes: i64) -> Self {
        let moved = chrono::TimeDelta::try_minutes(minutes)
            .and_then(|delta| self.0.checked_add_signed(delta))
            .and_then(Self::new);
        moved.unwrap_or(self)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::rfc3339(&text).ok_or_else(|| {
            D::Error::custom("not an RFC 3339 time; write it like 2026-07-15T09:30:00Z")
        })
    }
}

impl JsonSchema for Stamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Stamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// The first of `keys` that holds a time, as a stamp.
pub(crate) fn first_time(row: &Row, keys: &[&str]) -> Option<Stamp> {
    keys.iter()
        .find_map(|key| row.get(*key).and_then(Stamp::lenient))
}

/// Whether any of `keys` holds a time after `as_of`.
pub(crate) fn any_later(row: &Row, keys: &[&str], as_of: Stamp) -> bool {
    keys.iter()
        .filter_map(|key| row.get(*key).and_then(Stamp::lenient))
        .any(|time| time > as_of)
}

/// When an inventory row came to be, where it says so.
const BORN: [&str; 6] = [
    "created_at",
    "first_seen",
    "discovered_at",
    "detected_at",
    "found_at",
    "event_time",
];

/// The row as it stood at `as_of`: none if it came to be later, and without a later `last_seen`.
pub(crate) fn as_it_stood(row: &Row, as_of: Stamp) -> Option<Row> {
    if any_later(row, &BORN, as_of) {
        return None;
    }
    let mut row = row.clone();
    for key in ["last_seen", "last_login", "updated_at"] {
        if any_later(&row, &[key], as_of) {
            row.shift_remove(key);
        }
    }
    Some(row)
}
