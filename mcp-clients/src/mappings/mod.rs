//! Mappings: data files that turn a product's alerts and events into the nouns; they carry no judgement.
//!
//! `events/NAME.toml` recognises a raw event and normalises it; `alerts/NAME.toml` reads an alert's
//! envelope and says where its events stand; `verdicts/NAME.toml` has a product's words for our verdicts. All are embedded; an operator's folder of the same
//! shape replaces or adds files by name.

mod alert;
mod custom;
mod entities;
mod event;
mod files;
mod observables;
mod pointer;
mod scope;
mod source;
mod time;
mod verdicts;

use std::collections::BTreeMap;
use std::path::Path;

use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use state::model::{Activity, NewAlert, Time};

use alert::AlertMapping;
use event::EventMapping;
use files::Keys;
pub(crate) use files::built_in;
use scope::Patterns;

pub use custom::{CustomMapping, is_field_key};
pub use event::NEVER_TRUSTED;
pub use files::{MappingFault, MappingFile, Origin};
pub use verdicts::{VerdictWords, text as word};

/// Schema of an event that no mapping recognised.
pub const UNKNOWN: &str = "unknown";
/// Name of the mapping for alerts of no known product.
pub const GENERIC: &str = "generic";
/// Largest alert, bytes.
pub const MAX_ALERT_BYTES: usize = 1024 * 1024;
/// Deepest nesting of an alert.
pub const MAX_DEPTH: usize = 64;
/// Most events one alert is normalised with; the raw alert keeps them all.
const MAX_EVENTS: usize = 100;

/// An alert that could not be read; it is kept and shown, never dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Rejected {
    /// What was received, verbatim; `hex:` and the bytes when it is not UTF-8.
    pub raw: String,
    /// Why, naming the place.
    pub reason: String,
}

/// Every mapping in force.
#[derive(Debug)]
pub struct Mappings {
    alerts: BTreeMap<String, AlertMapping>,
    events: Vec<EventMapping>,
    verdicts: BTreeMap<String, VerdictWords>,
    files: Vec<MappingFile>,
    patterns: Patterns,
    texts: observables::Finder,
    technique: Regex,
}

