//! An OpenTelemetry collector on loopback that only takes traces as JSON and keeps them; judging them is the tests'.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

type Kept = Arc<Mutex<Inner>>;

#[derive(Default)]
struct Inner {
    /// How many requests are still turned away first.
    refuse: usize,
    requests: Vec<Value>,
    faults: Vec<String>,
}

/// The collector.
pub struct Collector {
    kept: Kept,
    address: String,
}

/// One span as it came.
#[derive(Debug, Clone)]
pub struct Span {
    /// The span as sent.
    pub json: Value,
    /// Its attributes by name; numbers as text.
    pub attributes: BTreeMap<String, String>,
}

impl Span {
    /// A text member of the span, empty when absent.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }
}

impl Collector {
    /// Listens on a free port; turns the first `refuse` requests away with 503.
    pub async fn start(refuse: usize) -> anyhow::Result<Self> {
        let kept = Kept::default();
        lock(&kept).refuse = refuse;
        let router = Router::new()
            .route("/v1/traces", post(take))
            .with_state(kept.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { kept, address })
    }

    /// Its base address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What was wrong with requests.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        lock(&self.kept).faults.clone()
    }

    /// Attributes of the resources that spans came from.
    #[must_use]
    pub fn resources(&self) -> Vec<BTreeMap<String, String>> {
        let inner = lock(&self.kept);
        let all = inner
            .requests
            .iter()
            .flat_map(|r| list(&r["resourceSpans"]));
        all.map(|r| attributes(&r["resource"]["attributes"]))
            .collect()
    }

    /// Every span that came.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        let inner = lock(&self.kept);
        let resources = inner
            .requests
            .iter()
            .flat_map(|r| list(&r["resourceSpans"]));
        let scopes = resources.flat_map(|r| list(&r["scopeSpans"]));
        let spans = scopes.flat_map(|s| list(&s["spans"]));
        spans
            .map(|json| Span {
                attributes: attributes(&json["attributes"]),
                json: json.clone(),
            })
            .collect()
    }
}

fn lock(kept: &Kept) -> std::sync::MutexGuard<'_, Inner> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn attributes(value: &Value) -> BTreeMap<String, String> {
    list(value)
        .filter_map(|a| {
            let value = &a["value"];
            let text = value["stringValue"].as_str().or(value["intValue"].as_str());
            Some((a["key"].as_str()?.to_owned(), text?.to_owned()))
        })
        .collect()
}

async fn take(
    State(kept): State<Kept>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, StatusCode> {
    let mut inner = lock(&kept);
    if inner.refuse > 0 {
        inner.refuse -= 1;
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let kind = headers.get("content-type").and_then(|v| v.to_str().ok());
    if kind != Some("application/json") {
        inner.faults.push(format!("content type {kind:?}"));
    }
    match serde_json::from_slice(&body) {
        Ok(request) => inner.requests.push(request),
        Err(e) => inner.faults.push(e.to_string()),
    }
    Ok(Json(json!({"partialSuccess": {}})))
}
