//! Clicks that Slack sends to our listener: signed, small, acknowledged at once; opening the listener is not done here.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use percent_encoding::percent_decode;
use serde_json::{Value, json};

use super::clicks::{Ack, Clicks};
use super::signature::{SIGNATURE, TIMESTAMP, verify};

/// Path of the interactivity address.
pub const PATH: &str = "/slack/interactions";
/// Most bytes of a request. Slack sends the whole message along, and every quote of it as three bytes.
const MAX_BODY: usize = 2 * super::MAX_PAYLOAD;
/// How long a body may take to arrive; Slack waits three seconds for the whole.
const BODY_TIME: Duration = Duration::from_secs(2);

/// A refusal: status and one sentence.
type Refusal = (StatusCode, &'static str);

/// `POST /slack/interactions`, for a listener that Slack can reach.
pub fn router(clicks: Arc<Clicks>) -> Router {
    Router::new()
        .route(PATH, post(interaction))
        .with_state(clicks)
}

async fn interaction(
    State(clicks): State<Arc<Clicks>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match take(&clicks, &headers, body).await {
        Ok(Ack::Received) => StatusCode::OK.into_response(),
        Ok(Ack::Errors(errors)) => {
            Json(json!({"response_action": "errors", "errors": errors})).into_response()
        }
        Err((status, reason)) => {
            tracing::warn!(%status, reason, "a request to the slack address was refused");
            (status, reason).into_response()
        }
    }
}

async fn take(clicks: &Arc<Clicks>, headers: &HeaderMap, body: Body) -> Result<Ack, Refusal> {
    let unauthorised = |why| (StatusCode::UNAUTHORIZED, why);
    let text = |name: &str| {
        let mut all = headers.get_all(name).iter();
        let value = all.next().and_then(|v| v.to_str().ok());
        value
            .filter(|_| all.next().is_none())
            .ok_or(unauthorised("it is not signed"))
    };
    let (sent, signature) = (text(TIMESTAMP)?, text(SIGNATURE)?);
    let slack = &clicks.slack;
    let secret = slack.signing_secret.as_ref();
    let secret = secret.ok_or(unauthorised("no signing secret is configured"))?;
    let body = tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await;
    let body = body
        .map_err(|_| {
            (
                StatusCode::REQUEST_TIMEOUT,
                "the body did not arrive in time",
            )
        })?
        .map_err(|_| {
            (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the body is too large or was cut",
            )
        })?;
    // On the bytes as they came, before anything is read into them.
    verify(
        secret,
        sent,
        signature,
        &body,
        slack.clock.now().timestamp(),
    )
    .map_err(unauthorised)?;
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let kind = kind
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if !kind
        .trim()
        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
    {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "it is no form"));
    }
    let payload = payload(&body).ok_or((
        StatusCode::BAD_REQUEST,
        "it holds not exactly one payload of JSON",
    ))?;
    let busy = (StatusCode::SERVICE_UNAVAILABLE, "too much is under way");
    let (ack, work) = clicks.take(payload).map_err(|_| busy)?;
    clicks.start(work);
    Ok(ack)
}

/// The one field `payload` of a form.
fn payload(body: &Bytes) -> Option<Value> {
    let field = body.strip_prefix(b"payload=")?;
    if field.contains(&b'&') {
        return None;
    }
    let spaced: Vec<u8> = field
        .iter()
        .map(|b| if *b == b'+' { b' ' } else { *b })
        .collect();
    let text = percent_decode(&spaced).decode_utf8().ok()?;
    let fits = text.len() <= super::MAX_PAYLOAD;
    // How deep it may go is bounded by the parser itself.
    serde_json::from_str(&text).ok().filter(|_| fits)
}
