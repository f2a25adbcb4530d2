//! Clicks that were taken already, so that one that comes twice counts once; a restart forgets them, the store does not.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use state::model::Time;

/// Longer than any signature is good for, and than Slack sends again.
const KEPT: TimeDelta = TimeDelta::hours(1);
const MOST: usize = 10_000;

#[derive(Default)]
pub(super) struct Seen(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    known: HashSet<String>,
    order: VecDeque<(Time, String)>,
}

impl Seen {
    /// Whether this is the first time; it is not from then on.
    pub(super) fn first(&self, key: String, now: Time) -> bool {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while inner.order.len() >= MOST
            || inner.order.front().is_some_and(|(at, _)| now - *at > KEPT)
        {
            if let Some((_, old)) = inner.order.pop_front() {
                inner.known.remove(&old);
            }
        }
        let first = inner.known.insert(key.clone());
        if first {
            inner.order.push_back((now, key));
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_is_new_once_and_memory_is_bounded() {
        let (seen, now) = (Seen::default(), chrono::DateTime::UNIX_EPOCH);
        assert!(seen.first("a".to_owned(), now));
        assert!(!seen.first("a".to_owned(), now + TimeDelta::minutes(30)));
        assert!(seen.first("a".to_owned(), now + TimeDelta::minutes(61)));
        for i in 0..2 * MOST {
            assert!(seen.first(format!("{i}"), now + TimeDelta::minutes(62)));
        }
        let inner = seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!((inner.known.len(), inner.order.len()), (MOST, MOST));
    }
}
