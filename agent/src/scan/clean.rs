//! Remembers texts that were scanned whole and had no hit, by a keyed hash: logs say the same again and again.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::Mutex;

/// Texts that are remembered before the older half is forgotten.
const MOST: usize = 50_000;

/// Texts known to be clean. The key of the hash is this process's own, so that nobody outside can aim at a collision.
#[derive(Debug, Default)]
pub(super) struct Clean {
    key: RandomState,
    known: Mutex<[HashSet<u64>; 2]>,
}

/// As what a text was read: an event is read in fewer ways than a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Read {
    /// As a field.
    Field,
    /// As the texts of a whole event.
    Event,
}

impl Clean {
    /// Whether a text was scanned before and had no hit.
    pub(super) fn holds(&self, read: Read, text: &str) -> bool {
        let hash = self.key.hash_one((read, text));
        self.known
            .lock()
            .is_ok_and(|known| known.iter().any(|half| half.contains(&hash)))
    }

    /// Remembers a clean text.
    pub(super) fn keep(&self, read: Read, text: &str) {
        let hash = self.key.hash_one((read, text));
        let Ok(mut known) = self.known.lock() else {
            return;
        };
        if known[0].len() >= MOST / 2 {
            known[1] = std::mem::take(&mut known[0]);
        }
        known[0].insert(hash);
    }
}
