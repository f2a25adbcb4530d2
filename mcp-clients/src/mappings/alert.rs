//! Alert mappings: read a product's envelope around the events; the events themselves are read by the event mappings.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use state::model::{Activity, Field, Rule, Severity, Time, Trust};

use super::event::{facts, fields, trusted_fields};
use super::files::Keys;
use super::pointer::{Pointer, Walk, json_in};
use super::scope::Scope;
use super::source::{Source, first};
use super::time;

/// A half-open step of a numeric severity scale: everything from `from` upward, until the next step.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) from: f64,
    pub(crate) is: Severity,
}

/// A compiled alert mapping.
#[derive(Debug)]
pub(crate) struct AlertMapping {
    pub(crate) name: String,
    pub(crate) id: Vec<Source>,
    pub(crate) time: Vec<Source>,
    pub(crate) product: Vec<Source>,
    pub(crate) rule: RuleSources,
    pub(crate) severity: Scale,
    pub(crate) attacks: Vec<Source>,
    pub(crate) events: Vec<Source>,
    pub(crate) fields: Vec<(Field, Vec<Source>)>,
    pub(crate) trusted: Vec<Field>,
    pub(crate) json_text: Vec<String>,
}

/// Where the rule stands.
#[derive(Debug)]
pub(crate) struct RuleSources {
    pub(crate) id: Vec<Source>,
    pub(crate) name: Vec<Source>,
    pub(crate) groups: Vec<Source>,
}

/// Where the severity stands and what its words and numbers mean.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) sources: Vec<Source>,
    pub(crate) table: BTreeMap<String, Severity>,
    pub(crate) steps: Vec<Step>,
}

/// What the envelope says.
pub(crate) struct Envelope {
    pub(crate) id: Option<String>,
    pub(crate) time: Option<Time>,
    pub(crate) product: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) severity: Severity,
    pub(crate) attacks: Vec<String>,
    pub(crate) events: Vec<Value>,
}

impl AlertMapping {
    /// Compiles the keys of a file; faults are added to the file's.
    pub(crate) fn compile(name: &str, mut keys: Keys<'_>) -> Self {
        let mut mapping = Self {
            name: name.to_owned(),
            id: keys.sources("id"),
            time: keys.sources("time"),
            product: keys.sources("product"),
            rule: RuleSources {
                id: keys.sources("rule_id"),
                name: keys.sources("rule_name"),
                groups: keys.sources("rule_groups"),
            },
            severity: Scale {
                sources: keys.sources("severity"),
                table: keys.take("severity_table").unwrap_or_default(),
                steps: keys.take("severity_steps").unwrap_or_default(),
            },
            attacks: keys.sources("attacks"),
            events: keys.sources("events"),
            fields: fields(&mut keys),
            trusted: trusted_fields(&mut keys),
            json_text: keys.take("json_text").unwrap_or_default(),
        };
        mapping
            .severity
            .steps
            .sort_by(|a, b| a.from.total_cmp(&b.from));
        if mapping.rule.id.is_empty() && mapping.rule.name.is_empty() {
            keys.fault("rule_id", "is missing; say where the rule stands");
        }
        let every = mapping
            .envelope()
            .chain(mapping.fields.iter().flat_map(|(_, s)| s));
        if let Some(base) = every.flat_map(Source::pointers).find_map(Pointer::base) {
            keys.fault(
                "",
                format!("`${base}` is used; alert mappings have no bases"),
            );
        }
        keys.finish();
        mapping
    }

    fn envelope(&self) -> impl Iterator<Item = &Source> {
        let rule = [&self.rule.id, &self.rule.name, &self.rule.groups];
        [
            &self.id,
            &self.time,
            &self.product,
            &self.severity.sources,
            &self.attacks,
        ]
        .into_iter()
        .chain(rule)
        .flatten()
    }

    fn scope<'v>(&'v self, raw: &'v Value) -> Scope<'v> {
        let walk = Walk {
            ignore_case: false,
            json_text: &self.json_text,
        };
        Scope::plain(raw, walk, &[])
    }

