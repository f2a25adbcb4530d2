//! The YAML form of a playbook, unknown keys refused; checking that it makes sense is `check`.

use std::collections::BTreeMap;

use mcp_clients::config::Span;
use serde::Deserialize;
use serde_json::Value;
use state::model::{Impact, Tier, VerdictKind, VerdictReason};

use super::Condition;

/// One alert family and how it is investigated.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playbook {
    /// Equal to the file name without its ending.
    pub id: String,
    /// What people call the family.
    pub title: String,
    /// Among the playbooks that match, the highest wins.
    #[serde(default)]
    pub priority: i64,
    /// CEL over `trusted`: which alerts it is for.
    pub select: Condition,
    /// Names of files in `playbooks/shared/` whose steps and signals are put before this one's.
    #[serde(default, rename = "use")]
    pub uses: Vec<String>,
    /// Scoring: the log-odds of malicious before any evidence, and the thresholds.
    pub scoring: Scoring,
    /// The investigation.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What speaks for and against.
    #[serde(default)]
    pub signals: Vec<Signal>,
    /// ATT&CK techniques that the family is about; claimed only when the verdict is not benign.
    #[serde(default)]
    pub techniques: Vec<String>,
    /// What it may propose when it looks real.
    #[serde(default)]
    pub responses: Vec<Response>,
    /// For the model: what an experienced analyst looks at.
    #[serde(default)]
    pub guidance: String,
    /// What a person does when the daemon can't.
    pub fallback: String,
}

/// Prior and thresholds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scoring {
    /// Log-odds of malicious before any evidence.
    pub prior: f64,
    /// When it may close; absent: never.
    pub close: Option<CloseRule>,
    /// When it calls it real.
    pub escalate: EscalateRule,
}

/// When an alert of the family may be closed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseRule {
    /// Highest probability of malicious, 0 to 1.
    pub at_most: f64,
    /// CEL over `trusted` that must hold besides.
    pub when: Option<Condition>,
    /// Steps whose complete answer closing needs.
    #[serde(default)]
    pub requires: Vec<String>,
    /// What it is then called.
    pub verdict: VerdictKind,
    /// And why.
    pub reason: VerdictReason,
}

/// When an alert of the family is called real.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EscalateRule {
    /// Lowest probability of malicious, 0 to 1.
    pub at_least: f64,
    /// Why.
    pub reason: VerdictReason,
    /// What the activity then achieved; CEL is not needed: `attempted` unless a signal says `confirmed`.
    #[serde(default = "attempted")]
    pub impact: Impact,
}

fn attempted() -> Impact {
    Impact::Attempted
}

/// One question to one tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Name inside the playbook.
    pub id: String,
    /// Tier at which it is asked.
    pub tier: Tier,
    /// What is asked.
    #[serde(flatten)]
    pub target: StepTarget,
    /// Arguments or query slots; a text that begins with `$` is a slot of the alert.
    #[serde(default)]
    pub args: BTreeMap<String, Value>,
    /// Steps that must have ended before.
    #[serde(default)]
    pub needs: Vec<String>,
    /// CEL over `any`; when it does not hold the step is left out.
    pub when: Option<Condition>,
    /// How old a kept answer may be that stands in the place of asking; absent: it is always asked.
    pub baseline: Option<Span>,
    /// Whether the rows belong to the reconstructed timeline.
    #[serde(default)]
    pub timeline: bool,
    /// Whether a row with a malicious verdict vetoes closing.
    #[serde(default)]
    pub intel: bool,
    /// One line for people: the question.
    pub asks: String,
}

/// Either a tool by name or a named query.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepTarget {
    /// `server.tool`.
    Tool(String),
    /// Name in the query dialect.
    Query(String),
}

/// Which way a signal speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lean {
    /// Speaks for harmless: may read trusted and endorsed fields only.
    Benign,
    /// Speaks for malicious: may read anything.
    Malicious,
}

/// Something that speaks for or against.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// Name inside the playbook.
    pub id: String,
    /// Which way it speaks.
    pub lean: Lean,
    /// Log-odds it adds, always positive; the lean gives the sign.
    pub weight: f64,
    /// CEL condition.
    pub when: Condition,
    /// The sentence in the verdict's rationale; `{{ … }}` reads the `any` view.
    pub says: String,
    /// Steps whose evidence it rests on; the alert itself when empty.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Techniques it shows when it speaks.
    #[serde(default)]
    pub techniques: Vec<String>,
    /// Whether it vetoes closing when it speaks.
    #[serde(default)]
    pub veto: bool,
    /// What it shows of the impact when it speaks.
    pub impact: Option<Impact>,
    /// Where it is written: the id of its playbook, or `shared/NAME`.
    #[serde(skip)]
    pub home: String,
}

impl Signal {
    /// The signed log-odds.
    #[must_use]
    pub fn log_odds(&self) -> f64 {
        match self.lean {
            Lean::Benign => -self.weight,
            Lean::Malicious => self.weight,
        }
    }
}

/// A countermeasure that may be proposed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// Imperative sentence; `{{ … }}` reads the `any` view.
    pub does: String,
    /// D3FEND id, for instance `D3-AL`.
    pub d3fend: String,
    /// `server.tool` that would do it, when one is catalogued.
    pub tool: Option<String>,
    /// Its arguments, with slots.
    #[serde(default)]
    pub args: BTreeMap<String, Value>,
    /// Slot that names the entity it would touch.
    pub target: Option<String>,
}

/// Steps and signals that several playbooks share.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shared {
    /// What the group finds out.
    #[serde(rename = "title")]
    pub _title: String,
    /// Steps.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Signals.
    #[serde(default)]
    pub signals: Vec<Signal>,
}
