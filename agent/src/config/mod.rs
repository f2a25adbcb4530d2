//! The configuration file as types; reading and reporting faults is `load`, checking live things is `nightdesk check`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use mcp_clients::config::{ServerSpec, Span};
use mcp_clients::sources::SourceConfig;
use serde::Deserialize;
use state::model::{Budget, Tier, Time};

mod acting;
mod approvals;
mod baselines;
mod http;
mod load;
mod meaning;
mod metrics;
mod model;
mod notify;
mod outward;
mod places;
mod schedule;
mod slack;

pub use acting::{
    AssuranceConfig, AssuranceFloor, CanaryConfig, CloseMode, ClosingConfig, EffectsConfig,
    PrecedentsConfig, ProtectionConfig, matching,
};
pub use approvals::{ApprovalsConfig, GROUP, PersonConfig, SLACK};
pub use baselines::BaselinesConfig;
pub use http::{HttpConfig, TracesConfig};
pub use load::{ConfigFault, ConfigFaults, find, from_text, load, overrides};
pub use metrics::{MetricsConfig, MetricsFormat, ServiceLevel, Zone};
pub use model::{ModelConfig, Streaming, TokenField, WireConfig};
pub use notify::{BatchConfig, LadderConfig, MailConfig, NotifyConfig, PostKind, WebhookConfig};
pub use outward::unsayable;
pub use slack::{SlackConfig, SlackMode, is_id as is_slack_id};

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
    /// Who may answer what, and how people are told.
    pub people: PeopleConfig,
    /// Who and what is never closed over or acted on automatically.
    pub protection: ProtectionConfig,
    /// Folders that override the data carried in the binary.
    pub paths: PathsConfig,
}

/// The sections about people; each stands by itself in the file.
#[derive(Debug, Clone, Default)]
pub struct PeopleConfig {
    /// Who may answer what: `[approvals]`.
    pub approvals: ApprovalsConfig,
    /// How they are told: `[notify]`.
    pub notify: NotifyConfig,
    /// What the manager reads every week: `[metrics]`.
    pub metrics: MetricsConfig,
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
    /// Alerts within this time of a case may join it; also the time in which shared entities are counted.
    pub join_window: Span,
    /// Other settings that judge beside the live ones, without effect.
    pub shadow: Option<ShadowConfig>,
    /// Where metrics and health are asked for; absent: nowhere.
    pub http: Option<HttpConfig>,
    /// Where traces go; absent: none are made.
    pub traces: Option<TracesConfig>,
}

/// `[run.shadow]`: what is different there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShadowConfig {
    /// Who judges.
    pub analyst: Option<AnalystChoice>,
    /// Folder of playbooks instead of `[paths] playbooks`.
    pub playbooks: Option<PathBuf>,
    /// Folder of prompts instead of `[paths] prompts`.
    pub prompts: Option<PathBuf>,
}

impl RunConfig {
    /// The "now" of a case: an alert's own time and the look-ahead.
    #[must_use]
    pub fn as_of(&self, alert: Time) -> Time {
        let ahead = TimeDelta::from_std(self.look_ahead.0).unwrap_or_default();
        alert.checked_add_signed(ahead).unwrap_or(alert)
    }
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
            shadow: None,
            http: None,
            traces: None,
        }
    }
}

/// `[queries]`: named queries are asked of this tool, in this dialect.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueriesConfig {
    /// `server.tool` that takes the query.
    pub tool: String,
    /// Argument that carries it, where the server calls it otherwise than the dialect.
    pub argument: Option<String>,
    /// File in `playbooks/queries/` without its ending.
    pub dialect: String,
    /// Further arguments of the tool; they win over the dialect's.
    pub arguments: serde_json::Map<String, serde_json::Value>,
    /// Tables or indices by family of events; they replace the dialect's.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Answers that are kept: `[baselines]`, a section of its own in the file.
    #[serde(skip)]
    pub baselines: BaselinesConfig,
}

impl Default for QueriesConfig {
    fn default() -> Self {
        Self {
            tool: "siem.query_logs".to_owned(),
            argument: None,
            dialect: "lab-sql".to_owned(),
            arguments: serde_json::Map::new(),
            tables: BTreeMap::new(),
            baselines: BaselinesConfig::default(),
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
    /// Weights refitted from people's verdicts, `learned.yaml` beside the configuration file unless set.
    pub learned: Option<PathBuf>,
    /// Heads of the audit log kept outside of the store, beside it with the ending `.anchors` unless set.
    pub anchors: Option<PathBuf>,
    /// The configuration file itself; none when it was read from text.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl PathsConfig {
    /// The file of learned weights; there need not be one yet. None for a configuration that is no file and names none.
    #[must_use]
    pub fn learned_file(&self) -> Option<PathBuf> {
        let beside = || Some(self.file.as_ref()?.parent()?.join("learned.yaml"));
        self.learned.clone().or_else(beside)
    }
}
