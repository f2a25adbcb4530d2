//! Who and what is involved, read from normalised activities; whether it matters is decided elsewhere.

use state::model::{Activity, Entity, EntityKind, Field, Role};

/// Most entities of one alert.
const MAX_ENTITIES: usize = 100;

/// The part each field plays.
const PARTS: [(Field, EntityKind, Role); 7] = [
    (Field::User, EntityKind::User, Role::Principal),
    (Field::TargetUser, EntityKind::User, Role::Target),
    (Field::Host, EntityKind::Host, Role::Place),
    (Field::Account, EntityKind::Account, Role::Place),
    (Field::SrcIp, EntityKind::Address, Role::Peer),
    (Field::DstIp, EntityKind::Address, Role::Peer),
    (Field::Resource, EntityKind::Resource, Role::Target),
];

/// Names every Windows or Linux machine has: the same name on two machines is not the same user.
const ON_EVERY_MACHINE: [&str; 9] = [
    "system",
    "localsystem",
    "local service",
    "network service",
    "anonymous logon",
    "local system",
    "root",
    "n/a",
    "unset",
];

/// Every entity of the activities, once; a value that is trusted in one place is trusted.
pub(super) fn extract(activities: &[Activity]) -> Vec<Entity> {
    let mut entities: Vec<Entity> = Vec::new();
    for activity in activities {
        for (field, kind, role) in PARTS {
            let Some(fact) = activity.fields.get(&field) else {
                continue;
            };
            for value in values(field, &fact.value) {
                if kind == EntityKind::User && is_everywhere(activity, value) {
                    continue;
                }
                let entity = Entity {
                    kind,
                    value: value.to_owned(),
                    role,
                    trust: fact.trust,
                };
                let key = entity.key();
                let same = |e: &Entity| e.kind == kind && e.role == role && e.key() == key;
                match entities.iter().position(same) {
                    Some(at) => entities[at].trust = entities[at].trust.min(entity.trust),
                    None if entities.len() < MAX_ENTITIES => entities.push(entity),
                    None => {}
                }
            }
        }
    }
    entities
}

/// A list of mailboxes is several targets.
fn values(field: Field, value: &str) -> Vec<&str> {
    let several = field == Field::TargetUser && value.contains('@');
    let parts: Vec<&str> = match several {
        true => value.split([',', ';']).map(str::trim).collect(),
        false => vec![value],
    };
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// Cloud accounts have a root user too, and that one is somebody.
fn is_everywhere(activity: &Activity, user: &str) -> bool {
    activity.get(Field::Account).is_empty()
        && ON_EVERY_MACHINE.contains(&user.to_lowercase().as_str())
}
