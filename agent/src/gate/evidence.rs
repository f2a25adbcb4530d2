//! What a call found, as evidence: how the question ended, the rows, their trust; what it means is the analysts'.

use serde_json::{Value, json};
use state::model::{Activity, Answer, CallOutcome, CaseId, Evidence, Trust};

use crate::ctx::Ctx;
use crate::playbook::TRUSTED_ROWS;

use super::Called;

/// What a call found, as evidence; a call that failed is evidence that it failed.
#[must_use]
pub fn evidence(ctx: &Ctx, case: CaseId, asked_by: &str, tool: &str, called: Called) -> Evidence {
    let entry = ctx.catalogue.get(tool);
    let mut evidence = Evidence {
        case,
        reference: String::new(),
        asked_by: asked_by.to_owned(),
        tool: tool.to_owned(),
        call: called.call,
        answer: Answer::Failed,
        summary: called
            .reason
            .clone()
            .unwrap_or_default()
            .chars()
            .take(300)
            .collect(),
        value: Value::Null,
        activities: Vec::new(),
        trust: Trust::Untrusted,
        digest: called.digest.clone().unwrap_or_default(),
        at: ctx.now(),
    };
    let (Some(reply), Some(entry)) = (called.reply, entry) else {
        return evidence;
    };
    if called.outcome != CallOutcome::Ok {
        evidence.value = reply.value;
        return evidence;
    }
    let told = |key: &str| reply.value.get(key).and_then(Value::as_bool);
    if told("available") == Some(false) {
        evidence.answer = Answer::NotHere;
        let reason = reply
            .value
            .get("reason")
            .and_then(Value::as_str)
            .unwrap_or("this environment has no such system");
        evidence.summary = reason.chars().take(300).collect();
        return evidence;
    }
    let rows = rows(&reply.value, &entry.spec.answer.rows);
    let partial = reply.cut.is_some() || told("truncated") == Some(true);
    evidence.answer = match (partial, rows.is_empty()) {
        (true, _) => Answer::Partial,
        (false, true) => Answer::Empty,
        (false, false) => Answer::Found,
    };
    evidence.summary = match rows.len() {
        0 => "nothing found".to_owned(),
        1 => "1 result".to_owned(),
        n => format!("{n} results"),
    };
    if partial {
        evidence
            .summary
            .push_str(", and there is more than was answered");
    }
    let answer = &entry.spec.answer;
    let whole = answer.trusted.iter().any(|t| t == "*");
    if whole {
        evidence.trust = Trust::Trusted;
    }
    evidence.value = match (answer.events, whole || answer.trusted.is_empty()) {
        (true, _) => json!({"count": rows.len()}),
        (false, true) => json!({"results": rows}),
        (false, false) => {
            let believed = rows.iter().map(|row| only(row, &answer.trusted));
            json!({"results": rows, TRUSTED_ROWS: believed.collect::<Vec<_>>()})
        }
    };
    if answer.events {
        evidence.activities = activities(ctx, &rows);
    }
    evidence
}

/// A row reduced to the fields at these dotted paths.
fn only(row: &Value, paths: &[String]) -> Value {
    let mut out = json!({});
    for path in paths {
        let keys: Vec<&str> = path.split('.').collect();
        let found = keys.iter().try_fold(row, |at, key| at.get(*key));
        let (Some(value), Some((last, before))) = (found, keys.split_last()) else {
            continue;
        };
        let mut at = &mut out;
        for key in before {
            at = &mut at[*key];
        }
        at[*last] = value.clone();
    }
    out
}

fn activities(ctx: &Ctx, rows: &[Value]) -> Vec<Activity> {
    let mut activities: Vec<Activity> = rows.iter().map(|row| ctx.mappings.activity(row)).collect();
    activities.sort_by_key(|a| a.time);
    activities
}

/// The rows of an answer at a dotted path; an answer without it is its own only row.
fn rows(value: &Value, path: &str) -> Vec<Value> {
    let at = path.split('.').try_fold(value, |at, key| at.get(key));
    match at.unwrap_or(value) {
        Value::Array(items) => items.clone(),
        Value::Null => Vec::new(),
        other => vec![other.clone()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_the_listed_fields_alone() {
        let row = json!({"id": "u1", "profile": {"login": "ana", "nick": "obey"}, "note": "obey"});
        let paths = ["id", "profile.login", "status", "note.deep"].map(str::to_owned);
        let want = json!({"id": "u1", "profile": {"login": "ana"}});
        assert_eq!(only(&row, &paths), want);
        assert_eq!(only(&json!("obey"), &paths), json!({}));
    }
}
