//! The alert feeds: loading, paging and finding alerts as the product wrote them. It reads an alert's
//! time and ids and nothing else of it; mapping is the daemon's.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    answer::{Answer, MAX_BYTES, size_of_json},
    clock::Stamp,
    files::{self, Loaded, Unanswered, bounded},
    serve::Lab,
};

/// Where the known alert forms keep the time of the alert, best first.
const TIMES: [&str; 14] = [
    "/created_at",
    "/createdDateTime",
    "/time",
    "/timestamp",
    "/@timestamp",
    "/event_time",
    "/eventTime",
    "/published",
    "/created",
    "/event/event_time",
    "/event/@timestamp",
    "/events/0/event_time",
    "/_source/@timestamp",
    "/_source/timestamp",
];
const IDS: [&str; 6] = ["id", "uuid", "eventID", "_id", "alertId", "event_uid"];

/// An alert longer than this as a line can't be sent; the daemon sets it aside as unparsable.
const LONGEST: usize = 4 * 1024 * 1024;
/// How much of a line that is not JSON is shown.
const SHOWN: usize = 64 * 1024;

/// A page of alerts.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Page {
    #[serde(flatten)]
    answer: Answer,
    /// Give this to get the next page; null: this was the last.
    next_cursor: Option<String>,
}

impl Page {
    pub(super) fn absent(reason: String) -> Self {
        Self {
            answer: Answer::absent(reason),
            next_cursor: None,
        }
    }
}

/// What a page may show.
pub(super) struct Range {
    pub now: Stamp,
    /// Set if the question named its time.
    pub asked_as_of: Option<Stamp>,
    pub since: Option<Stamp>,
    pub until: Option<Stamp>,
    pub limit: usize,
}

impl Range {
    /// An alert whose time can't be read must reach the queue, where a person sees it; but it can't
    /// be shown not to be later than a time that was asked for.
    fn shows(&self, time: Option<Stamp>) -> bool {
        let Some(time) = time else {
            return self.asked_as_of.is_none();
        };
        time <= self.now
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
    }
}

/// One feed's alerts.
pub(super) struct Feed {
    name: String,
    alerts: Loaded<Vec<Entry>>,
}

struct Entry {
    raw: Value,
    time: Option<Stamp>,
}

/// Every feed of the lab.
pub(super) struct Alerts(Vec<Feed>);

impl Alerts {
    pub(super) fn open(lab: &Lab) -> Self {
        let feeds = lab.manifest.feeds.iter().map(|feed| Feed {
            name: feed.name.clone(),
            alerts: files::bytes(&lab.dir, &feed.file)
                .map(|bytes| files::lines(&bytes).map(entry).collect()),
        });
        Self(feeds.collect())
    }

    /// The feed of that name; the only one there is, if none is named.
    pub(super) fn feed(&self, name: Option<&str>) -> Loaded<&Feed> {
        let known = || {
            let names: Vec<_> = self.0.iter().map(|feed| feed.name.as_str()).collect();
            names.join(", ")
        };
        match (name, self.0.as_slice()) {
            (_, []) => Err(Unanswered::Absent("this lab has no alert feed".to_owned())),
            (None, [feed]) => Ok(feed),
            (None, _) => Err(Unanswered::Failed(format!(
                "this lab has more than one feed; name one of {}",
                known()
            ))),
            (Some(name), feeds) => feeds.iter().find(|feed| feed.name == name).ok_or_else(|| {
                let name = bounded(name, 60);
                Unanswered::Failed(format!("no feed is called `{name}`; there is {}", known()))
            }),
        }
    }

    /// The alerts with this id: those that carry it at the top, else those that hold it inside.
    pub(super) fn find(&self, id: &str, feed: Option<&str>, now: Stamp) -> Loaded<Vec<Value>> {
        let feeds: Vec<&Feed> = match feed {
            Some(_) => vec![self.feed(feed)?],
            None if self.0.is_empty() => vec![self.feed(None)?],
            None => self.0.iter().collect(),
        };
        let (mut top, mut inside) = (Vec::new(), Vec::new());
        let mut absent = None;
        for feed in &feeds {
            let alerts = match &feed.alerts {
                Ok(alerts) => alerts,
                Err(Unanswered::Absent(reason)) => {
                    absent = Some(reason.clone());
                    continue;
                }
                Err(failed) => return Err(failed.clone()),
            };
            for entry in alerts.iter().filter(|e| e.time.is_none_or(|t| t <= now)) {
                if has_id(&entry.raw, id) {
                    top.push(entry.raw.clone());
                } else if has_id_inside(&entry.raw, id) {
                    inside.push(entry.raw.clone());
                }
            }
        }
        match absent {
            Some(reason) if feeds.len() == 1 => Err(Unanswered::Absent(reason)),
            _ if top.is_empty() => Ok(inside),
            _ => Ok(top),
        }
    }
}

impl Feed {
    /// The alerts in `range` from the cursor on, in the order of the file.
    pub(super) fn page(&self, range: Range, cursor: Option<&str>) -> Loaded<Page> {
        let alerts = self.alerts.as_ref().map_err(Clone::clone)?;
        let start = match cursor {
            None => 0,
            Some(text) => self.position(text, alerts.len())?,
        };
        let mut results = Vec::new();
        let mut room = MAX_BYTES;
        let mut next = None;
        for (position, entry) in alerts.iter().enumerate().skip(start) {
            if !range.shows(entry.time) {
                continue;
            }
            let size = size_of_json(&entry.raw);
            // One alert always fits, so that a large one can't stop the queue.
            if results.len() == range.limit || (size > room && !results.is_empty()) {
                next = Some(format!("{}:{position}", self.name));
                break;
            }
            room = room.saturating_sub(size);
            results.push(entry.raw.clone());
        }
        Ok(Page {
            answer: Answer {
                available: true,
                reason: None,
                as_of: Some(range.now.to_string()),
                count: results.len(),
                results,
                truncated: next.is_some(),
                note: None,
            },
            next_cursor: next,
        })
    }

    fn position(&self, cursor: &str, alerts: usize) -> Loaded<usize> {
        let position = cursor
            .strip_prefix(&self.name)
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|number| number.parse().ok());
        match position {
            Some(position) if position <= alerts => Ok(position),
            _ => Err(Unanswered::Failed(format!(
                "the cursor is not one of feed `{}`; start again without a cursor",
                self.name
            ))),
        }
    }
}

fn entry((number, line): (usize, &[u8])) -> Entry {
    let parsed = match serde_json::from_slice::<Value>(line) {
        Ok(raw) if line.len() <= LONGEST => raw,
        _ => {
            let text = String::from_utf8_lossy(line);
            let raw = json!({ "unparsable_line": number, "text": bounded(&text, SHOWN) });
            return Entry { raw, time: None };
        }
    };
    let time = TIMES
        .iter()
        .find_map(|pointer| parsed.pointer(pointer).and_then(Stamp::lenient));
    Entry { raw: parsed, time }
}

fn has_id(value: &Value, id: &str) -> bool {
    IDS.iter().any(|key| match value.get(key) {
        Some(Value::String(text)) => text == id,
        Some(Value::Number(number)) => number.to_string() == id,
        _ => false,
    })
}

fn has_id_inside(value: &Value, id: &str) -> bool {
    let held = |member: &Value| has_id(member, id) || has_id_inside(member, id);
    match value {
        Value::Array(members) => members.iter().any(held),
        Value::Object(object) => object.values().any(held),
        _ => false,
    }
}
