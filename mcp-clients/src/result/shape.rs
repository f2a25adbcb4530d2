//! Undoes the ways servers wrap one and the same JSON: structured, doubly encoded, prefixed, in blocks, as a table.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};
use serde_json::{Map, Value, json};

use super::{MAX_BLOCKS, csv, nothing};

/// How many layers of wrapping are undone.
const MAX_LAYERS: usize = 4;
/// How many places in a text are tried as the start of JSON.
const MAX_STARTS: usize = 64;

/// An answer unwrapped.
#[derive(Debug)]
pub(super) struct Shaped {
    /// The answer.
    pub(super) value: Value,
    /// Prose that stood before it.
    pub(super) lead: Option<String>,
    /// Whether there was no content at all.
    pub(super) empty: bool,
}

/// Unwraps a result.
pub(super) fn shape(answer: CallToolResult) -> Shaped {
    if let Some(value) = answer.structured_content.filter(|v| !v.is_null()) {
        return layers(value, None);
    }
    let mut texts = Vec::new();
    let mut others = Vec::new();
    let empty = answer.content.is_empty();
    for block in answer.content.into_iter().take(MAX_BLOCKS) {
        match block {
            ContentBlock::Text(text) => texts.push(text.text),
            other => others.push(named(&other)),
        }
    }
    let mut shaped = match texts.len() {
        0 => Shaped {
            value: if empty { nothing() } else { json!({}) },
            lead: None,
            empty,
        },
        1 => text(texts.remove(0), MAX_LAYERS),
        _ => blocks(texts),
    };
    if !others.is_empty() {
        shaped.value = attach(shaped.value, others);
    }
    shaped
}

/// A sole `result` key and JSON in a string, unwrapped as often as they come.
fn layers(mut value: Value, lead: Option<String>) -> Shaped {
    for left in (0..MAX_LAYERS).rev() {
        value = match value {
            Value::Object(mut map) if map.len() == 1 && map.contains_key("result") => {
                map.remove("result").unwrap_or_default()
            }
            Value::String(inner) => {
                let mut shaped = text(inner, left);
                shaped.lead = shaped.lead.or(lead);
                return shaped;
            }
            value => {
                return Shaped {
                    value,
                    lead,
                    empty: false,
                };
            }
        };
    }
    Shaped {
        value,
        lead,
        empty: false,
    }
}

fn text(text: String, layers_left: usize) -> Shaped {
    let plain = |value| Shaped {
        value,
        lead: None,
        empty: false,
    };
    let trimmed = text.trim();
    match serde_json::from_str::<Value>(trimmed) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::String(_))) if layers_left > 0 => {
            return layers_once(value, layers_left - 1);
        }
        Ok(value @ (Value::Object(_) | Value::Array(_))) => return plain(value),
        _ => {}
    }
    if let Some((lead, value)) = json_after_prose(trimmed) {
        return Shaped {
            value,
            lead: Some(lead),
            empty: false,
        };
    }
    match csv::table(trimmed) {
        Some(rows) => plain(rows),
        None => plain(json!({ "text": text })),
    }
}

fn layers_once(value: Value, left: usize) -> Shaped {
    match value {
        Value::String(inner) => text(inner, left),
        Value::Object(map) if map.len() == 1 && map.contains_key("result") => {
            layers(Value::Object(map), None)
        }
        value => Shaped {
            value,
            lead: None,
            empty: false,
        },
    }
}

/// The first `{` or `[` from which the text parses to its end.
fn json_after_prose(text: &str) -> Option<(String, Value)> {
    if !text.ends_with(['}', ']']) {
        return None;
    }
    text.match_indices(['{', '['])
        .take(MAX_STARTS)
        .find_map(|(at, _)| {
            let value = serde_json::from_str(&text[at..]).ok()?;
            Some((text[..at].trim().to_owned(), value))
        })
}

/// Several text blocks: all JSON is a list, prose and then JSON a list with a text, else all one text.
fn blocks(texts: Vec<String>) -> Shaped {
    let parse = |text: &String| -> Option<Value> {
        serde_json::from_str::<Value>(text.trim())
            .ok()
            .filter(|v| v.is_object() || v.is_array())
    };
    let parsed: Vec<Option<Value>> = texts.iter().map(parse).collect();
    let json = parsed.iter().flatten().count();
    if json == texts.len() {
        let rows = Value::Array(parsed.into_iter().flatten().collect());
        return Shaped {
            value: rows,
            lead: None,
            empty: false,
        };
    }
    if json + 1 == texts.len() && parsed.first().is_some_and(Option::is_none) {
        let lead = texts.into_iter().next();
        let mut rows: Vec<Value> = parsed.into_iter().flatten().collect();
        // One list after the prose is the list, not its only element.
        if let [Value::Array(list)] = rows.as_mut_slice() {
            rows = std::mem::take(list);
        }
        let value = json!({ "text": lead, "results": rows });
        return Shaped {
            value,
            lead,
            empty: false,
        };
    }
    text(texts.join("\n"), MAX_LAYERS)
}

/// A block that is not text, by name and size only.
fn named(block: &ContentBlock) -> Value {
    match block {
        ContentBlock::Image(image) => {
            json!({ "type": "image", "mime_type": image.mime_type, "base64_bytes": image.data.len() })
        }
        ContentBlock::Audio(audio) => {
            json!({ "type": "audio", "mime_type": audio.mime_type, "base64_bytes": audio.data.len() })
        }
        ContentBlock::ResourceLink(link) => json!({ "type": "resource_link", "uri": link.uri }),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => {
                json!({ "type": "resource", "uri": uri, "text_bytes": text.len() })
            }
            ResourceContents::BlobResourceContents { uri, blob, .. } => {
                json!({ "type": "resource", "uri": uri, "base64_bytes": blob.len() })
            }
            _ => json!({ "type": "resource" }),
        },
        _ => json!({ "type": "unknown" }),
    }
}

fn attach(value: Value, others: Vec<Value>) -> Value {
    let mut map = match value {
        Value::Object(map) if !map.contains_key("attachments") => map,
        other => Map::from_iter([("results".to_owned(), other)]),
    };
    map.insert("attachments".to_owned(), Value::Array(others));
    Value::Object(map)
}
