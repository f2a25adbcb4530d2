//! One MCP session, from handshake to end; bringing a dead one back is `supervise`'s.

mod calls;
mod frames;
mod handler;
mod http;
mod process;
mod questions;

use std::time::Duration;

use rmcp::model::{ProtocolVersion, SubscriptionFilter};
use rmcp::service::{
    ClientCacheConfig, ClientLifecycleMode, ClientServiceExt, Peer, RoleClient, RunningService,
    RunningServiceCancellationToken,
};
use rmcp::transport::async_rw::AsyncRwTransport;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{ServerSpec, Span, TransportSpec};
use crate::words::one_line;

pub(crate) use calls::Calls;
pub use frames::MAX_LINE;
use handler::Handler;
use process::Group;
pub(crate) use process::Tail;
use questions::Questions;

/// How long a session may take to close its side.
const CLOSE: Duration = Duration::from_secs(1);

/// What a server says it is; its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerInfo {
    /// Name.
    pub name: String,
    /// Version; many servers give their SDK's.
    pub version: String,
    /// MCP revision agreed on.
    pub protocol: String,
}

/// An open session.
pub(crate) struct Session {
    stop: Option<RunningServiceCancellationToken>,
    service: Option<JoinHandle<()>>,
    group: Option<Group>,
    pump: Option<AbortOnDropHandle<()>>,
    listening: Option<AbortOnDropHandle<()>>,
    peer: Peer<RoleClient>,
    questions: Questions,
}

impl Session {
    /// Starts or reaches the server and shakes hands, within the start timeout. `changed` hears of tool list changes.
    /// The error is a reason for a person.
    pub(crate) async fn open(spec: &ServerSpec, changed: mpsc::Sender<()>) -> Result<Self, String> {
        let handler = Handler {
            changed: changed.clone(),
            questions: Questions::default(),
        };
        let questions = handler.questions.clone();
        let mut session = match &spec.transport {
            TransportSpec::Process(process) => {
                let (group, stdin, stdout) = Group::start(process).await?;
                let (ours, theirs) = tokio::io::simplex(64 * 1024);
                let pump = AbortOnDropHandle::new(tokio::spawn(pump(stdout, theirs)));
                let transport =
                    AsyncRwTransport::new(ours, stdin).with_max_line_length(MAX_LINE + 2);
                match shake(handler, transport, spec.limits.start).await {
                    Ok(service) => Self::new(service, Some(group), Some(pump), questions),
                    Err(reason) => {
                        drop(pump);
                        let tail = group.tail();
                        let how = group.end().await;
                        return Err(with_words(format!("{reason}; the program {how}"), &tail));
                    }
                }
            }
            TransportSpec::Http(http) => {
                let transport = http::transport(http, spec.limits.in_flight).await?;
                Self::new(
                    shake(handler, transport, spec.limits.start).await?,
                    None,
                    None,
                    questions,
                )
            }
        };
        let uncached = ClientCacheConfig::disabled();
        session.peer.set_response_cache_config(uncached).await;
        session.listen(changed);
        Ok(session)
    }

    fn new(
        service: RunningService<RoleClient, Handler>,
        group: Option<Group>,
        pump: Option<AbortOnDropHandle<()>>,
        questions: Questions,
    ) -> Self {
        Self {
            questions,
            peer: service.peer().clone(),
            stop: Some(service.cancellation_token()),
            service: Some(tokio::spawn(async move {
                if let Err(e) = service.waiting().await {
                    tracing::warn!("a session's task failed: {e}");
                }
            })),
            group,
            pump,
            listening: None,
        }
    }

