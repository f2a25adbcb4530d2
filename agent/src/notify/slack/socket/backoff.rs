//! How long to wait before the next connection; it opens none.

use std::time::Duration;

use super::link::End;

const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(60);
/// After `too_many_websockets`, and when the app's settings are in the way.
const LONG: Duration = Duration::from_secs(30);

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(super) fn worked(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure and gives the wait before the next try; `share` is chance from 0 to 1.
    pub(super) fn failed(&mut self, end: &End, share: f64) -> Duration {
        let least = match (end.after, end.crowded) {
            (Some(after), _) => after,
            (None, true) => LONG,
            (None, false) => Duration::ZERO,
        };
        let most = FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(MOST);
        self.failures = self.failures.saturating_add(1);
        // Half of it is chance, so that several daemons do not come back at once, and never none.
        least + most / 2 + (most / 2).mul_f64(share.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew_after_success() {
        let (mut backoff, lost) = (Backoff::default(), End::lost("x"));
        let waits: Vec<u128> = (0..10)
            .map(|_| backoff.failed(&lost, 1.0).as_millis())
            .collect();
        assert_eq!(waits[..5], [500, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits[9], 60_000);
        backoff.worked();
        assert_eq!(backoff.failed(&lost, 0.0), Duration::from_millis(250));
    }

    #[test]
    fn a_crowd_is_not_joined_at_once() {
        let end = End {
            crowded: true,
            ..End::lost("too_many_websockets")
        };
        assert!(Backoff::default().failed(&end, 0.0) > LONG);
        let end = End {
            after: Some(Duration::from_secs(90)),
            ..End::lost("limited")
        };
        assert!(Backoff::default().failed(&end, 0.0) > Duration::from_secs(90));
    }
}
