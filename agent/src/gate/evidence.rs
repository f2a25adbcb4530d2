//! What a call found, as evidence: how the question ended, the rows, their trust; what it means is the analysts'.

use serde_json::{Value, json};
use state::model::{Activity, Answer, CallOutcome, CaseId, Evidence, Trust};

use crate::ctx::Ctx;
use crate::playbook::{MOST_ROWS, TRUSTED_ROWS};

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
    // What conditions would not see is not answered either.
    let unread = rows.len() > MOST_ROWS;
    let partial = unread || reply.cut.is_some() || goes_on(&reply.value);
    evidence.answer = match (partial, rows.is_empty()) {
        (true, _) => Answer::Partial,
        (false, true) => Answer::Empty,
        (false, false) => Answer::Found,
    };
    evidence.summary = summary(rows.len(), evidence.answer);
    let answer = &entry.spec.answer;
    let whole = answer.trusted.iter().any(|t| t == "*");
    if whole {
        evidence.trust = Trust::Trusted;
    }
    if answer.events {
        evidence.value = json!({"count": rows.len()});
        evidence.activities = activities(ctx, &rows);
    } else {
        evidence.value = json!({"results": rows});
        if !whole && !answer.trusted.is_empty() {
            evidence.value[TRUSTED_ROWS] = rows.iter().map(|r| only(r, &answer.trusted)).collect();
        }
    }
    evidence
}

/// Flags by which products say that an answer is not the whole.
const CUT: [&str; 10] = [
    "truncated",
    "is_truncated",
    "isTruncated",
    "results_truncated",
    "has_more",
    "hasMore",
    "has_next_page",
    "hasNextPage",
    "timed_out",
    "partial",
];

/// Where they put the name of the next page.
const NEXT: [&str; 7] = [
    "next_cursor",
    "nextCursor",
    "next_token",
    "nextToken",
    "next_page_token",
    "nextPageToken",
    "@odata.nextLink",
];

/// Whether an answer says of itself that there is more.
fn goes_on(answer: &Value) -> bool {
    let flagged = |key: &&str| answer.get(*key) == Some(&Value::Bool(true));
    let named = |key: &&str| {
        let page = answer.get(*key).and_then(Value::as_str);
        page.is_some_and(|p| !p.is_empty())
    };
    CUT.iter().any(flagged) || NEXT.iter().any(named)
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

fn summary(rows: usize, answer: Answer) -> String {
    let more = match answer {
        Answer::Partial => ", and there is more than was answered",
        _ => "",
    };
    match rows {
        0 => format!("nothing found{more}"),
        1 => format!("1 result{more}"),
        n => format!("{n} results{more}"),
    }
}

fn activities(ctx: &Ctx, rows: &[Value]) -> Vec<Activity> {
    let mut activities: Vec<Activity> = rows.iter().map(|row| ctx.mappings.activity(row)).collect();
    activities.sort_by_key(|a| a.time);
    activities
}

/// The rows of a tool's answer, where its catalogue entry says they stand.
#[must_use]
pub fn answer_rows(ctx: &Ctx, tool: &str, value: &Value) -> Vec<Value> {
    let entry = ctx.catalogue.get(tool);
    rows(value, entry.map_or("", |e| e.spec.answer.rows.as_str()))
}

/// Rows as an answer of the tool would bring them.
#[must_use]
pub fn as_answered(ctx: &Ctx, tool: &str, rows: Vec<Value>) -> Value {
    let place = ctx.catalogue.get(tool).map(|e| e.spec.answer.rows.as_str());
    let keys = place.unwrap_or_default().rsplit('.');
    keys.filter(|k| !k.is_empty() && *k != "*")
        .fold(Value::Array(rows), |inner, key| json!({key: inner}))
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
    fn an_answer_that_goes_on_is_not_the_whole() {
        for (answer, more) in [
            (json!({"results": []}), false),
            (json!({"truncated": false, "next_cursor": ""}), false),
            (json!({"truncated": true}), true),
            (json!({"hasMore": true}), true),
            (json!({"nextToken": "p2"}), true),
            (json!([{"truncated": true}]), false),
        ] {
            assert_eq!(goes_on(&answer), more, "{answer}");
        }
    }

    #[test]
    fn a_row_keeps_the_listed_fields_alone() {
        let row = json!({"id": "u1", "profile": {"login": "ana", "nick": "obey"}, "note": "obey"});
        let paths = ["id", "profile.login", "status", "note.deep"].map(str::to_owned);
        let want = json!({"id": "u1", "profile": {"login": "ana"}});
        assert_eq!(only(&row, &paths), want);
        assert_eq!(only(&json!("obey"), &paths), json!({}));
    }
}