    /// From the 2026-07-28 revision on, list changes come only to who asks for them.
    fn listen(&mut self, changed: mpsc::Sender<()>) {
        let Some(info) = self.peer.peer_info() else {
            return;
        };
        let announces = info
            .capabilities
            .tools
            .as_ref()
            .and_then(|t| t.list_changed);
        if info.protocol_version.has_initialize() || announces != Some(true) {
            return;
        }
        let peer = self.peer.clone();
        let task = tokio::spawn(async move {
            let filter = SubscriptionFilter::builder().tools_list_changed().build();
            match peer.listen(filter).await {
                Ok(mut news) => {
                    while let Ok(Some(_)) = news.next().await {
                        // A full channel already holds the news.
                        let _ = changed.try_send(());
                    }
                }
                Err(e) => tracing::debug!("no subscription to tool list changes: {e}"),
            }
        });
        self.listening = Some(AbortOnDropHandle::new(task));
    }

    /// The way to call its tools.
    pub(crate) fn calls(&self, name: &str, spec: &ServerSpec) -> Calls {
        Calls::new(name, (self.peer.clone(), self.questions.clone()), spec)
    }

    /// Process id, when we started it.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.group.as_ref().and_then(Group::pid)
    }

    /// What it wrote to stderr.
    pub(crate) fn tail(&self) -> Option<Tail> {
        self.group.as_ref().map(Group::tail)
    }

    /// What it says it is.
    pub(crate) fn info(&self) -> Option<ServerInfo> {
        let info = self.peer.peer_info()?;
        let own = info.server_info.clone().unwrap_or_default();
        let named = info.server_info.is_some();
        Some(ServerInfo {
            name: if named {
                one_line(&own.name, 100)
            } else {
                String::new()
            },
            version: if named {
                one_line(&own.version, 100)
            } else {
                String::new()
            },
            protocol: info.protocol_version.to_string(),
        })
    }

    /// Waits until the server has gone, and says how. May be dropped and called again.
    pub(crate) async fn ended(&mut self) -> String {
        let Some(service) = &mut self.service else {
            return "the connection is closed".to_owned();
        };
        let how = match &mut self.group {
            Some(group) => tokio::select! {
                how = group.ended() => return format!("the program {how}"),
                _ = service => "it closed its output",
            },
            None => {
                let _ = service.await;
                "the connection was closed"
            }
        };
        self.service = None;
        how.to_owned()
    }

    /// Closes the session and ends the whole process group.
    pub(crate) async fn close(mut self) {
        self.listening.take();
        if let Some(stop) = self.stop.take() {
            stop.cancel();
        }
        if let Some(service) = self.service.take() {
            // Past this time the pipes are closed under it, which ends it.
            let _ = timeout(CLOSE, service).await;
        }
        self.pump.take();
        if let Some(group) = self.group.take() {
            let how = group.end().await;
            tracing::debug!("an MCP server {how}");
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.cancel();
        }
    }
}

async fn pump(
    stdout: tokio::process::ChildStdout,
    into: tokio::io::WriteHalf<tokio::io::SimplexStream>,
) {
    let dropped = frames::Dropped::default();
    if let Err(e) = frames::pump(stdout, into, MAX_LINE, &dropped).await {
        tracing::debug!("a server's output ended: {e}");
    }
    let noise = dropped.noise.into_inner();
    if noise > 0 {
        tracing::warn!(
            noise,
            "a server wrote lines that are not JSON to its output"
        );
    }
}

async fn shake<T, E, A>(
    handler: Handler,
    transport: T,
    within: Duration,
) -> Result<RunningService<RoleClient, Handler>, String>
where
    T: rmcp::transport::IntoTransport<RoleClient, E, A>,
    E: std::error::Error + Send + Sync + 'static,
{
    let mode = ClientLifecycleMode::Auto {
        preferred_versions: vec![ProtocolVersion::LATEST],
        legacy_version: None,
    };
    match timeout(within, handler.serve_with_lifecycle(transport, mode)).await {
        Err(_) => Err(format!("no handshake in {}", Span(within))),
        Ok(Err(e)) => Err(format!("no handshake: {}", one_line(&e.to_string(), 500))),
        Ok(Ok(service)) => Ok(service),
    }
}

/// A reason with the program's last words.
pub(crate) fn with_words(reason: String, tail: &Tail) -> String {
    match tail.words() {
        words if words.is_empty() => reason,
        words => format!("{reason}; last words: {words}"),
    }
}
