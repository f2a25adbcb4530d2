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

impl Clean {
    /// Whether a text was scanned before and had no hit.
    pub(super) fn holds(&self, text: &str) -> bool {
        let hash = self.key.hash_one(text);
        self.known
            .lock()
            .is_ok_and(|known| known.iter().any(|half| half.contains(&hash)))
    }

    /// Remembers a clean text.
    pub(super) fn keep(&self, text: &str) {
        let hash = self.key.hash_one(text);
        let Ok(mut known) = self.known.lock() else {
            return;
        };
        if known[0].len() >= MOST / 2 {
            known[1] = std::mem::take(&mut known[0]);
        }
        known[0].insert(hash);
    }
}
