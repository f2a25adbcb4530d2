//! What an alert names, from trusted fields alone; names that every machine has name nobody.

use std::collections::BTreeSet;
use std::net::IpAddr;

use state::model::{Activity, Alert, Field, Mention, Mentions, Part};

/// Most entities of one alert that are read.
const MOST: usize = 40;
/// Longest entity, bytes: what is longer is no name.
const LONGEST: usize = 256;

/// Fields, their part and the kind under which equal values are one entity.
const PARTS: [(Field, Part, &str); 6] = [
    (Field::User, Part::User, "user"),
    (Field::SrcIp, Part::Source, "address"),
    (Field::Host, Part::Host, "host"),
    (Field::TargetUser, Part::Target, "user"),
    (Field::DstIp, Part::Destination, "address"),
    (Field::Resource, Part::Resource, "resource"),
];

/// Built-in accounts that every machine has: sharing them says nothing.
const ON_EVERY_MACHINE: [&str; 12] = [
    "",
    "-",
    "system",
    "localsystem",
    "local system",
    "local service",
    "network service",
    "anonymous",
    "anonymous logon",
    "unknown",
    "unset",
    "n/a",
];

/// What an alert names. A field that somebody outside may have written names nothing.
#[must_use]
pub fn mentions(alert: &Alert) -> Mentions {
    let mut all = BTreeSet::new();
    for activity in &alert.activities {
        for (field, part, kind) in PARTS {
            for key in keys(activity, field, kind) {
                if all.len() < MOST {
                    all.insert(Mention { part, key });
                }
            }
        }
    }
    let first = |field: Field, kind: &str| {
        let primary = alert.primary();
        primary.and_then(|a| keys(a, field, kind).into_iter().next())
    };
    let place = first(Field::Host, "host").unwrap_or_default();
    let actor = first(Field::User, "user").or_else(|| first(Field::SrcIp, "address"));
    let named = actor.or_else(|| Some(place.clone()).filter(|p| !p.is_empty()));
    let any = || all.first().map(|m| m.key.clone());
    Mentions {
        actor: named.or_else(any).unwrap_or_default(),
        place,
        all: all.into_iter().collect(),
    }
}

fn keys(activity: &Activity, field: Field, kind: &str) -> Vec<String> {
    let Some(fact) = activity.fields.get(&field) else {
        return Vec::new();
    };
    if !fact.trust.is_usable_for_closing() {
        return Vec::new();
    }
    // A list of mailboxes is several accounts.
    let several = field == Field::TargetUser && fact.value.contains('@');
    let values: Vec<&str> = match several {
        true => fact.value.split([',', ';']).collect(),
        false => vec![&fact.value],
    };
    let named = values.into_iter().map(|v| v.trim().to_lowercase());
    let somebody = named.filter(|v| v.len() <= LONGEST && names_somebody(activity, kind, v));
    somebody.map(|v| format!("{kind}:{v}")).collect()
}

fn names_somebody(activity: &Activity, kind: &str, value: &str) -> bool {
    match kind {
        "address" => value
            .parse::<IpAddr>()
            .is_ok_and(|ip| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast()),
        "user" => {
            let name = value.rsplit(['\\', '/']).next().unwrap_or(value);
            // Cloud accounts have a root user too, and that one is somebody.
            let local_root = name == "root" && activity.get(Field::Account).is_empty();
            !ON_EVERY_MACHINE.contains(&name) && !name.ends_with('$') && !local_root
        }
        _ => !ON_EVERY_MACHINE.contains(&value),
    }
}