    /// Reads the envelope; the error names the place that is of the wrong type.
    pub(crate) fn read(&self, raw: &Value, technique: &Regex) -> Result<Envelope, String> {
        let scope = self.scope(raw);
        for source in self.envelope() {
            for pointer in source.pointers() {
                scalar_at(&scope, pointer)?;
            }
        }
        let text = |sources: &[Source]| first(sources, &scope).map(|hit| hit.text);
        let (id, name) = (text(&self.rule.id), text(&self.rule.name));
        let unnamed = || "unknown".to_owned();
        Ok(Envelope {
            id: text(&self.id),
            time: self.time(&scope)?,
            product: text(&self.product),
            rule: Rule {
                id: id.clone().or_else(|| name.clone()).unwrap_or_else(unnamed),
                name: name.or(id).unwrap_or_else(unnamed),
                groups: all(&self.rule.groups, &scope),
            },
            severity: self.severity.of(&scope),
            attacks: techniques(&all(&self.attacks, &scope), technique),
            events: self.events(&scope)?,
        })
    }

    fn time(&self, scope: &Scope<'_>) -> Result<Option<Time>, String> {
        for source in &self.time {
            if let Some(hit) = source.value(scope) {
                let place = source.bare().map_or("the time", Pointer::text);
                let short: String = hit.text.chars().take(40).collect();
                return time::parse(&hit.text)
                    .map(Some)
                    .ok_or_else(|| format!("`{short}` at {place} is not a time"));
            }
        }
        Ok(None)
    }

    fn events(&self, scope: &Scope<'_>) -> Result<Vec<Value>, String> {
        let mut events = Vec::new();
        for source in &self.events {
            let Some(pointer) = source.bare() else {
                continue;
            };
            let mut wrong = None;
            scope.each(pointer, &mut |value, _| {
                let items = match value {
                    Value::Array(items) => items.as_slice(),
                    one => std::slice::from_ref(one),
                };
                for item in items {
                    match as_event(item) {
                        Some(event) => events.push(event),
                        None => wrong = Some(kind(item)),
                    }
                }
            });
            if let Some(kind) = wrong {
                let place = pointer.text();
                return Err(format!("an event at {place} is {kind}; expected an object"));
            }
            if !events.is_empty() {
                break;
            }
        }
        Ok(events)
    }

    /// Adds what the envelope itself says to the primary activity, or makes one of it.
    pub(crate) fn fill(&self, raw: &Value, activities: &mut Vec<Activity>) {
        let facts = facts(&self.fields, &self.trusted, &self.scope(raw));
        if facts.is_empty() {
            return;
        }
        match activities.first_mut() {
            Some(primary) => {
                for (field, fact) in facts {
                    if fact.trust == Trust::Trusted && !primary.fields.contains_key(&field) {
                        primary.trusted.push(field);
                    }
                    primary.fields.entry(field).or_insert(fact);
                }
                primary.trusted.sort();
                primary.trusted.dedup();
            }
            None => activities.push(Activity {
                uid: String::new(),
                time: None,
                schema: self.name.clone(),
                fields: facts,
                trusted: self.trusted.clone(),
                raw: raw.clone(),
            }),
        }
    }
}

impl Scale {
    fn of(&self, scope: &Scope<'_>) -> Severity {
        let read = |source: &Source| {
            let word = source.value(scope)?.text.to_lowercase();
            self.table.get(&word).copied().or_else(|| {
                let number: f64 = word.parse().ok()?;
                let below = self.steps.iter().take_while(|s| s.from <= number);
                below.last().map(|s| s.is)
            })
        };
        let found = self.sources.iter().find_map(read);
        found.unwrap_or(Severity::Unknown)
    }
}

/// Refuses an object where a single value is expected.
fn scalar_at(scope: &Scope<'_>, pointer: &Pointer) -> Result<(), String> {
    let mut wrong = false;
    scope.each(pointer, &mut |value, _| {
        wrong |= value.is_object() || value.as_array().is_some_and(|a| a.iter().any(nested));
    });
    let place = pointer.text();
    match wrong {
        true => Err(format!(
            "the value at {place} is an object; expected text or a number"
        )),
        false => Ok(()),
    }
}

fn nested(value: &Value) -> bool {
    value.is_object() || value.is_array()
}

fn as_event(value: &Value) -> Option<Value> {
    match value {
        Value::Object(_) => Some(value.clone()),
        Value::String(text) => json_in(text).filter(Value::is_object),
        _ => None,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn all(sources: &[Source], scope: &Scope<'_>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for source in sources {
        let hits = match source.bare() {
            Some(pointer) => scope.hits(pointer),
            None => source.value(scope).into_iter().collect(),
        };
        for hit in hits {
            if texts.len() < 100 && !texts.contains(&hit.text) {
                texts.push(hit.text);
            }
        }
    }
    texts
}

fn techniques(texts: &[String], technique: &Regex) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for text in texts {
        for found in technique.find_iter(text) {
            let id = found.as_str().to_uppercase();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids
}
