//! What a verdict is called at a product: its words and its statuses, one file a product; nothing is sent here.

use std::collections::BTreeMap;

use serde_json::Value;
use state::model::{VerdictKind, VerdictReason};

use super::files::Keys;

/// The words of one product. Two or more of our verdicts may share a word there; none takes a stronger one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VerdictWords {
    /// Statuses in which nobody has decided anything yet.
    pub untouched: Vec<String>,
    /// Statuses that take an alert off its queue.
    pub closing: Vec<String>,
    /// Words for an alert that people still have.
    open: Words,
    /// Words for an alert whose case is closed, by verdict.
    closed: BTreeMap<VerdictKind, Words>,
    /// Words that are others for a reason.
    reasons: BTreeMap<VerdictReason, Words>,
}

type Words = BTreeMap<String, Value>;

/// Verdicts that may stand in a closing status.
const FINAL: [VerdictKind; 4] = [
    VerdictKind::TruePositive,
    VerdictKind::BenignPositive,
    VerdictKind::FalsePositive,
    VerdictKind::Duplicate,
];

impl VerdictWords {
    /// Compiles the keys of a file; faults are added to the file's.
    pub(super) fn compile(mut keys: Keys<'_>) -> Self {
        let words = Self {
            untouched: keys.take("untouched").unwrap_or_default(),
            closing: keys.take("closing").unwrap_or_default(),
            open: keys.take("open").unwrap_or_default(),
            closed: keys.take("closed").unwrap_or_default(),
            reasons: keys.take("reasons").unwrap_or_default(),
        };
        let status = |words: &Words| words.get("status").map(text);
        let closes = |status: &String| words.closing.contains(status);
        if let Some(both) = words.untouched.iter().find(|s| closes(s)) {
            keys.fault("untouched", format!("`{both}` is a closing status too"));
        }
        if status(&words.open).is_some_and(|s| closes(&s)) {
            keys.fault("open.status", "is a closing status: people still have it");
        }
        for (kind, row) in &words.closed {
            if !FINAL.contains(kind) {
                let place = format!("closed.{kind}");
                keys.fault(&place, "is never closed: leave it out");
            }
            if status(row).is_some_and(|s| !closes(&s)) {
                let place = format!("closed.{kind}.status");
                keys.fault(&place, "is not one of the closing statuses");
            }
        }
        if words.reasons.values().any(|row| row.contains_key("status")) {
            keys.fault("reasons", "a reason changes words, never the status");
        }
        keys.finish();
        words
    }

    /// The words for an alert that people still have.
    #[must_use]
    pub fn open(&self) -> Words {
        self.open.clone()
    }

    /// The words for an alert whose case is closed; none for a verdict that is never closed.
    #[must_use]
    pub fn closed(&self, kind: VerdictKind, reason: VerdictReason) -> Option<Words> {
        let mut words = self.closed.get(&kind)?.clone();
        for (name, word) in self.reasons.get(&reason).into_iter().flatten() {
            words.insert(name.clone(), word.clone());
        }
        Some(words)
    }

    /// All names of words in the table: the slots it can fill.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let rows = self.closed.values().chain(self.reasons.values());
        let names = rows.chain([&self.open]).flat_map(BTreeMap::keys);
        names.map(String::as_str).collect()
    }
}

/// A word as text: products number some of theirs.
#[must_use]
pub fn text(word: &Value) -> String {
    match word {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
