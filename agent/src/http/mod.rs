//! What the daemon answers over HTTP: metrics and health, where nobody is asked who they are, so that nothing says what an alert holds; and listeners for what another room answers, alone.

mod accept;
mod health;
mod metrics;
mod people;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONNECTION, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use mcp_clients::sources::{Bounded, Origin};
use mcp_clients::supervise::ServerStatus;
use state::model::Time;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::SlackMode;
use crate::ctx::Ctx;

/// How long stopping waits for requests under way.
const DRAIN: Duration = Duration::from_secs(5);
/// Most bytes of a request's body, unless a route says otherwise.
const MAX_BODY: usize = 1 << 20;

/// How the servers are, asked anew each time.
pub type Servers = Arc<dyn Fn() -> Vec<ServerStatus> + Send + Sync>;

/// What the answers are made from.
struct Looked {
    ctx: Arc<Ctx>,
    servers: Servers,
    began: Time,
    gauges: Beat,
    store: health::StoreProbe,
}

/// Lets something through once in a while.
struct Beat {
    every: Duration,
    last: Mutex<Option<Instant>>,
}

impl Beat {
    fn new(every: Duration) -> Self {
        Self {
            every,
            last: Mutex::new(None),
        }
    }

    /// Whether it is time again; whoever is told so does it.
    fn is_due(&self) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < self.every) {
            return false;
        }
        *last = Some(Instant::now());
        true
    }
}

/// A listener that is bound and waits to be driven.
pub struct Listening {
    listener: TcpListener,
    router: Router,
    address: SocketAddr,
}

/// Binds the listener of `[run.http]`, if there is one.
///
/// # Errors
/// When the address can't be listened on.
pub async fn bind(ctx: &Arc<Ctx>, servers: Servers) -> anyhow::Result<Option<Listening>> {
    let Some(http) = &ctx.config.run.http else {
        return Ok(None);
    };
    let (listener, address) = listener("[run.http]", http.listen).await?;
    know(ctx);
    let looked = Arc::new(Looked {
        ctx: ctx.clone(),
        servers,
        began: ctx.now(),
        gauges: Beat::new(metrics::FRESH),
        store: health::StoreProbe::new(),
    });
    metrics::refresh(&looked).await;
    let router = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::metrics))
        .with_state(looked);
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "metrics and health can be asked for from other machines, and nobody is asked who they are");
    }
    tracing::info!(%address, "metrics and health are served");
    Ok(Some(Listening::of(listener, address, router)))
}

/// Binds a listener that answers these routes and nothing else; `section` is where its `listen` stands.
///
/// # Errors
/// When the address can't be listened on.
pub async fn bind_alone(
    section: &str,
    listen: SocketAddr,
    router: Router,
) -> anyhow::Result<Listening> {
    let (listener, address) = listener(section, listen).await?;
    Ok(Listening::of(listener, address, router))
}

async fn listener(section: &str, listen: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(listen).await;
    let listener =
        listener.with_context(|| format!("{section} listen = \"{listen}\" can't be had"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// What is configured has its series from the start: of what was never there no alert rule could see that it is gone.
fn know(ctx: &Ctx) {
    let (meters, now) = (&ctx.guard.meters, ctx.now());
    for source in &ctx.config.sources {
        let polled = !matches!(source.origin, Origin::Webhook(_));
        meters.know_source(&source.name, polled.then_some(now));
    }
    let notify = &ctx.config.people.notify;
    let socket = notify.slack.as_ref().map(|s| s.mode) == Some(SlackMode::Socket);
    for way in notify.ways() {
        meters.know_way(&way, (socket && way == "slack").then_some(now));
    }
    if ctx.config.closing.canary.enabled {
        meters.expect_canaries(now);
    }
}

impl Listening {
    fn of(listener: TcpListener, address: SocketAddr, router: Router) -> Self {
        let router = router
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .layer(from_fn(plain));
        Self {
            listener,
            router,
            address,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then answers what is under way, for a few seconds at most.
    pub async fn serve(self, stop: CancellationToken) {
        let stopped = stop.clone();
        let serving = axum::serve(Bounded::new(self.listener), self.router)
            .with_graceful_shutdown(async move { stopped.cancelled().await });
        let ended = tokio::select! {
            done = serving.into_future() => done,
            () = async { stop.cancelled().await; tokio::time::sleep(DRAIN).await } => Ok(()),
        };
        if let Err(e) = ended {
            tracing::error!(error = %e, address = %self.address, "nothing is answered there any more");
        }
    }
}

/// One request a connection, kept by nobody, taken for nothing but what it says it is.
async fn plain(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}
