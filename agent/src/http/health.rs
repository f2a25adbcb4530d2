//! `/healthz`: the process lives. `/readyz`: whether it can do its work, and how each server and source stands; what others wrote, the words of a failure for instance, stays in the log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;
use mcp_clients::sources::{Origin, SourceConfig};
use mcp_clients::supervise::ServerState;
use serde::Serialize;
use state::model::Time;
use state::store::Store;
use tokio::sync::OnceCell;

use crate::telemetry::SourceStanding;

use super::people::{self, WayLine};
use super::{Beat, Looked, metrics};

/// How long an answer of the store counts.
const FRESH: Duration = Duration::from_secs(1);
/// How long the store may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Failures in a row, and intervals without an answer, after which a source is degraded; failures after which a way to people is.
pub(super) const SEVERAL: u32 = 3;
/// A source that is asked very often is given this long.
const AT_LEAST: Duration = Duration::from_secs(60);

/// Asks nobody anything.
pub(super) async fn alive() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], "alive\n")
}

/// The store, asked at most once a second however often it is wanted.
pub(super) struct StoreProbe {
    beat: Beat,
    first: OnceCell<()>,
    said: Mutex<Option<&'static str>>,
}

impl StoreProbe {
    pub(super) fn new() -> Self {
        Self {
            beat: Beat::new(FRESH),
            first: OnceCell::new(),
            said: Mutex::new(Some("it was not asked yet")),
        }
    }

    /// What is wrong with it.
    async fn fault(&self, store: &Store) -> Option<&'static str> {
        // Whoever comes while it is asked for the first time waits for that answer; later ones get the last one.
        let asked = async {
            self.beat.is_due();
            self.ask(store).await;
        };
        self.first.get_or_init(|| asked).await;
        if self.beat.is_due() {
            self.ask(store).await;
        }
        *self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, store: &Store) {
        let fault = match tokio::time::timeout(PATIENCE, store.writable()).await {
            Ok(Ok(())) => None,
            Ok(Err(e)) => {
                tracing::warn!(error = %e, "the store takes no write");
                Some("it takes no write, or its schema is another one; the log has the reason")
            }
            Err(_) => Some("it did not answer in time"),
        };
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
struct Readiness {
    /// Whether the daemon can do its work.
    ready: bool,
    /// Whether something is wrong that it works in spite of.
    degraded: bool,
    store: Check,
    integrity: Check,
    servers: Vec<ServerLine>,
    sources: Vec<SourceLine>,
    people: Vec<WayLine>,
}

#[derive(Debug, Serialize)]
struct Check {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl Check {
    fn of(fault: Option<&'static str>) -> Self {
        Self {
            ok: fault.is_none(),
            why: fault,
        }
    }
}

#[derive(Debug, Serialize)]
struct ServerLine {
    name: String,
    state: &'static str,
    restarts: u32,
}

#[derive(Debug, Serialize)]
struct SourceLine {
    name: String,
    kind: &'static str,
    state: &'static str,
    last_success: Option<Time>,
    failures_in_a_row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// 200 when the daemon can work, 503 when it can't (the store, its schema or the integrity): a server that is down leaves
/// gaps, and a restart would not mend it; the body says what stands how. A way to people that is down is `degraded` too and
/// not unready: the queue is worked all the same, what people are to be told waits in the store, and whoever takes an
/// unready daemon out or restarts it would only add to the silence. The alert rules in `deploy/` call for a person.
pub(super) async fn ready(State(looked): State<Arc<Looked>>) -> Response {
    let ctx = &looked.ctx;
    let store = Check::of(looked.store.fault(&ctx.store).await);
    let broken = ctx.guard.integrity.broken().is_some();
    let integrity = Check::of(
        broken
            .then_some("what decides is not as it was accepted or started from; the log says what"),
    );
    let servers: Vec<ServerLine> = (looked.servers)()
        .into_iter()
        .map(|s| ServerLine {
            name: s.name,
            state: match s.state {
                ServerState::Starting => "starting",
                ServerState::Ready => "ready",
                ServerState::Down { .. } => "down",
            },
            restarts: s.restarts,
        })
        .collect();
    let standing = ctx.guard.meters.sources_now();
    if store.ok {
        metrics::refresh(&looked).await;
    }
    let now = ctx.now();
    let people = people::ways(ctx, now);
    let sources: Vec<SourceLine> = ctx
        .config
        .sources
        .iter()
        .map(|s| {
            let standing = standing.get(&s.name).cloned().unwrap_or_default();
            source(s, standing, (looked.began, now))
        })
        .collect();
    let readiness = Readiness {
        ready: store.ok && integrity.ok,
        degraded: sources.iter().any(|s| s.state == "degraded")
            || servers.iter().any(|s| s.state != "ready")
            || people.iter().any(WayLine::is_degraded),
        store,
        integrity,
        servers,
        sources,
        people,
    };
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

/// How a source stands; `(when it could first have been asked, now)`.
fn source(config: &SourceConfig, standing: SourceStanding, times: (Time, Time)) -> SourceLine {
    let (began, now) = times;
    let kind = match config.origin {
        Origin::Mcp(_) => "mcp",
        Origin::File(_) => "file",
        Origin::Webhook(_) => "webhook",
    };
    let patience = (config.every.0 * SEVERAL).max(AT_LEAST);
    let silent = now - standing.success.unwrap_or(began);
    let late = silent > TimeDelta::from_std(patience).unwrap_or(TimeDelta::MAX);
    let failing = standing.failures >= u64::from(SEVERAL);
    let (state, why) = match (kind, standing.success) {
        ("webhook", _) => ("listening", None),
        _ if failing => (
            "degraded",
            Some(format!("{} polls in a row failed", standing.failures)),
        ),
        _ if late => (
            "degraded",
            Some(format!("no answer for {} s", silent.num_seconds())),
        ),
        (_, None) => ("waiting", None),
        _ => ("ok", None),
    };
    SourceLine {
        name: config.name.clone(),
        kind,
        state,
        last_success: standing.success,
        failures_in_a_row: standing.failures,
        why,
    }
}
