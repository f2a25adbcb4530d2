//! One entry of the tool catalogue, and how a server's answers are read; whether a call may be made is the gate's.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use state::model::{Tier, ToolClass};

/// `[servers.NAME.tools.TOOL]` as written; a preset may fill in what is not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolConfig {
    /// What it can do; required here or in the preset.
    pub class: Option<ToolClass>,
    /// Tiers that may use it; reading tools all when not given, others none.
    pub tiers: Option<Vec<Tier>>,
    /// Whether it may be called; when not given, reading tools may and others may not.
    pub enabled: Option<bool>,
    /// Whether a call may have a live effect, if `[effects] live` says so too.
    pub live: Option<bool>,
    /// The operator's reviewed description, shown to models instead of the server's.
    pub description: Option<String>,
    /// Argument the daemon fills with the case's "now".
    pub as_of: Option<String>,
    /// Whether it only makes a person look: such writes need no approval.
    pub raise: Option<bool>,
    /// Argument that names the entity acted on.
    pub target: Option<String>,
    /// Trusted fields of the answer as dotted paths; `*` for the whole answer.
    pub trusted: Option<Vec<String>>,
    /// Dotted path of the array of rows in the answer.
    pub rows: Option<String>,
    /// Whether the rows are raw events.
    pub events: Option<bool>,
    /// Rate limit.
    pub max_calls_per_minute: Option<u32>,
}

/// An entry of the catalogue in force.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToolSpec {
    /// What it can do.
    pub class: ToolClass,
    /// Tiers that may use it.
    pub tiers: Vec<Tier>,
    /// Whether it may be called.
    pub enabled: bool,
    /// Whether a call may have a live effect, if `[effects] live` says so too.
    pub live: bool,
    /// The operator's reviewed description.
    pub description: Option<String>,
    /// Argument the daemon fills with the case's "now".
    pub as_of: Option<String>,
    /// Whether it only makes a person look.
    pub raise: bool,
    /// Argument that names the entity acted on.
    pub target: Option<String>,
    /// Trusted fields of the answer; `*` for the whole answer.
    pub trusted: Vec<String>,
    /// Dotted path of the array of rows in the answer; `results` unless set.
    pub rows: String,
    /// Whether the rows are raw events.
    pub events: bool,
    /// Rate limit.
    pub max_calls_per_minute: Option<u32>,
}

impl ToolConfig {
    /// Fills in what is not given from `under`.
    #[must_use]
    pub(crate) fn over(self, under: Self) -> Self {
        Self {
            class: self.class.or(under.class),
            tiers: self.tiers.or(under.tiers),
            enabled: self.enabled.or(under.enabled),
            live: self.live.or(under.live),
            description: self.description.or(under.description),
            as_of: self.as_of.or(under.as_of),
            raise: self.raise.or(under.raise),
            target: self.target.or(under.target),
            trusted: self.trusted.or(under.trusted),
            rows: self.rows.or(under.rows),
            events: self.events.or(under.events),
            max_calls_per_minute: self.max_calls_per_minute.or(under.max_calls_per_minute),
        }
    }

    /// The entry in force; without a class there is none.
    pub(crate) fn spec(self) -> Option<ToolSpec> {
        let class = self.class?;
        let reads = class.is_read_only();
        let tiers = if reads {
            Tier::ALL.to_vec()
        } else {
            Vec::new()
        };
        Some(ToolSpec {
            class,
            tiers: self.tiers.unwrap_or(tiers),
            enabled: self.enabled.unwrap_or(reads),
            live: self.live.unwrap_or(false),
            description: self.description,
            as_of: self.as_of,
            raise: self.raise.unwrap_or(false),
            target: self.target,
            trusted: self.trusted.unwrap_or_default(),
            rows: self.rows.unwrap_or_else(|| "results".to_owned()),
            events: self.events.unwrap_or(false),
            max_calls_per_minute: self.max_calls_per_minute,
        })
    }
}

/// `[reply]`: how a server says, without MCP's `isError`, that its backend failed.
///
/// With no rules at all, answers that look like a failure are unknown and all others are answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplyRules {
    /// If any are given, one must match, or the answer is unknown.
    pub ok_when: Vec<ReplyRule>,
    /// The first that matches makes the answer a backend error; read before `ok_when`.
    pub error_when: Vec<ReplyRule>,
    /// What an answer with no content at all means; unknown when not given.
    pub empty: Option<EmptyMeans>,
}

/// What an answer with no content at all means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyMeans {
    /// The backend found nothing.
    Answer,
    /// It can't be told.
    Unknown,
}

/// One condition on an answer: `path` (there and not null; or `equals`; or `non_empty`), or `text_prefix`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplyRule {
    /// Dotted path into the value.
    pub path: Option<String>,
    /// What must stand there.
    pub equals: Option<Value>,
    /// Whether a list, object or text stands there that is not empty.
    pub non_empty: bool,
    /// How the text begins, without regard to ASCII case.
    pub text_prefix: Option<String>,
    /// Dotted path of the server's words about it.
    pub message: Option<String>,
}

impl ReplyRules {
    /// Whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ok_when.is_empty() && self.error_when.is_empty()
    }

    /// Fills in what is not given from `under`, list by list.
    #[must_use]
    pub(crate) fn over(self, under: Self) -> Self {
        let or = |own: Vec<ReplyRule>, under| if own.is_empty() { under } else { own };
        Self {
            ok_when: or(self.ok_when, under.ok_when),
            error_when: or(self.error_when, under.error_when),
            empty: self.empty.or(under.empty),
        }
    }
}
