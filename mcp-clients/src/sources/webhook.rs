//! Alerts sent to us over HTTP: who may send, what is taken, and an answer only after it is stored; storing is the sink's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;
use state::model::NewAlert;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::config::{Origin, SourceConfig};
use super::wire::Bounded;
use super::{Clock, Reader};
use crate::mappings::{Mappings, Rejected};

/// Header with the time of sending, Unix seconds.
pub const TIMESTAMP: &str = "x-nightdesk-timestamp";
/// Header with `v1=` and the HMAC-SHA256 of `timestamp.body`, hex; several, with commas, while a key changes.
pub const SIGNATURE: &str = "x-nightdesk-signature";
/// How far the time of sending may be from ours, seconds, either way.
const TOLERANCE: i64 = 300;
/// Most alerts of one request.
const MAX_ALERTS: usize = 10_000;
/// How long stopping waits for requests under way.
const DRAIN: Duration = Duration::from_secs(10);

/// Where received alerts are stored.
#[async_trait]
pub trait AlertSink: Send + Sync {
    /// Stores alerts and what could not be read; returns once they will survive a crash.
    async fn accept(
        &self,
        source: &str,
        alerts: Vec<NewAlert>,
        rejected: Vec<Rejected>,
    ) -> Result<Vec<Accepted>, SinkError>;
}

/// What became of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its id at the source.
    pub source_alert_id: String,
    /// It was not known before.
    pub new: bool,
}

/// The sink could not store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the alerts can't be stored: {0}")]
pub struct SinkError(pub String);

/// One configured webhook source with its secret.
pub struct Endpoint {
    reader: Reader,
    secret: SecretString,
    max_body: usize,
}

impl Endpoint {
    /// Prepares a webhook source: mapping and secret.
    ///
    /// # Errors
    /// One sentence for each fault; a source of another kind is one.
    pub async fn new(config: &SourceConfig, mappings: Arc<Mappings>) -> Result<Self, Vec<String>> {
        let Origin::Webhook(hook) = &config.origin else {
            return Err(vec![format!("source {} is no webhook", config.name)]);
        };
        let reader = Reader::new(config, mappings)?;
        let secret = hook.secret.resolve().await;
        let place = format!("sources.{}.secret", config.name);
        Ok(Self {
            reader,
            secret: secret.map_err(|e| vec![format!("{place}: {e}")])?,
            max_body: hook.max_body,
        })
    }
}

struct Server {
    endpoints: BTreeMap<String, Endpoint>,
    sink: Arc<dyn AlertSink>,
    clock: Clock,
}

/// Serves `POST /ingest/{source}` until `shutdown`, then answers what is under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    endpoints: Vec<Endpoint>,
    sink: Arc<dyn AlertSink>,
    clock: Clock,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let named = endpoints
        .into_iter()
        .map(|e| (e.reader.source().to_owned(), e));
    let server = Arc::new(Server {
        endpoints: named.collect(),
        sink,
        clock,
    });
    let router = Router::new()
        .route("/ingest/{source}", post(ingest))
        .with_state(server);
    let stopped = shutdown.clone();
    let serving = axum::serve(Bounded::new(listener), router)
        .with_graceful_shutdown(async move { stopped.cancelled().await });
    tokio::select! {
        done = serving.into_future() => done,
        () = async { shutdown.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
    }
}

/// A refusal: status and one sentence.
type Refusal = (StatusCode, String);

async fn ingest(
    State(server): State<Arc<Server>>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let mut response = match take(&server, &source, &headers, body).await {
        Ok(response) => response,
        Err((status, reason)) => (status, Json(json!({ "error": reason }))).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    if headers.get(RETRY_AFTER).is_none() && response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("30"));
    }
    response
}

