//! The configuration file as types; reading and reporting faults is `load`, checking live things is `nightdesk check`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use mcp_clients::config::{ServerSpec, Span};
use mcp_clients::sources::SourceConfig;
use serde::{Deserialize, Serialize};
use state::model::{Budget, Tier};

mod load;
mod model;
mod places;

pub use load::{ConfigFault, ConfigFaults, find, from_text, load, overrides};
pub use model::{ModelConfig, Streaming, TokenField, WireConfig};

/// `nightdesk.toml`.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where cases are kept.
    pub store: StoreConfig,
    /// How the daemon runs.
    pub run: RunConfig,
    /// Where alerts come from.
    pub sources: Vec<SourceConfig>,
    /// MCP servers and their tool catalogue, presets merged in.
    pub servers: BTreeMap<String, ServerSpec>,
    /// Which server answers log queries and in which dialect.
    pub queries: QueriesConfig,
    /// Model endpoint; absent: playbook analyst only.
    pub model: Option<ModelConfig>,
    /// Analyst, model and budget of each tier.
    pub tiers: TiersConfig,
    /// When an alert may be closed without a person.
    pub closing: ClosingConfig,
    /// Whether outside effects may happen.
    pub effects: EffectsConfig,
    /// Who may answer what.
    pub approvals: ApprovalsConfig,
    /// Who and what is never closed over or acted on automatically.
    pub protection: ProtectionConfig,
    /// Folders that override the data carried in the binary.
    pub paths: PathsConfig,
}

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// `sqlite:PATH`.
    pub url: String,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            url: "sqlite:nightdesk.db".to_owned(),
        }
    }
}

/// `[run]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Cases worked at once.
    pub workers: usize,
    /// How long a worker may go without a sign of life before its case returns to the queue.
    pub lease: Span,
    /// How far past the alert's own time queries may look.
    pub look_ahead: Span,
    /// How long a clean stop waits for cases in work.
    pub drain: Span,
    /// After this many begun and unfinished attempts a case goes to a person.
    pub max_attempts: i64,
    /// Alerts of one principal within this time, joined by rule or incident, are one case.
    pub join_window: Span,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            workers: 4,
            lease: Span(Duration::from_secs(120)),
            look_ahead: Span(Duration::from_secs(15 * 60)),
            drain: Span(Duration::from_secs(30)),
            max_attempts: 3,
            join_window: Span(Duration::from_secs(24 * 3600)),
        }
    }
}

/// `[queries]`: named queries are asked of this tool, in this dialect.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueriesConfig {
    /// `server.tool` that takes the query.
    pub tool: String,
    /// Argument that carries it.
    pub argument: String,
    /// File in `playbooks/queries/` without its ending.
    pub dialect: String,
}

impl Default for QueriesConfig {
    fn default() -> Self {
        Self {
            tool: "siem.query_logs".to_owned(),
            argument: "sql".to_owned(),
            dialect: "lab-sql".to_owned(),
        }
    }
}

/// Who judges at a tier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnalystChoice {
    /// Deterministic signals alone.
    #[default]
    Playbook,
    /// The model beside the playbook analyst.
    Model,
}

/// `[tiers.N]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TierConfig {
    /// Who judges.
    pub analyst: AnalystChoice,
    /// Model name, when it differs from `[model]`.
    pub model: Option<String>,
    /// Prompt name, when it differs from `tierN`.
    pub prompt: Option<String>,
    /// What a case may spend here.
    pub budget: Budget,
}

/// `[tiers]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TiersConfig {
    /// Triage.
    #[serde(rename = "1")]
    pub one: TierConfig,
    /// Investigation.
    #[serde(rename = "2")]
    pub two: TierConfig,
    /// Forensics.
    #[serde(rename = "3")]
    pub three: TierConfig,
}

impl TiersConfig {
    /// Settings of one tier.
    #[must_use]
    pub fn of(&self, tier: Tier) -> &TierConfig {
        match tier {
            Tier::One => &self.one,
            Tier::Two => &self.two,
            Tier::Three => &self.three,
        }
    }

    /// Lets one analyst judge at every tier.
    pub fn set_analyst(&mut self, analyst: AnalystChoice) {
        for tier in [&mut self.one, &mut self.two, &mut self.three] {
            tier.analyst = analyst;
        }
    }
}

/// What may happen to a case that the predicate allows to close, the narrowest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CloseMode {
    /// Always hand it to a person.
    Never,
    /// Ask a person to confirm.
    #[default]
    Propose,
    /// Close it.
    Auto,
}

/// `[closing]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClosingConfig {
    /// What may happen.
    pub mode: CloseMode,
    /// Closes without a person per hour, 50 unless set; beyond it cases go to a person.
    pub cap_per_hour: Option<i64>,
    /// Share of closes that go to a person all the same, 5 unless set.
    pub review_sample_percent: Option<f64>,
    /// How long a proposal waits; after that it counts as denied.
    pub proposal_expires: Span,
    /// While this file is there, nothing is closed and no effect happens; its first line is the reason.
    pub pause_file: PathBuf,
    /// The known bad alert that must be escalated, or closing is switched off.
    pub canary: CanaryConfig,
}

impl Default for ClosingConfig {
    fn default() -> Self {
        Self {
            mode: CloseMode::Propose,
            cap_per_hour: None,
            review_sample_percent: None,
            proposal_expires: Span(Duration::from_secs(24 * 3600)),
            pause_file: PathBuf::from("nightdesk.pause"),
            canary: CanaryConfig::default(),
        }
    }
}

