//! One message at a time and not too many a second, per channel, and none while Slack wants to be left alone; it sends nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Longest time a message waits here for its turn; beyond it the caller comes back later.
const PATIENCE: Duration = Duration::from_secs(10);

/// When each channel may be written to next.
pub(super) struct Pace {
    gap: Duration,
    next: Mutex<HashMap<String, Instant>>,
}

impl Pace {
    pub(super) fn new(gap: Duration) -> Self {
        Self {
            gap,
            next: Mutex::default(),
        }
    }

    /// Waits for the next turn in a channel.
    ///
    /// # Errors
    /// How long it would be, when that is too long to wait.
    pub(super) async fn turn(&self, channel: &str) -> Result<(), Duration> {
        let at = self.book(channel, Instant::now())?;
        tokio::time::sleep_until(at).await;
        Ok(())
    }

    fn book(&self, channel: &str, now: Instant) -> Result<Instant, Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.get(channel).copied().unwrap_or(now).max(now);
        if at - now > PATIENCE {
            return Err(at - now);
        }
        next.insert(channel.to_owned(), at + self.gap);
        Ok(at)
    }

    /// Slack wants no message in this channel for a while.
    pub(super) fn hold(&self, channel: &str, after: Duration) {
        let until = Instant::now() + after;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.entry(channel.to_owned()).or_insert(until);
        *at = (*at).max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_a_gap_apart_and_nobody_waits_for_long() {
        let (pace, now) = (Pace::new(Duration::from_secs(1)), Instant::now());
        let turns: Vec<_> = (0..13)
            .map(|_| pace.book("C0000001", now).map(|at| (at - now).as_secs()))
            .collect();
        let wanted: Vec<Result<u64, Duration>> = (0..=10).map(Ok).collect();
        assert_eq!(turns[..11], wanted[..]);
        assert_eq!(turns[11], Err(Duration::from_secs(11)));
        assert_eq!(
            turns[12],
            Err(Duration::from_secs(11)),
            "a refusal books nothing"
        );
        assert_eq!(
            pace.book("C0000002", now),
            Ok(now),
            "channels do not wait for each other"
        );
    }

    #[test]
    fn a_channel_is_left_alone_as_long_as_slack_wants() {
        let pace = Pace::new(Duration::ZERO);
        pace.hold("C0000001", Duration::from_secs(30));
        pace.hold("C0000001", Duration::from_secs(5));
        let wait = pace.book("C0000001", Instant::now()).expect_err("held");
        assert!(wait > Duration::from_secs(29));
    }
}
