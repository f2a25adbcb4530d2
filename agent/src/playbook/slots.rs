//! Fills `$slot` arguments from the alert; values come out typed and bounded, never pasted into text.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use state::model::{Field, NewAlert, Time, Trust};

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
    values: BTreeMap<String, (Value, Trust)>,
}

/// Arguments with their slots filled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filled {
    /// The arguments.
    pub arguments: Map<String, Value>,
    /// Names of those that hold a value an outsider may have written.
    pub untrusted: Vec<String>,
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
                values.insert(field.as_str().to_owned(), (json!(value), fact.trust));
            }
        }
        for (name, value) in [
            ("time", rfc3339(alert.time)),
            ("rule_id", alert.rule.id.clone()),
            ("source_alert_id", alert.source_alert_id.clone()),
        ] {
            values.insert(name.to_owned(), (json!(value), Trust::Trusted));
        }
        let entities = alert.entities.iter().map(|e| (e.value.as_str(), e.trust));
        let observables = alert.observables.iter();
        let mut all: Vec<(&str, Trust)> = entities
            .chain(observables.map(|o| (o.value.as_str(), o.trust)))
            .collect();
        all.retain(|(v, _)| !v.is_empty() && v.chars().count() <= LONGEST);
        all.sort_unstable();
        all.dedup_by_key(|(v, _)| *v);
        all.truncate(50);
        let trust = all
            .iter()
            .map(|(_, t)| *t)
            .fold(Trust::Trusted, Trust::join);
        let all: Vec<&str> = all.into_iter().map(|(v, _)| v).collect();
        values.insert("values".to_owned(), (json!(all), trust));
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
    pub fn fill(&self, args: &BTreeMap<String, Value>) -> Result<Filled, SlotError> {
        let mut filled = Filled::default();
        for (name, value) in args {
            let (value, trust) = self.value(value)?;
            if trust == Trust::Untrusted {
                filled.untrusted.push(name.clone());
            }
            filled.arguments.insert(name.clone(), value);
        }
        Ok(filled)
    }

    fn value(&self, value: &Value) -> Result<(Value, Trust), SlotError> {
        match value {
            Value::String(text) => match text.strip_prefix('$') {
                Some(slot) => self.slot(slot),
                None => Ok((value.clone(), Trust::Trusted)),
            },
            Value::Array(items) => {
                let mut trust = Trust::Trusted;
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    let (value, own) = self.value(item)?;
                    trust = trust.join(own);
                    values.push(value);
                }
                Ok((Value::Array(values), trust))
            }
            other => Ok((other.clone(), Trust::Trusted)),
        }
    }

    /// The value of one slot and how far it may be believed.
    ///
    /// # Errors
    /// When it is unknown, empty or too long.
    pub fn slot(&self, name: &str) -> Result<(Value, Trust), SlotError> {
        if !Self::exists(name) {
            return Err(SlotError::Unknown(name.to_owned()));
        }
        match self.values.get(name) {
            None => Err(SlotError::Empty(name.to_owned())),
            Some((Value::String(s), _)) if s.is_empty() => Err(SlotError::Empty(name.to_owned())),
            Some((Value::String(s), _)) if s.chars().count() > LONGEST => {
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
