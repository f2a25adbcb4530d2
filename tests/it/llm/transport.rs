//! Fault table, HTTP layer: the same with and without streaming.

use std::time::Duration;

use agent::llm::{Finish, LlmError};
use serde_json::{Value, json};
use tests::model_server::Scripted;

use super::Expect::{Error, Turn as Good};
use super::{KEY, Row, is_fine, malformed, ok};

fn status(status: u16) -> Scripted {
    Scripted::Status(status, vec![], "<html>\u{1b}[31mgone</html>".to_owned())
}

fn in_body(code: Value) -> Scripted {
    let body = json!({"error": {"message": "upstream", "code": code}});
    Scripted::Body("application/json", body.to_string())
}

fn dated(date: &str, after: &str) -> Scripted {
    let date = ("date", format!("Sat, {date} GMT"));
    Scripted::Status(
        429,
        vec![date, ("retry-after", format!("{after} GMT"))],
        String::new(),
    )
}

fn is_limited(e: &LlmError) -> bool {
    matches!(e, LlmError::RateLimited { retry_after: Some(t) } if *t == Duration::from_secs(60))
}

fn is_down(e: &LlmError) -> bool {
    matches!(e, LlmError::ServerError { status: 503 })
}

/// Too many requests.
pub(super) fn limits() -> Vec<Row> {
    vec![
        (
            "429 with seconds, not JSON",
            "",
            vec![Scripted::limited("0.05"), ok()],
            Good(|t| is_fine(t) && t.attempts == 2),
            2,
        ),
        (
            "429 with a date that has come",
            "",
            vec![
                dated("21 Nov 2026 10:00:00", "Sat, 21 Nov 2026 10:00:00"),
                ok(),
            ],
            Good(is_fine),
            2,
        ),
        (
            "429 for a day",
            "",
            vec![Scripted::limited("86400"), ok()],
            Error(is_limited),
            1,
        ),
        (
            "429 until tomorrow",
            "",
            vec![
                dated("21 Nov 2026 10:00:00", "Sun, 22 Nov 2026 10:00:00"),
                ok(),
            ],
            Error(is_limited),
            1,
        ),
        (
            "429 for ever",
            "",
            vec![Scripted::limited("0"); 5],
            Error(|e| matches!(e, LlmError::RateLimited { .. })),
            3,
        ),
        (
            "no quota",
            "",
            vec![
                Scripted::error(
                    429,
                    &json!({"error": {"type": "insufficient_quota", "message": "pay"}}),
                ),
                ok(),
            ],
            Error(|e| *e == LlmError::QuotaExhausted),
            1,
        ),
    ]
}

/// An endpoint that is not well.
pub(super) fn outages() -> Vec<Row> {
    vec![
        (
            "503 in HTML, then well",
            "",
            vec![status(503), status(500), ok()],
            Good(|t| is_fine(t) && t.attempts == 3),
            3,
        ),
        ("503 for ever", "", vec![status(503); 5], Error(is_down), 3),
        (
            "503 opens the breaker",
            "max_retries = 9",
            vec![status(503); 12],
            Error(is_down),
            5,
        ),
        (
            "409 and 408 are tried again",
            "",
            vec![status(409), status(408), ok()],
            Good(is_fine),
            3,
        ),
    ]
}

/// Requests the endpoint does not take.
pub(super) fn refusals() -> Vec<Row> {
    vec![
        (
            "401",
            "",
            vec![Scripted::error(401, &json!({"detail": "no"})), ok()],
            Error(|e| *e == LlmError::Unauthorised { status: 401 }),
            1,
        ),
        (
            "404 in another shape, integer code",
            "",
            vec![
                Scripted::error(
                    404,
                    &json!({"object": "error", "message": "model `m` does not exist\u{7}\n", "code": 404}),
                ),
                ok(),
            ],
            Error(
                |e| matches!(e, LlmError::Rejected { status: 404, message } if message == "model `m` does not exist"),
            ),
            1,
        ),
        (
            "400 that repeats the key",
            "",
            vec![
                Scripted::error(400, &json!({"error": format!("bad {KEY}")})),
                ok(),
            ],
            Error(
                |e| matches!(e, LlmError::Rejected { status: 400, message } if message == "bad [key]"),
            ),
            1,
        ),
        (
            "400 by content policy",
            "",
            vec![
                Scripted::error(
                    400,
                    &json!({"error": {"code": "content_filter", "message": "no"}}),
                ),
                ok(),
            ],
            Error(|e| *e == LlmError::Refused("no".to_owned())),
            1,
        ),
        (
            "a redirect is not followed",
            "",
            vec![
                Scripted::Status(
                    307,
                    vec![("location", "/v1/elsewhere".to_owned())],
                    String::new(),
                ),
                ok(),
            ],
            Error(|e| matches!(e, LlmError::Rejected { status: 307, .. })),
            1,
        ),
    ]
}

