//! One window of a listing tool, page after page; what is new in it is decided by the source.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use state::model::Time;

use super::SourceError;
use super::config::McpConfig;
use crate::result::{at, is_empty, rows};
use crate::toolbox::{ReplyKind, ToolBox, ToolReply};

/// Names a template may hold.
const TEMPLATES: [&str; 7] = [
    "since", "until", "since_ms", "until_ms", "since_s", "until_s", "cursor",
];

/// From when to when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) since: Time,
    pub(super) until: Time,
}

/// What a window held.
pub(super) enum Listing {
    /// Every row of it.
    Whole(Vec<Value>),
    /// More pages than allowed; the rows of those that were read.
    TooMany(Vec<Value>),
}

/// Reads the pages of a window; any page that is not plainly an answer fails the whole window.
pub(super) async fn read(
    tools: &dyn ToolBox,
    config: &McpConfig,
    window: Window,
) -> Result<Listing, SourceError> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    let mut seen = BTreeSet::new();
    for _ in 0..config.max_pages {
        let arguments = arguments(config, window, token.as_deref());
        let reply = tools.call(&config.server, &config.tool, arguments).await?;
        let value = answer(config, &reply)?;
        if is_empty(&reply) {
            return Ok(Listing::Whole(found));
        }
        let page = match config.rows.as_str() {
            "" => rows(&value, ""),
            path => at(&value, path)
                .and_then(Value::as_array)
                .map(Vec::as_slice),
        };
        let Some(page) = page else {
            let place = if config.rows.is_empty() {
                "its top"
            } else {
                &config.rows
            };
            return Err(bad(config, format!("there is no list at {place}")));
        };
        found.extend_from_slice(page);
        token = config.cursor.as_ref().and_then(|c| next(&value, &c.from));
        match &token {
            None => return Ok(Listing::Whole(found)),
            Some(next) if !seen.insert(next.clone()) => {
                return Err(bad(config, "its pages repeat".to_owned()));
            }
            Some(_) => {}
        }
    }
    Ok(Listing::TooMany(found))
}

fn bad(config: &McpConfig, reason: String) -> SourceError {
    SourceError::Answer {
        tool: format!("{}.{}", config.server, config.tool),
        reason,
    }
}

/// The whole answer; where the bounded value leaves something out, the body is read instead.
fn answer(config: &McpConfig, reply: &ToolReply) -> Result<Value, SourceError> {
    match &reply.kind {
        ReplyKind::Answer => {}
        ReplyKind::BackendError(words) => {
            return Err(bad(config, format!("its backend failed: {words}")));
        }
        ReplyKind::Unknown(why) => return Err(bad(config, why.clone())),
    }
    if reply.cut.is_none() {
        return Ok(reply.value.clone());
    }
    whole(&reply.body).ok_or_else(|| {
        let hint = "the answer is too large to be read whole; ask for smaller pages";
        bad(config, hint.to_owned())
    })
}

fn whole(body: &[u8]) -> Option<Value> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if let Some(value) = body.get("structuredContent").filter(|v| !v.is_null()) {
        return Some(value.clone());
    }
    let blocks = body.get("content")?.as_array()?;
    let texts = blocks.iter().map(|b| b.get("text").and_then(Value::as_str));
    let mut values = texts
        .map(|text| serde_json::from_str::<Value>(text?).ok())
        .collect::<Option<Vec<_>>>()?;
    match values.len() {
        1 => values.pop(),
        _ => Some(Value::Array(values)),
    }
}

fn next(value: &Value, path: &str) -> Option<String> {
    match at(value, path)? {
        Value::String(token) if !token.is_empty() => Some(token.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn arguments(config: &McpConfig, window: Window, token: Option<&str>) -> Map<String, Value> {
    let mut arguments = Map::new();
    for (name, value) in &config.arguments {
        if let Some(value) = render(value, window, token) {
            arguments.insert(name.clone(), value);
        }
    }
    if let Some(name) = config.watermark.as_ref().and_then(|w| w.argument.as_ref()) {
        let since = Value::String(rfc3339(window.since));
        arguments.entry(name.clone()).or_insert(since);
    }
    if let (Some(cursor), Some(token)) = (&config.cursor, token) {
        arguments.insert(cursor.argument.clone(), Value::String(token.to_owned()));
    }
    arguments
}

/// Fills the templates; a value that is nothing but a page token is left out on the first page.
fn render(value: &Value, window: Window, token: Option<&str>) -> Option<Value> {
    let text = match value {
        Value::String(text) => text,
        Value::Array(items) => {
            let items = items.iter().filter_map(|v| render(v, window, token));
            return Some(items.collect());
        }
        Value::Object(map) => {
            let pairs = map.iter();
            let pairs = pairs.filter_map(|(k, v)| Some((k.clone(), render(v, window, token)?)));
            return Some(Value::Object(pairs.collect()));
        }
        other => return Some(other.clone()),
    };
    let number = |time: Time, name: &str| match name.ends_with("_ms") {
        true => time.timestamp_millis(),
        false => time.timestamp(),
    };
    match text.trim() {
        "{{cursor}}" => return token.map(|t| Value::String(t.to_owned())),
        "{{since_ms}}" | "{{since_s}}" => {
            let name = text.trim().trim_end_matches("}}");
            return Some(number(window.since, name).into());
        }
        "{{until_ms}}" | "{{until_s}}" => {
            let name = text.trim().trim_end_matches("}}");
            return Some(number(window.until, name).into());
        }
        _ => {}
    }
    let filled = text
        .replace("{{since}}", &rfc3339(window.since))
        .replace("{{until}}", &rfc3339(window.until))
        .replace("{{since_ms}}", &number(window.since, "_ms").to_string())
        .replace("{{until_ms}}", &number(window.until, "_ms").to_string())
        .replace("{{since_s}}", &number(window.since, "").to_string())
        .replace("{{until_s}}", &number(window.until, "").to_string())
        .replace("{{cursor}}", token.unwrap_or_default());
    Some(Value::String(filled))
}

pub(super) fn rfc3339(time: Time) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Whether the arguments bound the window at its end.
pub(super) fn is_bounded(config: &McpConfig) -> bool {
    let text = Value::Object(config.arguments.clone()).to_string();
    text.contains("{{until")
}

/// Template names in a text that nobody fills.
pub(super) fn unknown_templates(text: &str) -> Vec<String> {
    let parts = text.split("{{").skip(1);
    let names = parts.filter_map(|part| part.split_once("}}").map(|(name, _)| name));
    names
        .filter(|name| !TEMPLATES.contains(name))
        .map(str::to_owned)
        .collect()
}
