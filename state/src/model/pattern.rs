//! How the alerts of one rule are usually judged, and findings where that has changed; the comparison is the daemon's.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Alert, Time, VerdictKind};

words! {
    /// What is compared with its own past.
    pub enum Measure {
        /// Share of alerts that trusted facts and all analysts would close.
        CloseRate = "close_rate",
        /// How the alerts are spread over the verdicts.
        VerdictMix = "verdict_mix",
        /// Share of alerts over which model and playbook analyst disagree.
        Disagreement = "disagreement",
        /// Share of alerts with unusually few or many tool calls.
        ToolCalls = "tool_calls",
        /// Tools that were never called before.
        NewTool = "new_tool",
    }
}

words! {
    /// Whether somebody has looked at a finding.
    pub enum FindingState {
        /// It stands.
        Open = "open",
        /// A person has said that the new pattern is right.
        Accepted = "accepted",
    }
}

/// Whose pattern: the alerts of one rule from one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleAt {
    /// Configured name of the source.
    pub source: String,
    /// Id of the rule.
    pub rule: String,
}

impl RuleAt {
    /// The rule that made an alert.
    #[must_use]
    pub fn of(alert: &Alert) -> Self {
        Self {
            source: alert.source.clone(),
            rule: alert.rule.id.clone(),
        }
    }
}

/// How the alerts of one rule were judged by the daemon in a span of time, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Alerts judged.
    pub judged: u64,
    /// Those that trusted facts and all analysts would close, whatever mode, cap and switches say.
    pub closable: u64,
    /// Alerts by verdict.
    pub verdicts: BTreeMap<VerdictKind, u64>,
    /// Alerts on which both analysts spoke at the same tier.
    pub compared: u64,
    /// Those of them where one said harmless and the other did not.
    pub disagreed: u64,
    /// How many alerts had a case with so many tool calls.
    pub calls: BTreeMap<u64, u64>,
    /// Tools that were called.
    pub tools: BTreeSet<String>,
}

impl Pattern {
    /// Alerts judged harmless.
    #[must_use]
    pub fn benign(&self) -> u64 {
        let benign = self.verdicts.iter().filter(|(kind, _)| kind.is_benign());
        benign.map(|(_, n)| n).sum()
    }
}

/// A measure before and now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How many alerts it is over.
    pub n: u64,
    /// Its value, a share from 0 to 1; for new tools how many there are.
    pub value: f64,
}

/// A measure that left its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// Whose.
    #[serde(flatten)]
    pub of: RuleAt,
    /// Which measure.
    pub measure: Measure,
    /// As it was.
    pub baseline: Sample,
    /// As it is.
    pub recent: Sample,
    /// Where the recent window began.
    pub recent_since: Time,
    /// Whether closes of the rule need a person while the finding is open: more is closed than before.
    pub holds_closing: bool,
    /// One sentence for people; tool names may stand in it.
    pub what: String,
}

/// A deviation in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Row id.
    pub id: i64,
    /// When it was found.
    pub at: Time,
    /// What was found.
    #[serde(flatten)]
    pub deviation: Deviation,
    /// Whether somebody has looked.
    pub state: FindingState,
    /// Who accepted it.
    pub accepted_by: Option<String>,
    /// When.
    pub accepted_at: Option<Time>,
}
