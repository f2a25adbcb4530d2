//! What is known of each server from outside its task; changes nothing by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::session::{Calls, ServerInfo, Tail};
use crate::toolbox::ToolFailure;

/// How a server is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServerStatus {
    /// Name in the configuration.
    pub name: String,
    /// Whether it can be called.
    pub state: ServerState,
    /// Process id, when we started it and it runs.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// What it says it is; its own words.
    pub server_info: Option<ServerInfo>,
    /// Last lines of its stderr, cleaned, at most 2 KiB; written by the server, not for models.
    pub stderr_tail: String,
}

/// Whether a server can be called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ServerState {
    /// On its way up for the first time.
    Starting,
    /// Open for calls.
    Ready,
    /// Not there.
    Down {
        /// Why, for a person.
        reason: String,
        /// From the failure to the next start.
        retry_in: Duration,
    },
}

/// A server as its task last reported it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) state: ServerState,
    pub(super) since: Instant,
    pub(super) restarts: u32,
    pub(super) pid: Option<u32>,
    pub(super) info: Option<ServerInfo>,
    pub(super) tail: Option<Tail>,
    pub(super) calls: Option<Calls>,
}

impl Seen {
    pub(super) fn starting() -> Self {
        Self {
            state: ServerState::Starting,
            since: Instant::now(),
            restarts: 0,
            pid: None,
            info: None,
            tail: None,
            calls: None,
        }
    }

    pub(super) fn status(&self, name: &str) -> ServerStatus {
        ServerStatus {
            name: name.to_owned(),
            state: self.state.clone(),
            pid: self.pid,
            restarts: self.restarts,
            server_info: self.info.clone(),
            stderr_tail: self.tail.as_ref().map(Tail::words).unwrap_or_default(),
        }
    }

    /// The way to call it, or why there is none.
    pub(super) fn calls(&self, server: &str) -> Result<Calls, ToolFailure> {
        if let (ServerState::Ready, Some(calls)) = (&self.state, &self.calls) {
            return Ok(calls.clone());
        }
        Err(ToolFailure::Unavailable {
            server: server.to_owned(),
            reason: match &self.state {
                ServerState::Down { reason, .. } => reason.clone(),
                ServerState::Starting | ServerState::Ready => "it is starting".to_owned(),
            },
            since: Some(self.since.elapsed()),
        })
    }
}

/// Counts, per server, what makes an earlier tool list doubtful.
#[derive(Debug, Clone)]
pub(super) struct Generations(Arc<watch::Sender<BTreeMap<String, u64>>>);

impl Generations {
    pub(super) fn new(
        names: impl Iterator<Item = String>,
    ) -> (Self, watch::Receiver<BTreeMap<String, u64>>) {
        let (sender, receiver) = watch::channel(names.map(|name| (name, 0)).collect());
        (Self(Arc::new(sender)), receiver)
    }

    pub(super) fn bump(&self, server: &str) {
        self.0
            .send_modify(|all| *all.entry(server.to_owned()).or_default() += 1);
    }
}
