//! Tells answers from failures that servers do not flag; when neither can be told, it says so.

use serde_json::Value;

use super::at;
use super::shape::Shaped;
use crate::config::{EmptyMeans, ReplyRule, ReplyRules};
use crate::toolbox::ReplyKind;
use crate::words::one_line;

/// Longest part of a server's words that is passed on, characters.
const MAX_WORDS: usize = 500;

/// Beginnings of texts that look like a failure, lower case.
const SUSPICIOUS: [&str; 6] = [
    "error",
    "failed",
    "failure",
    "traceback",
    "exception",
    "unexpected error",
];

/// How an answer reads under its server's rules, or without any.
pub(super) fn classify(shaped: &Shaped, rules: &ReplyRules) -> ReplyKind {
    if shaped.empty {
        return match rules.empty {
            Some(EmptyMeans::Answer) => ReplyKind::Answer,
            _ => ReplyKind::Unknown("the reply has no content".to_owned()),
        };
    }
    if rules.is_empty() {
        return suspicion(shaped).map_or(ReplyKind::Answer, ReplyKind::Unknown);
    }
    if let Some(rule) = rules.error_when.iter().find(|rule| matches(rule, shaped)) {
        let said = rule
            .message
            .as_deref()
            .and_then(|path| at(&shaped.value, path));
        let said = said
            .filter(|v| !v.is_null())
            .or_else(|| at(&shaped.value, rule.path.as_deref()?));
        return ReplyKind::BackendError(match said {
            Some(Value::String(text)) if !text.trim().is_empty() => one_line(text, MAX_WORDS),
            _ => words(&shaped.value),
        });
    }
    if rules.ok_when.is_empty() || rules.ok_when.iter().any(|rule| matches(rule, shaped)) {
        return ReplyKind::Answer;
    }
    ReplyKind::Unknown(format!(
        "no ok_when rule of this server fits: {}",
        words(&shaped.value)
    ))
}

fn matches(rule: &ReplyRule, shaped: &Shaped) -> bool {
    if let Some(prefix) = &rule.text_prefix {
        return texts(shaped).any(|text| begins(text, prefix));
    }
    let Some(found) = rule
        .path
        .as_deref()
        .and_then(|path| at(&shaped.value, path))
    else {
        return false;
    };
    match (&rule.equals, rule.non_empty) {
        (Some(wanted), _) => found == wanted,
        (None, true) => !is_hollow(found),
        (None, false) => !found.is_null(),
    }
}

/// Why an answer of an unknown server looks like a failure.
fn suspicion(shaped: &Shaped) -> Option<String> {
    let says = |what: &str| Some(format!("{what}: {}", words(&shaped.value)));
    for key in ["error", "errors", "exception", "isError"] {
        if shaped
            .value
            .get(key)
            .is_some_and(|v| !is_hollow(v) && *v != Value::Bool(false))
        {
            return says(&format!("the reply has the key {key:?}"));
        }
    }
    for key in ["success", "ok"] {
        if shaped.value.get(key) == Some(&Value::Bool(false)) {
            return says(&format!("the reply says {key} is false"));
        }
    }
    let failed = texts(shaped).any(|text| SUSPICIOUS.iter().any(|start| begins(text, start)));
    if failed {
        says("the reply reads like a failure")
    } else {
        None
    }
}

/// The prose of an answer.
fn texts(shaped: &Shaped) -> impl Iterator<Item = &str> {
    let text = shaped.value.get("text").and_then(Value::as_str);
    shaped.lead.as_deref().into_iter().chain(text)
}

fn begins(text: &str, prefix: &str) -> bool {
    let text = text.trim_start();
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// What a failing reply says, as one line: the first of its usual keys, or all of it.
pub(super) fn words(value: &Value) -> String {
    let usual = [
        "text",
        "message",
        "error.message",
        "error",
        "exception",
        "detail",
        "errors.0.message",
    ];
    let found = usual.iter().find_map(|path| at(value, path)?.as_str());
    match found {
        Some(text) => one_line(text, MAX_WORDS),
        None => one_line(&value.to_string(), MAX_WORDS),
    }
}