async fn take(
    server: &Server,
    source: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let Some(endpoint) = server.endpoints.get(source) else {
        let reason = "there is no webhook source of this name".to_owned();
        return Err((StatusCode::NOT_FOUND, reason));
    };
    let sent = timestamp(headers, (server.clock)().timestamp())?;
    let signature = text(headers, SIGNATURE)?;
    media_type(headers)?;
    let body = to_bytes(body, endpoint.max_body).await.map_err(|_| {
        let limit = endpoint.max_body;
        let reason = format!("the body has more than {limit} bytes, or did not arrive in time");
        (StatusCode::PAYLOAD_TOO_LARGE, reason)
    })?;
    verify(&endpoint.secret, sent, &body, signature)?;
    let mut items = split(&body);
    if items.len() > MAX_ALERTS {
        let reason = format!("the body has more than {MAX_ALERTS} alerts");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    let (mut alerts, mut rejected, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
    for (index, item) in items.drain(..).enumerate() {
        match endpoint.reader.read_bytes(&item) {
            Ok(alert) => alerts.push(alert),
            Err(why) => {
                reasons.push(json!({ "index": index, "reason": why.reason }));
                rejected.push(why);
            }
        }
    }
    let usable = !alerts.is_empty();
    let stored = server.sink.accept(source, alerts, rejected).await;
    let accepted = stored.map_err(|e| {
        tracing::error!(source, error = %e, "alerts were not stored");
        let reason = "the alerts can't be stored now; send them again later".to_owned();
        (StatusCode::SERVICE_UNAVAILABLE, reason)
    })?;
    let status = match (usable, accepted.iter().any(|a| a.new)) {
        (false, _) => StatusCode::UNPROCESSABLE_ENTITY,
        (true, false) if reasons.is_empty() => StatusCode::OK,
        (true, _) => StatusCode::ACCEPTED,
    };
    let ids: Vec<&str> = accepted
        .iter()
        .map(|a| a.source_alert_id.as_str())
        .collect();
    Ok((status, Json(json!({ "ids": ids, "rejected": reasons }))).into_response())
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Result<&'h str, Refusal> {
    let value = headers.get(name).and_then(|v| v.to_str().ok());
    value.ok_or_else(|| {
        (
            StatusCode::UNAUTHORIZED,
            format!("header {name} is missing"),
        )
    })
}

fn timestamp(headers: &HeaderMap, now: i64) -> Result<&str, Refusal> {
    let sent = text(headers, TIMESTAMP)?;
    let near = |time: i64| now.abs_diff(time) <= TOLERANCE.unsigned_abs();
    match sent.parse::<i64>() {
        Ok(time) if near(time) => Ok(sent),
        _ => Err((
            StatusCode::UNAUTHORIZED,
            format!("header {TIMESTAMP} is not within {TOLERANCE} seconds of the time here"),
        )),
    }
}

fn media_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(given) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let given = given.to_str().unwrap_or_default().to_lowercase();
    let bare = given.split(';').next().unwrap_or_default().trim();
    let known = bare.ends_with("json") || bare.ends_with("jsonl") || bare == "text/plain";
    known.then_some(()).ok_or_else(|| {
        let reason = "send application/json or application/x-ndjson".to_owned();
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, reason)
    })
}

fn verify(secret: &SecretString, sent: &str, body: &[u8], given: &str) -> Result<(), Refusal> {
    let refused = || {
        let reason = format!("header {SIGNATURE} does not fit the body");
        (StatusCode::UNAUTHORIZED, reason)
    };
    let key = secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| refused())?;
    mac.update(sent.as_bytes());
    mac.update(b".");
    mac.update(body);
    let wanted = crate::mappings::hex(&mac.finalize().into_bytes());
    let mut fits = subtle::Choice::from(0);
    for one in given.split(',').take(4) {
        if let Some(hex) = one.trim().strip_prefix("v1=") {
            fits |= hex.to_ascii_lowercase().as_bytes().ct_eq(wanted.as_bytes());
        }
    }
    bool::from(fits).then_some(()).ok_or_else(refused)
}

/// One object, an array of them, or one a line; what is none of these is one item, to be rejected.
fn split(body: &[u8]) -> Vec<Vec<u8>> {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(items)) => items.iter().map(|v| v.to_string().into_bytes()).collect(),
        Ok(_) => vec![body.to_vec()],
        Err(_) => {
            let lines = body.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
            lines
                .filter(|line| !line.is_empty())
                .map(<[u8]>::to_vec)
                .collect()
        }
    }
}
