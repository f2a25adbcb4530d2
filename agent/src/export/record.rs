//! An audit entry as a reader asks for it: who wanted what, what was decided by which rule, how it ended; the words stay those of the entry.

use std::borrow::Cow;

use serde_json::Value;
use state::store::AuditEntry;

/// How much an entry matters to a person who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Daily work.
    Routine,
    /// Something was decided or done that people may want to see.
    Notable,
    /// Something failed.
    Failed,
    /// Something was refused.
    Refused,
    /// The daemon's own ground has moved.
    Grave,
}

/// Keys that have a place of their own; the others are the [`Record::rest`].
const KNOWN: [&str; 15] = [
    "kind",
    "case",
    "tier",
    "asked_by",
    "by",
    "tool",
    "class",
    "target",
    "arguments",
    "decision",
    "rule",
    "why",
    "answer",
    "outcome",
    "millis",
];
/// Words of a decision that is a no.
const NO: [&str; 6] = ["deny", "denied", "refused", "rejected", "blocked", "veto"];
/// Ends of a call or effect that are as hoped.
const WELL: [&str; 4] = ["ok", "done", "closed", "confirmed"];

/// Kinds of entries that daily work leaves.
const ROUTINE: [&str; 5] = [
    "tool_call",
    "tool_result",
    "poll",
    "baseline",
    "baseline_asked",
];

/// A view of one entry.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The entry.
    pub entry: &'a AuditEntry,
}

impl<'a> Record<'a> {
    /// Looks at an entry.
    #[must_use]
    pub fn new(entry: &'a AuditEntry) -> Self {
        Self { entry }
    }

    /// The text under a key; values that are no text as JSON.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        as_text(self.entry.entry.get(key)?)
    }

    /// What kind of entry it is, such as `tool_call`.
    #[must_use]
    pub fn kind(&self) -> &'a str {
        let kind = self.entry.entry.get("kind").and_then(Value::as_str);
        kind.unwrap_or("entry")
    }

    /// The person, step or model turn that asked; else the daemon itself.
    #[must_use]
    pub fn who(&self) -> Cow<'a, str> {
        let asked = self.text("by").or_else(|| self.text("asked_by"));
        asked.unwrap_or(Cow::Borrowed("nightdesk"))
    }

    /// The decision's word, such as `allow`, `deny`, `dry_run`, or a person's answer.
    #[must_use]
    pub fn decision(&self) -> Option<Cow<'a, str>> {
        self.of_decision("decision").or_else(|| self.text("answer"))
    }

    /// The rule that decided.
    #[must_use]
    pub fn rule(&self) -> Option<Cow<'a, str>> {
        self.of_decision("rule")
    }

    /// Why it was decided so.
    #[must_use]
    pub fn why(&self) -> Option<Cow<'a, str>> {
        self.of_decision("why")
    }

    /// A part of the decision, which is one object in some entries and spread over the entry in others.
    fn of_decision(&self, key: &str) -> Option<Cow<'a, str>> {
        match self.entry.entry.get("decision") {
            Some(Value::Object(parts)) => parts
                .get(key)
                .and_then(as_text)
                .or_else(|| (key != "decision").then(|| self.text(key)).flatten()),
            _ => self.text(key),
        }
    }

    /// What has no place of its own.
    pub fn rest(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let parts = self.entry.entry.as_object().into_iter().flatten();
        parts
            .filter(|(key, _)| !KNOWN.contains(&key.as_str()))
            .filter_map(|(key, value)| Some((key.as_str(), as_text(value)?)))
    }

    /// Whether the decision was a no.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.decision().is_some_and(|d| NO.contains(&d.as_ref()))
    }

    /// How much it matters.
    #[must_use]
    pub fn grade(&self) -> Grade {
        let outcome = self.text("outcome");
        if self.kind() == "integrity" {
            Grade::Grave
        } else if self.is_refused() {
            Grade::Refused
        } else if outcome.is_some_and(|o| !WELL.contains(&o.as_ref())) {
            Grade::Failed
        } else if ROUTINE.contains(&self.kind()) {
            Grade::Routine
        } else {
            Grade::Notable
        }
    }
}

fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Null => None,
        Value::String(s) if s.is_empty() => None,
        Value::String(s) => Some(Cow::Borrowed(s)),
        other => Some(Cow::Owned(other.to_string())),
    }
}