/// Bodies that are no answer.
pub(super) fn bodies() -> Vec<Row> {
    vec![
        (
            "error object with status 200",
            "",
            vec![in_body(json!(502)), in_body(json!("429")), ok()],
            Good(is_fine),
            3,
        ),
        (
            "error object without a number",
            "",
            vec![in_body(json!("odd")); 3],
            Error(|e| *e == LlmError::ServerError { status: 200 }),
            3,
        ),
        (
            "not JSON",
            "",
            vec![
                Scripted::Body("text/html", "<p>\u{1b}[2Jhello\u{202e}".to_owned()),
                ok(),
            ],
            Error(|e| {
                malformed(e, "not JSON but text/html") && !format!("{e:?}").contains('\u{202e}')
            }),
            1,
        ),
        (
            "a cut",
            "",
            vec![Scripted::Cut, ok()],
            Error(|e| malformed(e, "cut")),
            1,
        ),
        (
            "a connection that breaks at once",
            "",
            vec![Scripted::HangUp, ok()],
            Good(|t| is_fine(t) && t.attempts == 2),
            2,
        ),
        (
            "10 MB",
            "",
            vec![Scripted::Huge(10_000_000), ok()],
            Error(|e| malformed(e, "larger than 4 MiB")),
            1,
        ),
    ]
}

/// Endpoints that keep one waiting.
pub(super) fn slow() -> Vec<Row> {
    vec![
        (
            "no answer",
            "timeout = \"150ms\"",
            vec![Scripted::Hang, ok()],
            Good(|t| is_fine(t) && t.attempts == 2),
            2,
        ),
        (
            "an endless drip",
            "timeout = \"150ms\"\nmax_retries = 0",
            vec![Scripted::Drip],
            Error(|e| {
                *e == LlmError::Timeout {
                    after: Duration::from_millis(150),
                }
            }),
            1,
        ),
        (
            "silence after half an answer",
            "max_retries = 0\n[wire]\nidle_timeout = \"100ms\"",
            vec![Scripted::Stall],
            Error(|e| {
                *e == LlmError::Timeout {
                    after: Duration::from_millis(100),
                }
            }),
            1,
        ),
    ]
}

/// Answers that end in odd ways, and their cost.
pub(super) fn finishes() -> Vec<Row> {
    vec![
        (
            "cut by length",
            "",
            vec![ok().with(|r| r.finish = "length".to_owned())],
            Good(|t| t.finish == Finish::Length),
            1,
        ),
        (
            "content filter",
            "",
            vec![ok().with(|r| r.finish = "content_filter".to_owned())],
            Good(|t| t.finish == Finish::ContentFilter),
            1,
        ),
        (
            "an unknown finish",
            "",
            vec![ok().with(|r| r.finish = "eos\u{1b}".to_owned())],
            Good(|t| t.finish == Finish::Other("eos".to_owned())),
            1,
        ),
        (
            "a refusal",
            "",
            vec![ok().with(|r| {
                r.text = None;
                r.refusal = Some("I can't".to_owned());
            })],
            Good(|t| t.text.is_none() && t.refusal.as_deref() == Some("I can't")),
            1,
        ),
        (
            "tokens as told",
            "",
            vec![ok()],
            Good(|t| {
                (t.usage.tokens_in, t.usage.tokens_out, t.usage.estimated) == (100, 20, false)
            }),
            1,
        ),
        (
            "tokens not told",
            "",
            vec![ok().with(|r| r.usage = None)],
            Good(|t| t.usage.estimated && t.usage.tokens_in > 1 && t.usage.tokens_out == 2),
            1,
        ),
    ]
}