/// `[closing.canary]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanaryConfig {
    /// Whether the running daemon sends canaries; `run --once`, `demo` and `eval` never do.
    pub enabled: bool,
    /// How often.
    pub every: Span,
    /// How long one may take to be escalated.
    pub grace: Span,
}

impl Default for CanaryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            every: Span(Duration::from_secs(3600)),
            grace: Span(Duration::from_secs(15 * 60)),
        }
    }
}

impl ClosingConfig {
    /// Closes without a person per hour.
    #[must_use]
    pub fn cap(&self) -> i64 {
        self.cap_per_hour.unwrap_or(50)
    }

    /// Share of closes that go to a person, percent.
    #[must_use]
    pub fn sample(&self) -> f64 {
        self.review_sample_percent.unwrap_or(5.0)
    }
}

/// `[effects]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EffectsConfig {
    /// Dry run unless this and the tool's own flag say otherwise.
    pub live: bool,
    /// Destructive actions per hour; beyond it they are refused.
    pub destructive_per_hour: i64,
}

impl Default for EffectsConfig {
    fn default() -> Self {
        Self {
            live: false,
            destructive_per_hour: 5,
        }
    }
}

/// `[approvals]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalsConfig {
    /// Who may approve live effects; nobody when empty.
    pub approvers: Vec<String>,
    /// Who may answer proposed closes; whoever can run the command when empty.
    pub closers: Vec<String>,
    /// How long a proposed effect waits; after that it counts as denied.
    pub expires: Span,
}

impl ApprovalsConfig {
    /// How long a proposed effect waits.
    #[must_use]
    pub fn expire_after(&self) -> TimeDelta {
        TimeDelta::from_std(self.expires.0).unwrap_or_else(|_| TimeDelta::hours(1))
    }

    /// Whether somebody may approve a live effect.
    ///
    /// # Errors
    /// Why not, naming the setting.
    pub fn may_approve(&self, by: &str) -> Result<(), String> {
        if is_ours(by) {
            return Err("who asks never approves".to_owned());
        }
        match self.approvers.iter().any(|a| a == by) {
            true => Ok(()),
            false => Err(format!("`{by}` is not one of [approvals] approvers")),
        }
    }

    /// Whether somebody may answer a proposed close.
    ///
    /// # Errors
    /// Why not, naming the setting.
    pub fn may_close(&self, by: &str) -> Result<(), String> {
        if is_ours(by) {
            return Err("who asks never approves".to_owned());
        }
        match self.closers.is_empty() || self.closers.iter().any(|a| a == by) {
            true => Ok(()),
            false => Err(format!("`{by}` is not one of [approvals] closers")),
        }
    }
}

/// Whether a name is the daemon's own, or nobody's.
fn is_ours(by: &str) -> bool {
    let name = by.trim();
    name.is_empty() || name.eq_ignore_ascii_case("nightdesk")
}

impl Default for ApprovalsConfig {
    fn default() -> Self {
        Self {
            approvers: Vec::new(),
            closers: Vec::new(),
            expires: Span(Duration::from_secs(4 * 3600)),
        }
    }
}

/// `[protection]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectionConfig {
    /// Entities (users, hosts) whose alerts are never closed without a person; `*` stands for any text.
    pub entities: Vec<String>,
}

impl ProtectionConfig {
    /// The pattern that protects `value`, if one does. Letter case does not count.
    #[must_use]
    pub fn covers(&self, value: &str) -> Option<&str> {
        matching(&self.entities, value)
    }
}

/// The first pattern that matches a value; `*` stands for any text, letter case does not count.
#[must_use]
pub fn matching<'p>(patterns: &'p [String], value: &str) -> Option<&'p str> {
    let value = value.trim().to_lowercase();
    patterns
        .iter()
        .map(String::as_str)
        .find(|pattern| matches_glob(&pattern.to_lowercase(), &value))
}

/// Whether `text` matches `pattern`, in which `*` stands for any text.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// `[paths]`: folders whose files override those in the binary by name, and files kept beside the store.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PathsConfig {
    /// Overrides `playbooks/`.
    pub playbooks: Option<PathBuf>,
    /// Overrides `prompts/`.
    pub prompts: Option<PathBuf>,
    /// Overrides `agent/policy/`.
    pub policy: Option<PathBuf>,
    /// Overrides `agent/scanner/`.
    pub scanner: Option<PathBuf>,
    /// Overrides `mcp-clients/mappings/`.
    pub mappings: Option<PathBuf>,
    /// Overrides `mcp-clients/presets/`.
    pub presets: Option<PathBuf>,
    /// The pins of reviewed tool definitions, `nightdesk.lock` unless set.
    pub lock: Option<PathBuf>,
    /// The reviewed state of all of these, `nightdesk.manifest` beside the configuration file unless set.
    pub manifest: Option<PathBuf>,
    /// Heads of the audit log kept outside of the store, beside it with the ending `.anchors` unless set.
    pub anchors: Option<PathBuf>,
    /// The configuration file itself; none when it was read from text.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn globs_anchor_at_both_ends() {
        for (pattern, text, yes) in [
            ("*", "anything", true),
            ("dc*", "dc01", true),
            ("dc*", "adc01", false),
            ("*-prod", "db-prod", true),
            ("*-prod", "db-prod-2", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("root", "root", true),
            ("root", "rootx", false),
        ] {
            assert_eq!(matches_glob(pattern, text), yes, "{pattern} {text}");
        }
    }
}
