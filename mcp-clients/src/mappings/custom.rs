//! An alert mapping made of JSON pointers from configuration, for products without a file of their own.

use std::collections::BTreeMap;
use std::str::FromStr;

use state::model::{Field, Severity};

use super::alert::{AlertMapping, RuleSources, Scale, Step};
use super::event::trusted_field;
use super::pointer::Pointer;
use super::source::Source;

/// An alert mapping from configuration.
#[derive(Debug)]
pub struct CustomMapping(pub(super) AlertMapping);

/// Keys that are no event field.
const ENVELOPE: [&str; 9] = [
    "id",
    "time",
    "product",
    "rule_id",
    "rule_name",
    "rule_groups",
    "severity",
    "attacks",
    "trusted",
];

/// Whether a key of `[alerts.fields]` means something.
#[must_use]
pub fn is_field_key(key: &str) -> bool {
    ENVELOPE.contains(&key) || matches!(key, "event" | "events") || Field::from_str(key).is_ok()
}

/// Reads `key = pointer`; `event` or `events` say where the events are, `trusted` lists fields with commas.
pub(super) fn compile(
    given: &BTreeMap<String, String>,
    fallback: Option<&AlertMapping>,
) -> Result<CustomMapping, Vec<String>> {
    let mut faults = Vec::new();
    let mut mapping = empty();
    if let Some(generic) = fallback {
        mapping.severity.table = generic.severity.table.clone();
        mapping.severity.steps.clone_from(&generic.severity.steps);
        borrow(&mut mapping, generic, given);
    }
    for (key, text) in given {
        if key == "trusted" {
            for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
                match trusted_field(word) {
                    Ok(field) => mapping.trusted.push(field),
                    Err(why) => faults.push(format!("trusted: {why}")),
                }
            }
            continue;
        }
        match Source::at(text) {
            Err(why) => faults.push(format!("{key}: {why}")),
            Ok(source) if source.pointers().any(|p| p.base().is_some()) => {
                faults.push(format!(
                    "{key}: `{text}` starts at a base; there are none here"
                ));
            }
            Ok(source) => {
                if let Err(why) = place(&mut mapping, key, source) {
                    faults.push(why);
                }
            }
        }
    }
    if faults.is_empty() {
        Ok(CustomMapping(mapping))
    } else {
        Err(faults)
    }
}

fn place(mapping: &mut AlertMapping, key: &str, source: Source) -> Result<(), String> {
    let slot = match key {
        "id" => &mut mapping.id,
        "time" => &mut mapping.time,
        "product" => &mut mapping.product,
        "rule_id" => &mut mapping.rule.id,
        "rule_name" => &mut mapping.rule.name,
        "rule_groups" => &mut mapping.rule.groups,
        "severity" => &mut mapping.severity.sources,
        "attacks" => &mut mapping.attacks,
        "event" | "events" => &mut mapping.events,
        _ => {
            let Ok(field) = Field::from_str(key) else {
                let names: Vec<&str> = Field::ALL.iter().map(|f| f.as_str()).collect();
                return Err(format!(
                    "{key}: is neither {}, event, events nor a field ({})",
                    ENVELOPE.join(", "),
                    names.join(", ")
                ));
            };
            mapping.fields.push((field, vec![source]));
            return Ok(());
        }
    };
    slot.push(source);
    Ok(())
}

fn empty() -> AlertMapping {
    AlertMapping {
        name: "generic".to_owned(),
        id: Vec::new(),
        time: Vec::new(),
        product: Vec::new(),
        rule: RuleSources {
            id: Vec::new(),
            name: Vec::new(),
            groups: Vec::new(),
        },
        severity: Scale {
            sources: Vec::new(),
            table: BTreeMap::<String, Severity>::new(),
            steps: Vec::<Step>::new(),
        },
        attacks: Vec::new(),
        events: Vec::new(),
        fields: Vec::new(),
        trusted: Vec::new(),
        json_text: Vec::new(),
    }
}

/// Takes from the generic mapping what configuration leaves open.
fn borrow(mapping: &mut AlertMapping, generic: &AlertMapping, given: &BTreeMap<String, String>) {
    let open = |keys: &[&str]| !keys.iter().any(|k| given.contains_key(*k));
    let copy = |sources: &[Source]| -> Vec<Source> {
        let pointers = sources.iter().filter_map(Source::bare).map(Pointer::text);
        pointers.filter_map(|text| Source::at(text).ok()).collect()
    };
    for (key, to, from) in [
        ("id", &mut mapping.id, &generic.id),
        ("time", &mut mapping.time, &generic.time),
        ("product", &mut mapping.product, &generic.product),
        ("rule_id", &mut mapping.rule.id, &generic.rule.id),
        ("rule_name", &mut mapping.rule.name, &generic.rule.name),
        (
            "rule_groups",
            &mut mapping.rule.groups,
            &generic.rule.groups,
        ),
        (
            "severity",
            &mut mapping.severity.sources,
            &generic.severity.sources,
        ),
        ("attacks", &mut mapping.attacks, &generic.attacks),
    ] {
        if open(&[key]) {
            *to = copy(from);
        }
    }
    if open(&["event", "events"]) {
        mapping.events = copy(&generic.events);
    }
}
