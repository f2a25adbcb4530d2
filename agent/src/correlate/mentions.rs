//! What an alert names, from trusted fields alone; names that every machine has name nobody.

use std::collections::BTreeSet;
use std::net::IpAddr;

use state::model::{Activity, Alert, Entity, EntityKind, Field, Mention, Mentions, Part, Role};
use state::store::Spread;

use super::weight::{Alike, NEEDED, stake, weight};

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

/// Under which name correlation knows an entity of a case: kind and value, as in [`Mention::key`].
#[must_use]
pub fn key(entity: &Entity) -> String {
    format!("{}:{}", entity.kind, entity.key())
}

/// Whether an entity that `spread` tells of is shared by so many that not even a known incident joins through it alone. A
/// name that every machine has is shared by all.
#[must_use]
pub fn is_hub(entity: &Entity, spread: Option<&Spread>) -> bool {
    let value = entity.key();
    let name = value.rsplit(['\\', '/']).next().unwrap_or(&value);
    // Nobody noted it as somebody: that root is a machine's.
    let local_root = name == "root" && spread.is_none();
    if ON_EVERY_MACHINE.contains(&name) || name.ends_with('$') || local_root {
        return true;
    }
    let part = match (entity.kind, entity.role) {
        (EntityKind::Host, _) => Part::Host,
        (_, Role::Target) => Part::Target,
        _ => Part::User,
    };
    let alone = Spread::default();
    weight(stake(part), part, spread.unwrap_or(&alone)) * Alike::Incident.factor() < NEEDED
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

#[cfg(test)]
mod tests {
    use state::model::Trust;

    use super::*;

    #[test]
    fn what_many_share_is_a_hub() {
        let spread = |actors, places| {
            Some(Spread {
                key: String::new(),
                actors,
                places,
            })
        };
        for (kind, value, known, hub) in [
            (EntityKind::User, "ana@corp.example", None, false),
            (EntityKind::User, "ana@corp.example", spread(1, 3), false),
            (EntityKind::User, "deploy", spread(1, 200), true),
            (EntityKind::User, "CORP\\SYSTEM", spread(1, 1), true),
            (EntityKind::User, "WEB-1$", spread(1, 1), true),
            (EntityKind::User, "root", None, true),
            (EntityKind::User, "root", spread(1, 1), false),
            (EntityKind::Host, "laptop-7", spread(1, 1), false),
            (EntityKind::Host, "jump-1", spread(9, 1), true),
        ] {
            let entity = Entity {
                kind,
                value: value.to_owned(),
                role: Role::Principal,
                trust: Trust::Trusted,
            };
            assert_eq!(is_hub(&entity, known.as_ref()), hub, "{value} {known:?}");
        }
    }
}
