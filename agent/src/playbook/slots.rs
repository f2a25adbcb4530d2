//! Fills `$slot` arguments from the alert; values come out typed and bounded, never pasted into text.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use state::model::{Field, NewAlert, Time};

/// Why an argument can't be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// The alert does not say it.
    #[error("the alert does not say its {0}")]
    Empty(String),
    /// There is no such slot.
    #[error(
        "`${0}` is not a slot; slots are $time, $rule_id, $source_alert_id, $values and $FIELD for any event field"
    )]
    Unknown(String),
    /// The value is too long to be what it should be.
    #[error("the alert's {0} is longer than 512 characters")]
    TooLong(String),
}

/// Longest value that goes into an argument, characters.
const LONGEST: usize = 512;

/// Values of one alert that arguments may name.
#[derive(Debug, Clone)]
pub struct Slots {
    values: BTreeMap<String, Value>,
}

impl Slots {
    /// Reads the slots of an alert.
    #[must_use]
    pub fn of(alert: &NewAlert) -> Self {
        let mut values = BTreeMap::new();
        if let Some(primary) = alert.primary() {
            for (field, fact) in &primary.fields {
                let value = match field {
                    Field::Hash => best_hash(&fact.value),
                    _ => &fact.value,
                };
                values.insert(field.as_str().to_owned(), json!(value));
            }
        }
        values.insert("time".to_owned(), json!(rfc3339(alert.time)));
        values.insert("rule_id".to_owned(), json!(alert.rule.id));
        values.insert("source_alert_id".to_owned(), json!(alert.source_alert_id));
        let mut all: Vec<&str> = alert.entities.iter().map(|e| e.value.as_str()).collect();
        all.extend(alert.observables.iter().map(|o| o.value.as_str()));
        all.retain(|v| !v.is_empty() && v.chars().count() <= LONGEST);
        all.sort_unstable();
        all.dedup();
        all.truncate(50);
        values.insert("values".to_owned(), json!(all));
        Self { values }
    }

    /// Whether a name is a slot of any alert, filled or not.
    #[must_use]
    pub fn exists(name: &str) -> bool {
        matches!(name, "time" | "rule_id" | "source_alert_id" | "values")
            || name.parse::<Field>().is_ok()
    }

    /// Fills the arguments of a step.
    ///
    /// # Errors
    /// The first slot that can't be filled.
    pub fn fill(&self, args: &BTreeMap<String, Value>) -> Result<Map<String, Value>, SlotError> {
        args.iter()
            .map(|(name, value)| Ok((name.clone(), self.value(value)?)))
            .collect()
    }

    fn value(&self, value: &Value) -> Result<Value, SlotError> {
        match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(slot) => self.slot(slot),
                None => Ok(value.clone()),
            },
            Value::Array(items) => items.iter().map(|v| self.value(v)).collect(),
            other => Ok(other.clone()),
        }
    }

    /// The value of one slot.
    ///
    /// # Errors
    /// When it is unknown, empty or too long.
    pub fn slot(&self, name: &str) -> Result<Value, SlotError> {
        if !Self::exists(name) {
            return Err(SlotError::Unknown(name.to_owned()));
        }
        match self.values.get(name) {
            None => Err(SlotError::Empty(name.to_owned())),
            Some(Value::String(s)) if s.is_empty() => Err(SlotError::Empty(name.to_owned())),
            Some(Value::String(s)) if s.chars().count() > LONGEST => {
                Err(SlotError::TooLong(name.to_owned()))
            }
            Some(value) => Ok(value.clone()),
        }
    }
}

/// The strongest hash of a list such as `MD5=…,SHA256=…`; a text that is no such list is itself.
#[must_use]
pub(super) fn best_hash(text: &str) -> &str {
    let named = |name: &str| {
        text.split(',').find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    };
    ["SHA512", "SHA256", "SHA1", "MD5"]
        .into_iter()
        .find_map(named)
        .unwrap_or(text)
}

/// The form in which times go to tools: RFC 3339, UTC, milliseconds.
#[must_use]
pub fn rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::best_hash;

    #[test]
    fn the_strongest_hash_is_taken() {
        for (text, want) in [
            ("SHA1=aa,MD5=bb,SHA256=cc,IMPHASH=dd", "cc"),
            ("md5=bb", "bb"),
            ("0123abcd", "0123abcd"),
            ("", ""),
        ] {
            assert_eq!(best_hash(text), want);
        }
    }
}
