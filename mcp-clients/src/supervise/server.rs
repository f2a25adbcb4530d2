//! The life of one server: start, serve, notice the end, wait, start again; it makes no calls itself.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::status::{Generations, Seen, ServerState};
use crate::config::{ServerSpec, Span};
use crate::session::{Session, with_words};

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);
/// A session that lasted this long was healthy: the next wait starts from the shortest again.
const HEALTHY: Duration = Duration::from_secs(60);

/// How a session ended by itself.
struct Ended {
    reason: String,
    /// How long it was ready; the time it took to start does not count.
    served: Duration,
}

/// The task of one server.
pub(super) struct Server {
    name: String,
    spec: ServerSpec,
    seen: watch::Sender<Seen>,
    generations: Generations,
    stop: CancellationToken,
}

impl Server {
    pub(super) fn new(
        name: &str,
        spec: ServerSpec,
        generations: Generations,
        stop: CancellationToken,
    ) -> (Self, watch::Receiver<Seen>) {
        let (seen, receiver) = watch::channel(Seen::starting());
        let server = Self {
            name: name.to_owned(),
            spec,
            seen,
            generations,
            stop,
        };
        (server, receiver)
    }

    /// Runs until stopped; ends with no process left.
    pub(super) async fn run(self) {
        let mut failures = 0;
        loop {
            let Some(Ended { reason, served }) = self.once().await else {
                return self.down("it was shut down".to_owned(), Duration::ZERO);
            };
            failures = if served >= HEALTHY { 1 } else { failures + 1 };
            let wait = backoff(&self.name, failures);
            tracing::warn!(server = %self.name, %reason, retry_in = %Span(wait), "an MCP server is down");
            self.down(reason, wait);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            self.seen.send_modify(|s| s.restarts += 1);
        }
    }

    /// One session from start to end; nothing when stopped.
    async fn once(&self) -> Option<Ended> {
        let (changed, mut news) = mpsc::channel(1);
        // Dropping a session that is still opening kills its process group.
        let opened = tokio::select! {
            () = self.stop.cancelled() => return None,
            opened = Session::open(&self.spec, changed) => opened,
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(reason) => {
                let served = Duration::ZERO;
                return Some(Ended { reason, served });
            }
        };
        let ready = Instant::now();
        let calls = session.calls(&self.name, &self.spec);
        self.seen.send_modify(|s| {
            s.state = ServerState::Ready;
            s.since = Instant::now();
            s.pid = session.pid();
            s.info = session.info();
            s.tail = session.tail();
            s.calls = Some(calls.clone());
        });
        self.generations.bump(&self.name);
        tracing::info!(server = %self.name, "an MCP server is ready");
        let reason = loop {
            tokio::select! {
                () = self.stop.cancelled() => break None,
                reason = session.ended() => break Some(reason),
                reason = calls.sick() => break Some(reason),
                Some(()) = news.recv() => self.generations.bump(&self.name),
            }
        };
        // From here on no call may start on this session.
        let closing = reason.as_deref().unwrap_or("it is being shut down");
        self.down(closing.to_owned(), SHORTEST);
        let served = ready.elapsed();
        let tail = session.tail();
        session.close().await;
        let reason = match &tail {
            Some(tail) => with_words(reason?, tail),
            None => reason?,
        };
        Some(Ended { reason, served })
    }

    fn down(&self, reason: String, retry_in: Duration) {
        self.seen.send_modify(|s| {
            if !matches!(s.state, ServerState::Down { .. }) {
                s.since = Instant::now();
            }
            s.state = ServerState::Down { reason, retry_in };
            s.calls = None;
            s.pid = None;
        });
    }
}

/// How long to wait after so many failures in a row: doubling, less up to a quarter that differs by server and
/// daemon, so that many that fell together don't rise together.
fn backoff(name: &str, failures: u32) -> Duration {
    let doubled = SHORTEST.saturating_mul(1_u32 << failures.saturating_sub(1).min(16));
    let full = doubled.min(LONGEST);
    let mut hasher = DefaultHasher::new();
    (name, failures, std::process::id()).hash(&mut hasher);
    let less = full / 4 * u32::try_from(hasher.finish() % 1000).unwrap_or(0) / 1000;
    full - less
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_their_bounds() {
        let mut before = Duration::ZERO;
        for failures in 1..40 {
            let wait = backoff("siem", failures);
            assert!(wait >= SHORTEST * 3 / 4 && wait <= LONGEST, "{wait:?}");
            assert!(
                wait > before || wait >= LONGEST * 3 / 4,
                "{failures}: {wait:?}"
            );
            before = wait;
        }
    }
}