impl Mappings {
    /// Loads the embedded files and those of the operator's folder; all faults are reported at once.
    ///
    /// # Errors
    /// Every fault with its file and key.
    pub fn load(override_dir: Option<&Path>) -> Result<Self, Vec<MappingFault>> {
        let mut faults = Vec::new();
        let (mut alerts, mut events, mut files) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut verdicts = BTreeMap::new();
        for text in files::read_all(override_dir, &mut faults) {
            let (room, stem) = text.file.name.split_once('/').unwrap_or_default();
            let name = stem.trim_end_matches(".toml").to_owned();
            if let Some(keys) = Keys::parse(&text, &mut faults) {
                match room {
                    "alerts" => {
                        alerts.insert(name.clone(), AlertMapping::compile(&name, keys));
                    }
                    "verdicts" => {
                        verdicts.insert(name, VerdictWords::compile(keys));
                    }
                    _ => events.push(EventMapping::compile(&name, keys)),
                }
            }
            files.push(text.file);
        }
        events.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.name.cmp(&b.name)));
        match (faults.is_empty(), patterns()) {
            (true, Ok((patterns, texts, technique))) => Ok(Self {
                alerts,
                events,
                verdicts,
                files,
                patterns,
                texts,
                technique,
            }),
            (_, Ok(_)) => Err(faults),
            (_, Err(e)) => {
                faults.push(MappingFault {
                    file: "patterns".to_owned(),
                    place: String::new(),
                    message: e.to_string(),
                });
                Err(faults)
            }
        }
    }

    /// Names of the alert mappings, for configuration.
    #[must_use]
    pub fn alert_names(&self) -> Vec<&str> {
        self.alerts.keys().map(String::as_str).collect()
    }

    /// Names of the event mappings in the order in which they are tried.
    #[must_use]
    pub fn event_names(&self) -> Vec<&str> {
        self.events.iter().map(|m| m.name.as_str()).collect()
    }

    /// What verdicts are called at a product.
    #[must_use]
    pub fn verdict_words(&self, product: &str) -> Option<&VerdictWords> {
        self.verdicts.get(product)
    }

    /// Names of the tables of verdict words.
    #[must_use]
    pub fn verdict_tables(&self) -> Vec<&str> {
        self.verdicts.keys().map(String::as_str).collect()
    }

    /// The files in force, with origin and digest.
    #[must_use]
    pub fn files(&self) -> &[MappingFile] {
        &self.files
    }

    /// Reads one alert through a named mapping.
    ///
    /// # Errors
    /// [`Rejected`] with the raw alert and the reason.
    pub fn read(&self, mapping: &str, source: &str, raw: &str) -> Result<NewAlert, Rejected> {
        let alert = match self.alerts.get(mapping) {
            Some(mapping) => self.build(mapping, source, raw),
            None => Err(format!(
                "there is no alert mapping `{mapping}`; known are {}",
                self.alert_names().join(", ")
            )),
        };
        alert.map_err(|reason| Rejected {
            raw: raw.to_owned(),
            reason,
        })
    }

    /// Makes an alert mapping of JSON pointers given in configuration; what is not given is read
    /// as the mapping `generic` does.
    ///
    /// # Errors
    /// One sentence for each entry that cannot be used.
    pub fn generic(&self, fields: &BTreeMap<String, String>) -> Result<CustomMapping, Vec<String>> {
        custom::compile(fields, self.alerts.get("generic"))
    }

    /// Reads one alert through a mapping made by [`Mappings::generic`].
    ///
    /// # Errors
    /// [`Rejected`] with the raw alert and the reason.
    pub fn read_with(
        &self,
        custom: &CustomMapping,
        source: &str,
        raw: &str,
    ) -> Result<NewAlert, Rejected> {
        self.build(&custom.0, source, raw)
            .map_err(|reason| Rejected {
                raw: raw.to_owned(),
                reason,
            })
    }

    /// Recognises and normalises one raw event or log row. A row `{event_uid, event_time, raw}` is
    /// unwrapped; `event_uid` and `event_time` come before the product's own id and time.
    #[must_use]
    pub fn activity(&self, raw: &Value) -> Activity {
        let wrapped = raw.get("event_uid").is_some() || raw.get("event_time").is_some();
        let inner = match raw.get("raw").filter(|_| wrapped) {
            Some(Value::String(text)) => pointer::json_in(text).filter(Value::is_object),
            Some(object @ Value::Object(_)) => Some(object.clone()),
            _ => None,
        };
        let event = inner.as_ref().unwrap_or(raw);
        let mut activity = match self.events.iter().find(|m| m.recognises(event)) {
            Some(mapping) => mapping.normalise(event, &self.patterns),
            None => self.unrecognised(event),
        };
        for outer in [raw, event] {
            if let Some(uid) = outer.get("event_uid").and_then(pointer::scalar) {
                activity.uid = uid;
                break;
            }
        }
        let mut added = [raw, event].into_iter();
        let given = added.find_map(|v| time::parse(&pointer::scalar(v.get("event_time")?)?));
        activity.time = given.or(activity.time);
        activity
    }

    fn unrecognised(&self, event: &Value) -> Activity {
        match self.events.iter().find(|m| m.name == UNKNOWN) {
            Some(mapping) => mapping.normalise(event, &self.patterns),
            None => Activity {
                uid: String::new(),
                time: None,
                schema: UNKNOWN.to_owned(),
                fields: BTreeMap::new(),
                trusted: Vec::new(),
                raw: event.clone(),
            },
        }
    }

    fn build(&self, mapping: &AlertMapping, source: &str, raw: &str) -> Result<NewAlert, String> {
        let value = parse(raw)?;
        let envelope = mapping.read(&value, &self.technique)?;
        let events = envelope.events.iter().take(MAX_EVENTS);
        let mut activities: Vec<Activity> = events.map(|e| self.activity(e)).collect();
        mapping.fill(&value, &mut activities);
        let happened = activities.iter().find_map(|a| a.time);
        let time = envelope
            .time
            .or(happened)
            .or_else(|| {
                mapping
                    .name
                    .starts_with(GENERIC)
                    .then(|| any_time(&value))?
            })
            .ok_or("the alert has no time, neither its own nor its event's")?;
        let product = envelope.product.or_else(|| self.product(&activities));
        Ok(NewAlert {
            source: source.to_owned(),
            source_alert_id: envelope.id.unwrap_or_else(|| digest(raw)),
            mapping: mapping.name.clone(),
            product: product.unwrap_or_else(|| UNKNOWN.to_owned()),
            rule: envelope.rule,
            severity: envelope.severity,
            time,
            attacks: envelope.attacks,
            entities: entities::extract(&activities),
            observables: self.texts.extract(&activities),
            activities,
            raw: raw.to_owned(),
        })
    }

    fn product(&self, activities: &[Activity]) -> Option<String> {
        let schema = &activities.first()?.schema;
        let mapping = self.events.iter().find(|m| m.name == *schema)?;
        (mapping.name != UNKNOWN).then(|| mapping.product.clone())
    }
}

fn patterns() -> Result<(Patterns, observables::Finder, Regex), regex::Error> {
    let technique = Regex::new(r"(?i)\bT\d{4}(?:\.\d{3})?\b")?;
    Ok((Patterns::new()?, observables::Finder::new()?, technique))
}

fn parse(raw: &str) -> Result<Value, String> {
    if raw.len() > MAX_ALERT_BYTES {
        return Err(format!(
            "the alert has {} bytes; at most {MAX_ALERT_BYTES} are read",
            raw.len()
        ));
    }
    let value: Value =
        serde_json::from_str(raw).map_err(|e| format!("the alert is not JSON: {e}"))?;
    if !value.is_object() {
        return Err("the alert is not an object".to_owned());
    }
    if deeper_than(&value, MAX_DEPTH) {
        return Err(format!("the alert is nested deeper than {MAX_DEPTH}"));
    }
    Ok(value)
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    let inner = |v: &Value| levels == 0 || deeper_than(v, levels - 1);
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(inner),
        Value::Object(map) => levels == 0 || map.values().any(inner),
        _ => false,
    }
}

/// Reads a time as products write it.
pub(crate) fn parse_time(text: &str) -> Option<state::model::Time> {
    time::parse(text)
}

/// The first time in an alert of no known form that stands under a key that names one. A date in free text is never
/// taken: whoever wrote it would choose the alert's "now".
fn any_time(value: &Value) -> Option<Time> {
    let names_time = |key: &str| {
        let key = key.to_lowercase();
        key == "at"
            || ["time", "date", "when", "created", "_at"]
                .iter()
                .any(|w| key.contains(w))
    };
    let own = |(key, value): (&String, &Value)| match value {
        Value::String(text) if names_time(key) => time::parse(text),
        _ => None,
    };
    match value {
        Value::Array(items) => items.iter().find_map(any_time),
        Value::Object(map) => map
            .iter()
            .find_map(own)
            .or_else(|| map.values().find_map(any_time)),
        _ => None,
    }
}

fn digest(raw: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(raw.as_bytes())))
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
