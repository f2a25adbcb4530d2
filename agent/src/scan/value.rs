//! Walks a JSON value: each text and key as a field with its JSON pointer, then all texts one after the other as the event.

use serde_json::Value;

use super::readings::Readings;

/// Objects and lists inside each other that are entered.
const DEEPEST: usize = 128;

/// Scans the fields of an event and the event as a whole; pointers begin with `prefix`.
pub(super) fn event(readings: &mut Readings<'_>, prefix: &str, value: &Value) {
    readings.begin_event();
    let mut walk = Walk {
        readings,
        texts: Vec::new(),
    };
    walk.enter(prefix, value, 0);
    if walk.texts.len() > 1 {
        let whole = walk.texts.join("\n");
        readings.whole_event(prefix, &whole);
    }
}

struct Walk<'w, 'm, 'v> {
    readings: &'w mut Readings<'m>,
    texts: Vec<&'v str>,
}

impl<'v> Walk<'_, '_, 'v> {
    fn enter(&mut self, pointer: &str, value: &'v Value, depth: usize) {
        if depth > DEEPEST {
            return self.readings.cut();
        }
        match value {
            Value::String(text) => {
                self.readings.field(pointer, text);
                self.texts.push(text);
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    self.enter(&format!("{pointer}/{i}"), item, depth + 1);
                }
            }
            Value::Object(members) => {
                for (key, member) in members {
                    let step = key.replace('~', "~0").replace('/', "~1");
                    let pointer = format!("{pointer}/{step}");
                    self.readings.field(&pointer, key);
                    self.enter(&pointer, member, depth + 1);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}
