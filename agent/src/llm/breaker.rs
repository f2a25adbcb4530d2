//! Leaves a failing endpoint alone for a while; it counts failures and knows nothing of what failed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open the breaker.
const FAILURES: u32 = 5;
/// How long it stays open before one probe is let through.
const OPEN_FOR: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
enum State {
    Closed { failures: u32 },
    Open { until: Instant },
    Probing { since: Instant },
}

/// A circuit breaker: closed, open, or letting a single probe through.
#[derive(Debug)]
pub(super) struct Breaker(Mutex<State>);

/// Leave to send one request. Dropped without a result it changes nothing, except that a probe may be repeated.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a Breaker,
    probe: bool,
    settled: bool,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::Closed { failures: 0 }))
    }

    /// Asks for leave to send.
    ///
    /// # Errors
    /// When to ask again.
    pub(super) fn admit(&self) -> Result<Permit<'_>, Instant> {
        let now = Instant::now();
        let mut state = self.lock();
        let probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } if now >= until => {
                *state = State::Probing { since: now };
                true
            }
            State::Open { until } => return Err(until),
            State::Probing { since } => return Err(since + OPEN_FOR),
        };
        Ok(Permit {
            breaker: self,
            probe,
            settled: false,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// The endpoint answered sensibly.
    pub(super) fn worked(mut self) {
        self.settled = true;
        let mut state = self.breaker.lock();
        if self.probe || matches!(*state, State::Closed { .. }) {
            *state = State::Closed { failures: 0 };
        }
    }

    /// The endpoint failed.
    pub(super) fn failed(mut self) {
        self.settled = true;
        let until = Instant::now() + OPEN_FOR;
        let mut state = self.breaker.lock();
        *state = match *state {
            _ if self.probe => State::Open { until },
            State::Closed { failures } if failures + 1 < FAILURES => State::Closed {
                failures: failures + 1,
            },
            State::Closed { .. } => State::Open { until },
            later => later,
        };
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            *self.breaker.lock() = State::Open {
                until: Instant::now(),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn opens_probes_once_and_closes() {
        let breaker = Breaker::new();
        for _ in 0..4 {
            breaker.admit().unwrap().failed();
        }
        breaker.admit().unwrap().worked();
        for _ in 0..4 {
            breaker.admit().unwrap().failed();
        }
        let stale = breaker.admit().unwrap();
        breaker.admit().unwrap().failed();
        assert_eq!(breaker.admit().unwrap_err(), Instant::now() + OPEN_FOR);
        stale.worked();
        assert!(
            breaker.admit().is_err(),
            "an answer from before must not close it"
        );

        tokio::time::advance(OPEN_FOR).await;
        let probe = breaker.admit().unwrap();
        assert!(breaker.admit().is_err(), "one probe at a time");
        drop(probe);
        breaker
            .admit()
            .expect("a probe given up may be repeated")
            .failed();
        assert!(breaker.admit().is_err());

        tokio::time::advance(OPEN_FOR).await;
        breaker.admit().unwrap().worked();
        drop((breaker.admit().unwrap(), breaker.admit().unwrap()));
    }
}
