//! The YAML form of a playbook's unit tests, unknown keys refused; running them is `run`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use state::model::{Outcome, Tier, VerdictKind};

/// `playbooks/tests/NAME.yaml`: the cases of the playbook `NAME`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// The cases, in the order they are told.
    pub(super) cases: Vec<Case>,
}

/// One alert, what the tools answer, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// What it is about, in a few words.
    pub(super) name: String,
    /// Alert mapping that reads the record.
    pub(super) mapping: String,
    /// The record as the product writes it.
    pub(super) alert: Value,
    /// What a step's question is answered with; a step that is not named finds nothing.
    #[serde(default)]
    pub(super) answers: BTreeMap<String, Given>,
    /// What must come of it.
    pub(super) expect: Expect,
}

/// How a question is answered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Given {
    /// Without rows.
    Word(Word),
    /// With rows.
    Rows(Rows),
}

/// An answer without rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// Nothing was found.
    Empty,
    /// The question could not be asked.
    Failed,
    /// This environment has no such system.
    NotHere,
}

/// An answer with rows.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rows {
    /// Rows as the tool gives them: raw events of a log query, records of an inventory.
    pub(super) rows: Vec<Value>,
    /// The alert's own first event again, as it would have been this many days before.
    pub(super) again_days_before: Vec<u16>,
    /// Whether the tool said that there is more than it gave.
    pub(super) more: bool,
}

/// What must come of a case; what is left out is not looked at.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    /// The verdict.
    pub(super) verdict: VerdictKind,
    /// Which playbook is chosen; the file's unless given.
    pub(super) playbook: Option<String>,
    /// How the case ends when closing is allowed to the daemon.
    pub(super) outcome: Option<Outcome>,
    /// Whether the close rule holds.
    pub(super) close_allowed: Option<bool>,
    /// Tier at which it is decided.
    pub(super) tier: Option<Tier>,
    /// Signals that must speak.
    #[serde(default)]
    pub(super) speak: Vec<String>,
    /// Signals that must not.
    #[serde(default)]
    pub(super) silent: Vec<String>,
    /// Techniques that must be claimed.
    #[serde(default)]
    pub(super) techniques: Vec<String>,
}
