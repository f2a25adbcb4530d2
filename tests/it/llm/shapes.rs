//! Fault table, odd answers: whole ones and streams.

use agent::llm::{Call, Finish, LlmError};
use serde_json::{Value, json};
use tests::model_server::Scripted;

use super::Expect::{Error, Turn as Good};
use super::{Row, is_fine, malformed, ok};

/// A whole answer with this message.
fn message(message: Value, finish: Value) -> Vec<Scripted> {
    vec![body(
        json!({"choices": [{"message": message, "finish_reason": finish}],
        "created": 1.5, "service_tier": "odd", "x": {}}),
    )]
}

fn body(body: Value) -> Scripted {
    Scripted::Body("application/json; charset=utf-8", body.to_string())
}

fn call(id: Value, arguments: Value) -> Value {
    json!({"id": id, "function": {"name": "f", "arguments": arguments}})
}

/// Whole answers that can be used.
pub(super) fn tolerated() -> Vec<Row> {
    let no_ids = json!([
        call(Value::Null, json!({"a": 1})),
        call(json!(""), json!("{}"))
    ]);
    let one_id = json!([call(json!("x"), json!("{}")), call(json!("x"), json!("{"))]);
    let legacy = json!({"content": null, "function_call": {"name": "f", "arguments": "{}"}});
    let parts = json!([{"type": "text", "text": "a"}, {"text": "b"}]);
    let row = |name, script, expect| (name, "", script, expect, 1);
    vec![
        row(
            "no type, arguments an object, no id twice",
            message(json!({"content": "", "tool_calls": no_ids}), json!("stop")),
            Good(|t| {
                let ids =
                    t.calls.iter().all(|c| !c.id.is_empty()) && t.calls[0].id != t.calls[1].id;
                t.text.is_none() && t.calls[0].arguments == r#"{"a":1}"# && ids
            }),
        ),
        row(
            "equal ids",
            message(json!({ "tool_calls": one_id }), json!("tool_calls")),
            Good(|t| t.calls[0].id == "x" && t.calls[1].id != "x" && t.calls[1].arguments == "{"),
        ),
        row(
            "the old single call",
            message(legacy, json!("function_call")),
            Good(|t| t.calls[0].name == "f" && t.finish == Finish::ToolCalls),
        ),
        row(
            "text in parts, no finish",
            message(json!({ "content": parts }), Value::Null),
            Good(|t| t.text.as_deref() == Some("ab") && t.finish == Finish::Other(String::new())),
        ),
        row(
            "an event stream nobody asked for",
            vec![Scripted::Events(vec![
                text(),
                delta(json!({}), json!("stop")),
            ])],
            Good(is_fine),
        ),
    ]
}

/// Whole answers that can't be used.
pub(super) fn refused() -> Vec<Row> {
    let many = json!({"tool_calls": vec![call(json!("a"), json!("{}")); 65]});
    let row = |name, script, check| (name, "", script, Error(check), 1);
    vec![
        row("too many calls", message(many, json!("tool_calls")), |e| {
            malformed(e, "65 calls")
        }),
        row("no choices", vec![body(json!({"choices": []}))], |e| {
            malformed(e, "empty")
        }),
        row("another shape", vec![body(json!([1, 2]))], |e| {
            malformed(e, "no `choices`")
        }),
        row(
            "no message",
            vec![body(json!({"choices": [{"text": "old"}]}))],
            |e| malformed(e, "no `message`"),
        ),
    ]
}

fn delta(delta: Value, finish: Value) -> String {
    let chunk = json!({"choices": [{"delta": delta, "finish_reason": finish}]});
    format!("data: {chunk}\n\n")
}

fn text() -> String {
    delta(json!({"content": "fine"}), Value::Null)
}

fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}

fn piece(call: Value) -> String {
    delta(json!({ "tool_calls": [call] }), Value::Null)
}

/// Streams that hold an answer.
pub(super) fn whole_streams() -> Vec<Row> {
    let stop = || delta(json!({}), json!("stop"));
    let start = |id: &str, args: &str| {
        piece(json!({"index": 0, "id": id, "function": {"name": "f", "arguments": args}}))
    };
    let rest = |args: &str| piece(json!({"function": {"arguments": args}}));
    let rest_0 = |args: &str| piece(json!({"index": 0, "function": {"arguments": args}}));
    let unnumbered = piece(json!({"id": "a", "function": {"name": "f", "arguments": "{"}}));
    let row = |name, events, expect| (name, "", vec![Scripted::Events(events)], expect, 1);
    let mut rows = vec![
        row(
            "no [DONE] but a finish",
            vec![": hello\n\n".to_owned(), text(), stop()],
            Good(is_fine),
        ),
        row(
            "[DONE] but no finish",
            vec![text(), done()],
            Good(|t| t.finish == Finish::Other(String::new())),
        ),
        row(
            "calls with one number for all",
            vec![
                start("a", "{\"x\":"),
                rest_0("1}"),
                start("b", "{}"),
                stop(),
            ],
            Good(|t| {
                t.calls.len() == 2 && t.calls[0].arguments == "{\"x\":1}" && t.calls[1].id == "b"
            }),
        ),
        row(
            "calls without a number",
            vec![unnumbered, rest("}"), stop()],
            Good(|t| {
                let (id, name, arguments) = ("a".to_owned(), "f".to_owned(), "{}".to_owned());
                t.calls
                    == [Call {
                        id,
                        name,
                        arguments,
                    }]
            }),
        ),
    ];
    let whole = message(json!({"content": "fine"}), json!("stop"));
    rows.push((
        "a whole answer instead of a stream",
        "",
        whole,
        Good(is_fine),
        1,
    ));
    rows
}

/// Streams that hold none.
pub(super) fn broken_streams() -> Vec<Row> {
    let oom = "data: {\"error\": {\"message\": \"oom\", \"code\": 500}}\n\n".to_owned();
    let long = "event: error\ndata: {\"message\": \"too long\", \"code\": 400}\n\n".to_owned();
    let row = |name, events, expect, requests| {
        (
            name,
            "",
            vec![Scripted::Events(events), ok()],
            expect,
            requests,
        )
    };
    vec![
        row(
            "neither finish nor [DONE]",
            vec![text()],
            Error(|e| malformed(e, "cut")),
            1,
        ),
        row(
            "nothing but [DONE]",
            vec![done()],
            Error(|e| malformed(e, "no answer")),
            1,
        ),
        row(
            "an error inside, then well",
            vec![text(), oom, done()],
            Good(is_fine),
            2,
        ),
        row(
            "an error event",
            vec![long],
            Error(
                |e| matches!(e, LlmError::Rejected { status: 400, message } if message == "too long"),
            ),
            1,
        ),
        row(
            "a chunk that is not JSON",
            vec![text(), "data: {oops\n\n".to_owned()],
            Error(|e| malformed(e, "not JSON")),
            1,
        ),
    ]
}
