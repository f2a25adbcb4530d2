//! What makes two alerts of a rule alike: principal, fields, content; an outsider's text can only make alerts differ.
//!
//! Fields count whatever their trust: a field that an attacker writes may be forged to be equal, and then the trusted
//! ones still have to be equal, but one that differs is another case.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};
use state::model::{Activity, Alert, Entity, EntityKind, Field, Likeness, Role, Trust};

use crate::data::sha256_hex;

/// Deepest level of an event that is read.
const DEEPEST: usize = 12;

/// What makes another alert of the rule like this one; empty when it names no trusted principal.
#[must_use]
pub fn likeness(alert: &Alert) -> Likeness {
    let Some(principal) = principal(&alert.entities) else {
        return Likeness::default();
    };
    let about = json!([alert.source, alert.mapping, alert.rule.id, principal]);
    let mut fields = BTreeSet::new();
    let mut content = BTreeSet::new();
    for activity in &alert.activities {
        fields.insert(form(activity));
        leaves(&activity.raw, "", &mut content, (0, masked));
    }
    if alert.activities.is_empty() {
        // Without an event that could be read only the whole text says what it is.
        match serde_json::from_str(&alert.raw) {
            Ok(raw) => leaves(&raw, "", &mut fields, (0, numbers_out)),
            Err(_) => drop(fields.insert(numbers_out(&alert.raw))),
        }
    }
    let shape = sha256_hex(json!([about, fields]).to_string());
    Likeness {
        content: sha256_hex(json!([shape, content]).to_string()),
        shape,
        principal,
    }
}

/// Whom the alert is about, by a trusted field: who acted, else the host, else the address it came from.
fn principal(entities: &[Entity]) -> Option<String> {
    let of = |kind: EntityKind, role: Option<Role>| {
        let is_it = |e: &&Entity| {
            e.kind == kind && role.is_none_or(|r| e.role == r) && e.trust == Trust::Trusted
        };
        entities.iter().filter(is_it).map(Entity::key).min()
    };
    of(EntityKind::User, Some(Role::Principal))
        .or_else(|| of(EntityKind::Host, None))
        .or_else(|| of(EntityKind::User, None))
        .or_else(|| of(EntityKind::Resource, None))
        .or_else(|| of(EntityKind::Address, None))
        .filter(|key| !key.is_empty())
}

