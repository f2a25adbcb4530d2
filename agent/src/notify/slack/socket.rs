//! Socket Mode: the daemon opens the connection and Slack sends clicks over it. The manager keeps one good connection and opens
//! the next before it lets the old one go; what a click does is `clicks`'s.

mod backoff;
mod connect;
mod link;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::backoff::Backoff;
use self::connect::connect;
use self::link::{End, Link, tend};
use super::clicks::Clicks;

/// How the socket stands, for health and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketState {
    /// No connection yet.
    Starting,
    /// Slack has said hello. `opened` counts the connections so far.
    Connected {
        /// Connections that were opened since the start.
        opened: u64,
    },
    /// There is no connection; another is opened after a while.
    Waiting {
        /// Why, in a sentence.
        why: String,
        /// How long.
        wait: Duration,
    },
}

/// A connection that is being tended.
struct Held {
    stop: CancellationToken,
    task: JoinHandle<End>,
    /// Slack wants it replaced.
    leave: CancellationToken,
    since: Instant,
}

/// A connection that lasted this long counts as a good one.
const GOOD: Duration = Duration::from_secs(30);

/// Listens for clicks until `shutdown`; every fault is waited out.
pub async fn run(
    clicks: Arc<Clicks>,
    state: watch::Sender<SocketState>,
    shutdown: CancellationToken,
) {
    let mut manager = Manager {
        clicks,
        state,
        backoff: Backoff::default(),
        opened: 0,
    };
    tokio::select! {
        () = manager.work(&shutdown) => {}
        () = shutdown.cancelled() => {}
    }
    manager.clicks.drain().await;
}

struct Manager {
    clicks: Arc<Clicks>,
    state: watch::Sender<SocketState>,
    backoff: Backoff,
    opened: u64,
}

impl Manager {
    async fn work(&mut self, shutdown: &CancellationToken) {
        let mut held = self.open(shutdown).await;
        loop {
            let ended = tokio::select! {
                ended = &mut held.task => Some(ended),
                () = held.leave.cancelled() => None,
            };
            if held.since.elapsed() > GOOD {
                self.backoff.worked();
            }
            if let Some(ended) = ended {
                // Dropped without notice: the next is opened after a while.
                let end = ended.unwrap_or_else(|_| End::lost("its task broke off"));
                self.wait(&end).await;
            }
            let next = self.open(shutdown).await;
            // The new one listens already; an old one that is still there is let go.
            held.stop.cancel();
            held = next;
        }
    }

    /// Opens a connection on which Slack says hello, however long it takes.
    async fn open(&mut self, shutdown: &CancellationToken) -> Held {
        loop {
            match connect(&self.clicks.slack).await {
                Ok(link) => {
                    self.opened += 1;
                    let opened = self.opened;
                    self.state.send_replace(SocketState::Connected { opened });
                    return self.hold(link, shutdown);
                }
                Err(end) => self.wait(&end).await,
            }
        }
    }

    fn hold(&self, link: Link, shutdown: &CancellationToken) -> Held {
        let (stop, leave) = (shutdown.child_token(), CancellationToken::new());
        let tended = tend(link, Arc::clone(&self.clicks), stop.clone(), leave.clone());
        Held {
            task: tokio::spawn(tended),
            stop,
            leave,
            since: Instant::now(),
        }
    }

    async fn wait(&mut self, end: &End) {
        let wait = self.backoff.failed(end, self.clicks.slack.dice.share());
        tracing::warn!(why = end.why, wait = ?wait, "no connection to slack");
        self.state.send_replace(SocketState::Waiting {
            why: end.why.clone(),
            wait,
        });
        tokio::time::sleep(wait).await;
    }
}
