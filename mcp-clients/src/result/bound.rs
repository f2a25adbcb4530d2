//! Cuts a value to a size and depth, whole elements first; it does not choose what matters.

use serde_json::{Map, Value};

/// Stands at the end of a text that was cut and in place of what is nested too deep.
const MARK: &str = "…";

/// The value in at most `max` bytes of JSON and `depth` levels, and how many bytes that left out.
pub(super) fn bound(value: Value, max: usize, depth: usize) -> (Value, usize) {
    let before = size(&value);
    let value = flatten(value, depth);
    let value = if size(&value) > max {
        fit(value, max)
    } else {
        value
    };
    let after = size(&value);
    (value, before.saturating_sub(after))
}

/// Bytes of JSON.
fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
            self.0 += part.len();
            Ok(part.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

fn flatten(value: Value, depth: usize) -> Value {
    match value {
        Value::Array(_) | Value::Object(_) if depth == 0 => Value::String(MARK.to_owned()),
        Value::Array(items) => items.into_iter().map(|v| flatten(v, depth - 1)).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(k, v)| (k, flatten(v, depth - 1)))
            .collect(),
        other => other,
    }
}

/// At most `room` bytes of it. Never larger than `room`, except for what has no smaller form (2 to 5 bytes).
fn fit(value: Value, room: usize) -> Value {
    if size(&value) <= room {
        return value;
    }
    match value {
        Value::String(text) => fit_text(&text, room),
        Value::Array(items) => fit_array(items, room),
        Value::Object(map) => fit_object(map, room),
        other => other,
    }
}

fn fit_text(text: &str, room: usize) -> Value {
    let mut left = room.saturating_sub(2 + MARK.len());
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let width = match c {
            '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
            c if c < ' ' => 6,
            c => c.len_utf8(),
        };
        if width > left {
            break;
        }
        left -= width;
        end = at + c.len_utf8();
    }
    Value::String(format!("{}{MARK}", &text[..end]))
}

/// Whole elements from the start; if not even the first fits, that one cut.
fn fit_array(items: Vec<Value>, room: usize) -> Value {
    let mut left = room.saturating_sub(2);
    let mut kept = Vec::new();
    for item in items {
        let need = size(&item) + 1;
        if need > left {
            if kept.is_empty() && left > SMALLEST {
                kept.push(fit(item, left - 1));
            }
            break;
        }
        left -= need;
        kept.push(item);
    }
    Value::Array(kept)
}

/// Less room than this holds nothing worth keeping.
const SMALLEST: usize = 32;

/// Small fields whole, the room that is left shared out evenly among the large; no field moves.
fn fit_object(map: Map<String, Value>, room: usize) -> Value {
    let mut left = room.saturating_sub(2);
    let mut promised = 0;
    let mut fields: Vec<(String, Value, usize)> = Vec::new();
    for (key, value) in map {
        let (name, own) = (key_size(&key), size(&value));
        let least = own.min(SMALLEST);
        if name + least + promised > left {
            break;
        }
        left -= name;
        promised += least;
        fields.push((key, value, own));
    }
    let mut sizes: Vec<usize> = fields.iter().map(|(_, _, own)| *own).collect();
    sizes.sort_unstable();
    let mut share = usize::MAX;
    let mut waiting = sizes.len();
    for own in sizes {
        share = left / waiting.max(1);
        if own > share {
            break;
        }
        left -= own;
        waiting -= 1;
        share = usize::MAX;
    }
    fields
        .into_iter()
        .map(|(key, value, own)| {
            (
                key,
                if own > share {
                    fit(value, share)
                } else {
                    value
                },
            )
        })
        .collect::<Map<_, _>>()
        .into()
}

fn key_size(key: &str) -> usize {
    size(&Value::String(key.to_owned())) + 2
}