/// The normalised fields of an event; of one that no mapping knows, the whole of it.
fn form(activity: &Activity) -> String {
    let mut lines = BTreeSet::from([format!("schema={}", activity.schema)]);
    if activity.fields.is_empty() {
        leaves(&activity.raw, "", &mut lines, (0, numbers_out));
    }
    for (field, fact) in &activity.fields {
        let value = match field {
            // Different at every use.
            Field::UserId | Field::Session | Field::ProcessId | Field::Message => continue,
            Field::DstPort => port(&fact.value),
            Field::Bytes => fact.value.trim().len().to_string(),
            Field::UserAgent => masked(&fact.value),
            Field::CommandLine | Field::File | Field::Process | Field::Parent | Field::Subject => {
                numbers_out(&fact.value)
            }
            // Who, where, what and by which file: another one is another case.
            _ => fact.value.trim().to_lowercase(),
        };
        if !value.is_empty() {
            lines.insert(format!("{field}={value}"));
        }
    }
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// A port that names a service, or `high`.
fn port(text: &str) -> String {
    match text.trim().parse::<u32>() {
        Ok(port) if port >= 1024 => "high".to_owned(),
        _ => text.trim().to_owned(),
    }
}

/// Every single value with its path, list places left out; texts as `told` tells them.
fn leaves(
    value: &Value,
    path: &str,
    into: &mut BTreeSet<String>,
    (depth, told): (usize, fn(&str) -> String),
) {
    let inner = (depth + 1, told);
    match value {
        _ if depth > DEEPEST => {
            into.insert(format!("{path}={}", sha256_hex(value.to_string())));
        }
        Value::Object(map) => map
            .iter()
            .for_each(|(key, v)| leaves(v, &format!("{path}.{}", told(key)), into, inner)),
        Value::Array(items) => items.iter().for_each(|v| leaves(v, path, into, inner)),
        Value::String(text) => drop(into.insert(format!("{path}={}", told(text)))),
        Value::Number(n) => drop(into.insert(format!("{path}={}", told(&n.to_string())))),
        Value::Bool(_) | Value::Null => drop(into.insert(format!("{path}={value}"))),
    }
}

/// Fewest digits of a number that is left out where names and addresses must stay: times and request
/// numbers, not the codes of events.
const LONG_NUMBER: usize = 6;

/// The text in lower case without UUIDs and long numbers; names, addresses, digests and encoded payloads stay.
fn numbers_out(text: &str) -> String {
    words(text, |word| {
        let number = word.chars().all(|c| c.is_ascii_digit());
        match number && word.len() >= LONG_NUMBER {
            true => "#".to_owned(),
            false => word.to_owned(),
        }
    })
}

/// The usual spelling of a UUID, lower case; some of its parts may hold no digit. Without it alerts would only differ more.
static UUID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").ok());

/// Longest word of mixed letters and digits that is kept; longer ones are ids.
const LONGEST_MIXED: usize = 8;

/// The text in lower case with numbers and ids left out, so that it is equal at the next time; an address stays.
fn masked(text: &str) -> String {
    words(text, |word| {
        let numbered = word.contains(|c: char| c.is_ascii_digit());
        let is_id =
            word.chars().all(|c| c.is_ascii_hexdigit()) || word.chars().count() > LONGEST_MIXED;
        let mut out: String = match numbered && is_id {
            true => String::new(),
            false => word.chars().filter(|c| !c.is_ascii_digit()).collect(),
        };
        if numbered {
            out.push('#');
        }
        out
    })
}

/// The text in lower case, its UUIDs left out and each word as `told` tells it; a text that is an address stays.
fn words(text: &str, told: impl Fn(&str) -> String) -> String {
    let text = text.trim().to_lowercase();
    if text.parse::<IpAddr>().is_ok() {
        return text;
    }
    let text = match UUID.as_ref() {
        Some(uuid) => uuid.replace_all(&text, "#"),
        None => text.as_str().into(),
    };
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let ends = word.chars().next_back().filter(|c| !c.is_alphanumeric());
        out.push_str(&told(&word[..word.len() - ends.map_or(0, char::len_utf8)]));
        out.extend(ends);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{masked, numbers_out};

    #[test]
    fn names_addresses_and_payloads_are_told_apart() {
        for (one, other) in [
            ("curl http://203.0.113.5/a", "curl http://198.51.100.9/a"),
            ("ssh srv01", "ssh srv02"),
            ("4624", "4625"),
            (
                "powershell -enc SQBFAFgAMQA=",
                "powershell -enc SQBFAFgAMgA=",
            ),
            ("del 9f86d081884c7d65", "del 60303ae22b998861"),
        ] {
            assert_ne!(numbers_out(one), numbers_out(other));
        }
        assert_eq!(numbers_out("at 1700000001"), numbers_out("at 1700009999"));
    }

    #[test]
    fn numbers_and_ids_go_and_words_and_addresses_stay() {
        for (text, kept) in [
            ("10.0.0.7", "10.0.0.7"),
            ("2001:DB8::7", "2001:db8::7"),
            (
                "Failed password for root port 4711 ssh2",
                "failed password for root port # ssh#",
            ),
            (
                "arn:aws:iam::123456789012:user/ana",
                "arn:aws:iam::#:user/ana",
            ),
            ("i-0abc12de34f567890", "i-#"),
            ("id 6f9619ff-abcd-d011-beef-00cf4fc964ff", "id #"),
            ("a1b2c3 deed", "# deed"),
            (
                "Mozilla/5.0 (Windows NT 10.0)",
                "mozilla/#.# (windows nt #.#)",
            ),
            ("", ""),
        ] {
            assert_eq!(masked(text), kept, "{text}");
        }
        assert_ne!(masked("AdministratorAccess"), masked("ReadOnlyAccess"));
    }
}
