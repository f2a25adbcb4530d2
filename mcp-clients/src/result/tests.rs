//! The table of reply shapes in `tests/data/replies.json`, and the bounds.
#![allow(clippy::unwrap_used, clippy::panic)]

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// The `CallToolResult`.
    reply: Value,
    #[serde(default)]
    rules: ReplyRules,
    /// `answer`, `backend_error`, `unknown` or `failed`.
    kind: String,
    /// What the words of a failure hold.
    words: Option<String>,
    /// The value of an answer.
    value: Option<Value>,
}

#[test]
fn every_shape_in_the_table_reads_as_it_says() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../tests/data/replies.json")).unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let name = &case.name;
        let answer: CallToolResult = serde_json::from_value(case.reply).unwrap();
        let (kind, words, value) = match read(answer, &case.rules) {
            Err(Refused::Failed(words)) => ("failed", words, None),
            Err(other) => panic!("{name}: {other:?}"),
            Ok(reply) => match reply.kind {
                ReplyKind::Answer => ("answer", String::new(), Some(reply.value)),
                ReplyKind::BackendError(words) => ("backend_error", words, Some(reply.value)),
                ReplyKind::Unknown(words) => ("unknown", words, Some(reply.value)),
            },
        };
        assert_eq!(kind, case.kind, "{name}: {words}");
        if let Some(wanted) = case.words {
            assert!(words.contains(&wanted), "{name}: {words:?}");
        }
        if let Some(wanted) = case.value {
            assert_eq!(value, Some(wanted), "{name}");
        }
    }
}

fn bounded(value: Value, max: usize) -> (Value, usize) {
    let before = value.to_string().len();
    let (value, bytes) = bound::bound(value, max, MAX_DEPTH);
    let after = value.to_string().len();
    assert!(
        after <= max.max(before.min(max)),
        "{after} bytes for a room of {max}"
    );
    assert_eq!(bytes, before.saturating_sub(after));
    (value, bytes)
}

#[test]
fn values_are_cut_from_the_end_keeping_whole_elements() {
    let rows: Vec<Value> = (0..1000)
        .map(|n| json!({ "n": n, "text": "\"\\\né\u{1}".repeat(5) }))
        .collect();
    let whole = json!({ "meta": "kept", "results": rows, "total": 1000 });
    assert_eq!(bounded(whole.clone(), 1 << 20), (whole.clone(), 0));
    for max in [2_000, 10_000, 30_000] {
        let (cut, bytes) = bounded(whole.clone(), max);
        assert!(bytes > 0);
        assert_eq!(
            (&cut["meta"], &cut["total"]),
            (&json!("kept"), &json!(1000))
        );
        let kept = cut["results"].as_array().unwrap();
        assert!(
            kept.len() > 5 && kept[..] == rows[..kept.len()],
            "whole rows, in order"
        );
    }
    let wide: serde_json::Map<String, Value> =
        (0..9000).map(|n| (format!("key{n}"), json!(n))).collect();
    for max in [64, 500, 5_000] {
        bounded(Value::Object(wide.clone()), max);
        bounded(json!([whole.clone()]), max);
        bounded(json!("\u{1}\"é".repeat(5000)), max);
        bounded(
            json!({ "a": "x".repeat(9000), "b": ["y".repeat(9000)], "c": 1 }),
            max,
        );
    }
}

#[test]
fn nesting_ends_at_the_depth_bound() {
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let (mut value, bytes) = bound::bound(deep, MAX_VALUE, MAX_DEPTH);
    assert!(bytes > 0);
    let mut depth = 0;
    while let Value::Array(mut items) = value {
        value = items.remove(0);
        depth += 1;
    }
    assert_eq!((depth, value), (MAX_DEPTH, json!("…")));
}

#[test]
fn paths_reach_into_objects_lists_and_dotted_keys() {
    let value = json!({ "a": { "b": [1, { "c": 2 }] }, "x.y": 3, "hits": { "hits": [4] } });
    let cases = [
        ("a.b.1.c", json!(2)),
        ("x.y", json!(3)),
        ("a.b.0", json!(1)),
    ];
    for (path, wanted) in cases {
        assert_eq!(at(&value, path), Some(&wanted), "{path}");
    }
    assert_eq!(at(&value, "a.b.7"), None);
    assert_eq!(at(&value, "a.b.c.d"), None);
    assert_eq!(rows(&value, "hits.hits"), Some(&[json!(4)][..]));
    assert_eq!(rows(&json!([1]), "results"), Some(&[json!(1)][..]));
    assert_eq!(rows(&value, "results"), None);
}
