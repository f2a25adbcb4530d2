//! What an event says, so told that the same deed at another time is told alike; which alerts are alike is `likeness`'s.
//!
//! Everything is told as it stands but what is known to differ each time: the event's own ids, times, counters and source
//! ports, by their keys. What somebody asked for (parameters, targets, request bodies) is told to the last digit.

use serde_json::{Map, Value, json};

use crate::data::sha256_hex;

use super::keys::{
    AGENTS, CIRCUMSTANCES, DRAWN, IDS, LONG, MAYBE_CODES, PARAMETERS, RESPONSES, SESSIONS, TARGETS,
    TEXTS, TIMES,
};
use super::words::{masked, sessionless, timeless};

/// How much of an event is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    All,
    /// Without the circumstances of whoever asked: encryption, fingerprint, place on the map.
    Deed,
}

/// Deepest level that is told; what lies deeper is told by its digest.
const DEEPEST: usize = 12;

/// Longest text that is looked into for JSON, bytes.
const LONGEST: usize = 64 * 1024;

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'k> {
    /// The key, lower case, letters and digits alone.
    key: &'k str,
    /// The key above it.
    above: &'k str,
    depth: usize,
    part: Part,
    asked: bool,
    answered: bool,
}

/// What an event says.
#[must_use]
pub(super) fn told(event: &Value, part: Part) -> Value {
    let place = Place {
        key: "",
        above: "",
        depth: 0,
        part,
        asked: false,
        answered: false,
    };
    tell(event, place)
}

fn tell(value: &Value, at: Place<'_>) -> Value {
    match value {
        _ if at.depth > DEEPEST => json!(sha256_hex(value.to_string())),
        Value::Object(map) => object(map, at),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|v| tell(v, at)).collect();
            // In whatever order: what belongs together stays together.
            items.sort_by_cached_key(Value::to_string);
            items.dedup();
            Value::Array(items)
        }
        Value::String(text) => match inner(text) {
            Some(inner) => tell(
                &inner,
                Place {
                    depth: at.depth + 1,
                    ..at
                },
            ),
            None => json!(leaf(text.trim(), at)),
        },
        Value::Number(n) => json!(leaf(&n.to_string(), at)),
        Value::Bool(_) | Value::Null => value.clone(),
    }
}

fn object(map: &Map<String, Value>, at: Place<'_>) -> Value {
    let mut lines: Vec<(String, Value)> = Vec::new();
    for (name, value) in map {
        // Some products write `process.pid` for an object in an object.
        let steps: Vec<String> = name.split('.').map(plain).collect();
        let (key, above) = match steps.as_slice() {
            [.., above, key] => (key.as_str(), above.as_str()),
            [key] => (key.as_str(), at.key),
            [] => continue,
        };
        let holds = |keys: &[&str]| steps.iter().any(|s| keys.contains(&s.as_str()));
        let circumstance = CIRCUMSTANCES.contains(&key) && !at.asked;
        if circumstance && at.part == Part::Deed {
            continue;
        }
        let inside = Place {
            key,
            above,
            depth: at.depth + steps.len(),
            part: at.part,
            asked: at.asked || holds(&PARAMETERS) || key == TARGETS,
            answered: at.answered || holds(&RESPONSES),
        };
        lines.push((name.clone(), tell(value, inside)));
    }
    lines.sort_by(|a, b| a.0.cmp(&b.0));
    json!(lines)
}

/// A key in lower case, its letters and digits alone: `@timestamp` and `eventTime` as `timestamp` and `eventtime`.
fn plain(key: &str) -> String {
    let letters = key.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// The JSON that a text holds.
fn inner(text: &str) -> Option<Value> {
    let holds = text.trim_start().starts_with(['{', '[']) && text.len() <= LONGEST;
    holds.then(|| serde_json::from_str(text).ok()).flatten()
}

fn leaf(text: &str, at: Place<'_>) -> String {
    let (key, digits) = (at.key, text.bytes().filter(u8::is_ascii_digit).count());
    // `source.port` and a `port` in a `source` are a `sourceport`.
    let joined = format!("{}{key}", at.above);
    let is = |keys: &[&str]| keys.contains(&key) || keys.contains(&joined.as_str());
    if at.asked {
        return text.to_owned();
    }
    if at.answered {
        return masked(text);
    }
    let own_id = key == "id"
        && (at.depth == 1 || matches!(at.above, "properties" | "records" | "transaction"));
    let maybe_code = own_id || is(&MAYBE_CODES);
    let own_id = (is(&IDS) || maybe_code) && digits > 0 && (text.len() >= LONG || !maybe_code);
    // A key that lives for an hour; one that stays is somebody's.
    let short_lived = key == "accesskeyid" && text.starts_with("ASIA");
    let left_out =
        (is(&TIMES) && digits >= 4) || own_id || (is(&DRAWN) && digits > 0) || short_lived;
    match key {
        _ if left_out => "#".to_owned(),
        _ if is(&AGENTS) => masked(text),
        _ if is(&TEXTS) => timeless(text),
        _ if is(&SESSIONS) => sessionless(text),
        // How much was moved, by its length.
        _ if is_measure(key) && digits == text.len() => format!("{digits} digits"),
        _ => text.to_owned(),
    }
}

fn is_measure(key: &str) -> bool {
    let ends = |end: &&str| key.starts_with(*end) || key.ends_with(*end);
    ["bytes", "packets", "pkts", "duration"].iter().any(ends)
}
