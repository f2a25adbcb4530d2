//! Paths into a raw event; they find values and judge nothing.
//!
//! A pointer is an RFC 6901 pointer with four additions: `*` stands for every element, `[name=EMAIL]`
//! picks the elements of an array whose `name` is `EMAIL`, keys that hold dots match flattened
//! fields (`/win/system/channel` finds `"win.system.channel"`), and text that holds JSON is read as JSON.
//! A leading `$name` starts at a base of the mapping instead of the whole event.

use serde_json::Value;

/// One segment of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    Every,
    Select { key: String, value: String },
}

/// A parsed pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer {
    base: Option<String>,
    segments: Vec<Segment>,
    text: String,
}

/// How keys are compared and which text may be read as JSON without losing trust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk<'c> {
    /// Compare keys without regard to case and underscores when no key is equal.
    pub(crate) ignore_case: bool,
    /// Keys whose text the product itself writes as JSON; JSON in any other text was put there by somebody.
    pub(crate) json_text: &'c [String],
}

/// A value on the way of a pointer, and whether the way led through text that somebody may have written.
type Visit<'v> = dyn FnMut(&Value, bool) + 'v;

#[derive(Clone, Copy)]
struct Place<'c> {
    walk: Walk<'c>,
    key: &'c str,
    through_text: bool,
}

impl Pointer {
    /// Reads a pointer; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (base, rest) = match text.strip_prefix('$') {
            Some(after) => {
                let (name, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
                (Some(name.to_owned()), rest)
            }
            None => (None, text),
        };
        if !rest.is_empty() && !rest.starts_with('/') {
            return Err(format!("`{text}` is not a pointer; it starts with `/`"));
        }
        let mut segments = Vec::new();
        for part in rest.split('/').skip(1) {
            push_segments(part, &mut segments)
                .map_err(|why| format!("`{text}` is not a pointer; {why}"))?;
        }
        Ok(Self {
            base,
            segments,
            text: text.to_owned(),
        })
    }

    /// The base it starts at, if it does not start at the whole event.
    pub(crate) fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// The pointer as written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Calls `visit` for every value the pointer reaches below `root`; null is no value.
    pub(crate) fn visit(&self, root: &Value, walk: Walk<'_>, visit: &mut Visit<'_>) {
        let place = Place {
            walk,
            key: "",
            through_text: false,
        };
        descend(root, &self.segments, place, visit);
    }

    /// The first value the pointer reaches.
    pub(crate) fn first(&self, root: &Value, walk: Walk<'_>) -> Option<Value> {
        let mut found = None;
        self.visit(root, walk, &mut |value, _| {
            if found.is_none() {
                found = Some(value.clone());
            }
        });
        found
    }
}

fn push_segments(part: &str, into: &mut Vec<Segment>) -> Result<(), String> {
    let (key, select) = match part.find('[') {
        Some(at) if part.ends_with(']') => (&part[..at], Some(&part[at + 1..part.len() - 1])),
        _ => (part, None),
    };
    if key == "*" {
        into.push(Segment::Every);
    } else if !key.is_empty() || select.is_none() {
        into.push(Segment::Key(key.replace("~1", "/").replace("~0", "~")));
    }
    if let Some(select) = select {
        let (key, value) = select
            .split_once('=')
            .ok_or_else(|| format!("`[{select}]` needs a key and a value: `[name=value]`"))?;
        into.push(Segment::Select {
            key: key.to_owned(),
            value: value.to_owned(),
        });
    }
    Ok(())
}

fn descend<'c>(value: &Value, rest: &'c [Segment], place: Place<'c>, visit: &mut Visit<'_>) {
    let Some((segment, after)) = rest.split_first() else {
        if !value.is_null() {
            visit(value, place.through_text);
        }
        return;
    };
    if let Value::String(text) = value {
        if let Some(parsed) = json_in(text) {
            let known = place.walk.json_text.iter().any(|k| k == place.key);
            let place = Place {
                through_text: place.through_text || !known,
                ..place
            };
            descend(&parsed, rest, place, visit);
        }
        return;
    }
    match segment {
        Segment::Key(_) => by_key(value, rest, place, visit),
        Segment::Every => {
            for child in children(value) {
                descend(child, after, place, visit);
            }
        }
        Segment::Select { key, value: wanted } => {
            let holds = |v: &&Value| scalar(v).is_some_and(|s| s == *wanted);
            for child in children(value) {
                if child.get(key).as_ref().is_some_and(holds) {
                    descend(child, after, place, visit);
                }
            }
        }
    }
}

/// Follows one key, and where an object has flattened keys also several joined by dots.
fn by_key<'c>(value: &Value, rest: &'c [Segment], place: Place<'c>, visit: &mut Visit<'_>) {
    match value {
        Value::Array(items) => {
            if let Some((Segment::Key(key), after)) = rest.split_first()
                && let Some(item) = key.parse::<usize>().ok().and_then(|n| items.get(n))
            {
                descend(item, after, place, visit);
            }
        }
        Value::Object(map) => {
            let mut joined = String::new();
            for (taken, segment) in rest.iter().enumerate() {
                let Segment::Key(key) = segment else { break };
                if taken > 0 {
                    joined.push('.');
                }
                joined.push_str(key);
                let exact = map.get(&joined);
                let child = exact.or_else(|| {
                    let same = |k: &&String| alike(k, &joined);
                    let found = map.keys().find(same).filter(|_| place.walk.ignore_case);
                    found.and_then(|k| map.get(k))
                });
                if let Some(child) = child {
                    descend(child, &rest[taken + 1..], Place { key, ..place }, visit);
                }
            }
        }
        _ => {}
    }
}

/// Whether two keys differ in case and underscores only: `EventID` and `event_id`.
fn alike(one: &str, other: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        let kept = text.bytes().filter(|b| *b != b'_');
        kept.map(|b| b.to_ascii_lowercase())
    }
    letters(one).eq(letters(other))
}

fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Object(map) => Box::new(map.values()),
        _ => Box::new(std::iter::empty()),
    }
}

/// The JSON object or array that stands in a text, if one does.
pub(crate) fn json_in(text: &str) -> Option<Value> {
    let text = text.trim();
    (text.starts_with('{') || text.starts_with('['))
        .then(|| serde_json::from_str(text).ok())
        .flatten()
}

/// Text, number or boolean in its JSON spelling; text without surrounding space. An element with
/// attributes, as XML converters write it, counts as its text.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Object(map) => match map.get("#text")? {
            Value::Object(_) => None,
            text => scalar(text),
        },
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
