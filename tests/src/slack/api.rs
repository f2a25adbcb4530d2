//! The web API of the fake: tokens, forms, limits and errors as Slack's.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::stream;
use serde_json::{Value, json};

use super::{APP_TOKEN, BOT, Fault, Message, Shared, TEAM, limit_faults};

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/{method}", post(call))
        .with_state(shared)
}

async fn call(
    State(shared): State<Arc<Shared>>,
    Path(method): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body = read(&headers, &body);
    let fault = {
        let mut inner = shared.lock();
        inner.calls.push((method.clone(), body.clone()));
        let at = inner.faults.iter().position(|(m, _)| *m == method);
        at.and_then(|at| inner.faults.remove(at))
            .map(|(_, fault)| fault)
    };
    match fault {
        None => answer(&shared, &method, &headers, &body).into_response(),
        Some(Fault::Limited(seconds)) => {
            let after = [("retry-after", seconds.to_string())];
            let body = axum::Json(refused("ratelimited"));
            (StatusCode::TOO_MANY_REQUESTS, after, body).into_response()
        }
        Some(Fault::Says(word)) => axum::Json(refused(word)).into_response(),
        Some(Fault::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or_default();
            (status, "<html>it is not well today</html>").into_response()
        }
        Some(Fault::DoneAndCut) => {
            let _ = answer(&shared, &method, &headers, &body);
            cut()
        }
        Some(Fault::Cut) => cut(),
        Some(Fault::Slow(wait)) => {
            tokio::time::sleep(wait).await;
            answer(&shared, &method, &headers, &body).into_response()
        }
        Some(Fault::Garbage) => "ok".into_response(),
        Some(Fault::Huge) => " ".repeat(4 * 1024 * 1024).into_response(),
    }
}

/// The connection breaks before any answer.
fn cut() -> Response {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    let pieces: Vec<Result<Bytes, std::io::Error>> = vec![Err(broken)];
    Response::new(Body::from_stream(stream::iter(pieces)))
}

fn read(headers: &HeaderMap, body: &[u8]) -> Value {
    let kind = headers
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if kind.starts_with("application/json") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(body);
    let fields = text.split('&').filter_map(|f| f.split_once('='));
    Value::Object(fields.map(|(k, v)| (k.to_owned(), json!(v))).collect())
}

fn refused(word: &str) -> Value {
    json!({"ok": false, "error": word})
}

fn answer(shared: &Shared, method: &str, headers: &HeaderMap, body: &Value) -> axum::Json<Value> {
    let token = headers.get("authorization").and_then(|v| v.to_str().ok());
    let token = token
        .and_then(|t| t.strip_prefix("Bearer "))
        .unwrap_or_default();
    let wanted = if method == "apps.connections.open" {
        APP_TOKEN
    } else {
        BOT
    };
    if token != wanted || body.to_string().contains(token) {
        return axum::Json(refused("invalid_auth"));
    }
    let done = match method {
        "chat.postMessage" => posted(shared, body),
        "chat.update" => updated(shared, body),
        "chat.postEphemeral" => ephemeral(shared, body),
        "views.open" => opened(shared, body),
        "usergroups.users.list" => members(shared, body),
        "apps.connections.open" => Ok(ticket(shared)),
        "auth.test" => Ok(
            json!({"team": "Example", "team_id": TEAM, "user": "nightdesk",
            "user_id": "U00000BOT", "bot_id": "B00000BOT", "url": "https://example.slack.com/"}),
        ),
        _ => Err("unknown_method".to_owned()),
    };
    axum::Json(match done {
        Ok(mut value) => {
            value["ok"] = json!(true);
            value
        }
        Err(word) => refused(&word),
    })
}

/// What Slack would refuse of a message; it is remembered, since no message of ours may be refused.
fn check(shared: &Shared, body: &Value) -> Result<(), String> {
    let faults = limit_faults(body);
    if faults.is_empty() {
        return Ok(());
    }
    let long = faults.iter().any(|f| f.contains("over all blocks"));
    shared.lock().violations.extend(faults);
    Err(if long {
        "msg_blocks_too_long"
    } else {
        "invalid_blocks"
    }
    .to_owned())
}

fn text(body: &Value, key: &str) -> String {
    body[key].as_str().unwrap_or_default().to_owned()
}

fn posted(shared: &Shared, body: &Value) -> Result<Value, String> {
    check(shared, body)?;
    let ts = format!("1790000000.{:06}", shared.next());
    let mut inner = shared.lock();
    let thread = body["thread_ts"].as_str().map(str::to_owned);
    let there = |ts: &String| inner.messages.iter().any(|m| m.ts == *ts);
    if thread.as_ref().is_some_and(|t| !there(t)) {
        return Err("thread_not_found".to_owned());
    }
    inner.messages.push(Message {
        channel: text(body, "channel"),
        ts: ts.clone(),
        thread,
        text: text(body, "text"),
        blocks: body["blocks"].clone(),
        written: 1,
    });
    Ok(json!({"channel": body["channel"], "ts": ts}))
}

fn updated(shared: &Shared, body: &Value) -> Result<Value, String> {
    check(shared, body)?;
    let (channel, ts) = (text(body, "channel"), text(body, "ts"));
    let mut inner = shared.lock();
    let message = inner
        .messages
        .iter_mut()
        .find(|m| m.channel == channel && m.ts == ts);
    let message = message.ok_or("message_not_found")?;
    message.text = text(body, "text");
    message.blocks = body["blocks"].clone();
    message.written += 1;
    Ok(json!({"channel": channel, "ts": ts}))
}

fn ephemeral(shared: &Shared, body: &Value) -> Result<Value, String> {
    check(shared, body)?;
    let user = text(body, "user");
    shared.lock().ephemerals.push((user, body.clone()));
    Ok(json!({"message_ts": "1790000000.000000"}))
}

fn opened(shared: &Shared, body: &Value) -> Result<Value, String> {
    let faults = super::limits::view_faults(&body["view"]);
    if !faults.is_empty() {
        shared.lock().violations.extend(faults);
        return Err("invalid_arguments".to_owned());
    }
    let trigger = text(body, "trigger_id");
    let mut inner = shared.lock();
    if trigger.is_empty() || inner.views.iter().any(|(t, _)| *t == trigger) {
        return Err("exchanged_trigger_id".to_owned());
    }
    inner.views.push((trigger, body["view"].clone()));
    Ok(json!({"view": body["view"]}))
}

fn members(shared: &Shared, body: &Value) -> Result<Value, String> {
    let inner = shared.lock();
    let members = inner.groups.get(&text(body, "usergroup"));
    let members = members.ok_or("no_such_subteam")?;
    Ok(json!({"users": members}))
}

fn ticket(shared: &Shared) -> Value {
    let path = format!("/link/?ticket=fake-{}", shared.next());
    shared.lock().tickets.push(path.clone());
    json!({"url": format!("ws://{}{path}", shared.sockets.address)})
}
