//! Keeps MCP servers running: one task a server starts it, notices its end, brings it back; calls go through sessions.

mod server;
mod status;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::ServerSpec;
use crate::session::Calls;
use crate::toolbox::{Answer, Heard, ToolBox, ToolDef, ToolFailure, ToolReply};
use server::Server;
use status::{Generations, Seen};
pub use status::{ServerState, ServerStatus};

/// All configured servers. Dropping it ends them too, without waiting.
#[derive(Debug)]
pub struct Fleet {
    seen: BTreeMap<String, watch::Receiver<Seen>>,
    changed: watch::Receiver<BTreeMap<String, u64>>,
    tasks: Mutex<JoinSet<()>>,
    stop: CancellationToken,
    _guard: DropGuard,
}

impl Fleet {
    /// Starts all servers side by side and returns at once; a server that can't start is tried again.
    /// Must be called within a tokio runtime.
    #[must_use]
    pub fn start(servers: BTreeMap<String, ServerSpec>) -> Self {
        let stop = CancellationToken::new();
        let (generations, changed) = Generations::new(servers.keys().cloned());
        let mut tasks = JoinSet::new();
        let mut seen = BTreeMap::new();
        for (name, spec) in servers {
            let (server, receiver) = Server::new(&name, spec, generations.clone(), stop.clone());
            seen.insert(name, receiver);
            tasks.spawn(server.run());
        }
        Self {
            seen,
            changed,
            tasks: Mutex::new(tasks),
            _guard: stop.clone().drop_guard(),
            stop,
        }
    }

    /// Waits until every server is ready or has failed its first start, or the time is over.
    pub async fn wait_ready(&self, within: Duration) -> Vec<ServerStatus> {
        let all = async {
            for seen in self.seen.values() {
                let mut seen = seen.clone();
                // An error means that the task has ended; its last status stands.
                let _ = seen
                    .wait_for(|s| !matches!(s.state, ServerState::Starting))
                    .await;
            }
        };
        let _ = tokio::time::timeout(within, all).await;
        self.status()
    }

    /// How every server is, by name.
    #[must_use]
    pub fn status(&self) -> Vec<ServerStatus> {
        self.seen
            .iter()
            .map(|(name, seen)| seen.borrow().status(name))
            .collect()
    }

    /// A number a server that grows with every start and every announced change of its tool list.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<BTreeMap<String, u64>> {
        self.changed.clone()
    }

    /// Ends all servers and everything they started; returns when none is left.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        let mut tasks = self.tasks.lock().await;
        while tasks.join_next().await.is_some() {}
    }

    fn calls(&self, server: &str) -> Result<Calls, ToolFailure> {
        match self.seen.get(server) {
            Some(seen) => seen.borrow().calls(server),
            None => Err(ToolFailure::NoSuchServer {
                server: server.to_owned(),
            }),
        }
    }
}

#[async_trait]
impl ToolBox for Fleet {
    async fn tools(&self, server: &str) -> Result<Vec<ToolDef>, ToolFailure> {
        self.calls(server)?.list().await
    }

    async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure> {
        self.calls(server)?.call(tool, arguments).await
    }

    async fn call_heard(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
        answer: Option<Answer>,
    ) -> Heard {
        match self.calls(server) {
            Ok(calls) => calls.call_heard(tool, arguments, answer).await,
            Err(failure) => Heard {
                reply: Err(failure),
                declined: Vec::new(),
                answered: false,
            },
        }
    }
}
