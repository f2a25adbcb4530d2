//! One entry of the tool catalogue, and how a server's answers are read; whether a call may be made is the gate's.

use std::collections::BTreeMap;

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
    /// The operator's reviewed description, shown to models instead of the pinned one.
    pub description: Option<String>,
    /// Argument the daemon fills with the case's "now".
    pub as_of: Option<String>,
    /// Trusted fields of the answer as dotted paths; `*` for the whole answer.
    pub trusted: Option<TrustedFields>,
    /// Dotted path of the array of rows in the answer.
    pub rows: Option<String>,
    /// Whether the rows are raw events.
    pub events: Option<bool>,
    /// Whether the answer may hold secrets: after it the case asks nothing outside the house.
    pub secrets: Option<bool>,
    /// Rate limit.
    pub max_calls_per_minute: Option<u32>,
    /// Narrower rules for arguments than the server's own schema: by argument, a JSON Schema.
    pub args: Option<BTreeMap<String, Value>>,
    /// What a call that is not a reading one may do.
    pub effect: Option<EffectRules>,
}

/// Trusted fields, and what they prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TrustedFields {
    /// Dotted paths of fields that a machine asserts.
    Asserted(Vec<String>),
    /// The same in an answer that lists what is ours.
    Listed(ListedFields),
}

/// Trusted fields of an answer that lists what is ours: what stands there is known to exist.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedFields {
    /// Dotted paths; `*` for the whole answer.
    pub inventory: Vec<String>,
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
    /// The operator's reviewed description.
    pub description: Option<String>,
    /// Argument the daemon fills with the case's "now".
    pub as_of: Option<String>,
    /// How its answers are read.
    pub answer: AnswerRules,
    /// Rate limit.
    pub max_calls_per_minute: Option<u32>,
    /// Narrower rules for arguments: by argument, a JSON Schema.
    pub args: BTreeMap<String, Value>,
    /// What a call may do.
    pub effect: EffectRules,
}

/// How the answers of a tool are read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerRules {
    /// Trusted fields; `*` for the whole answer.
    pub trusted: Vec<String>,
    /// Dotted path of the array of rows; `results` unless set.
    pub rows: String,
    /// Whether the rows are raw events.
    pub events: bool,
    /// Whether they list what is ours: its trusted fields then prove that a name exists, not who used it.
    pub inventory: bool,
    /// Whether they may hold secrets.
    pub secrets: bool,
}

/// `[servers.NAME.tools.TOOL.effect]`: what a call that changes something may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EffectRules {
    /// Whether a call may have a live effect, if `[effects] live` says so too.
    pub live: bool,
    /// Whether it only makes a person look, as a new ticket does: it has no target.
    pub raise: bool,
    /// Whether it only speaks of alerts at their source (`[sources.write_back]`): it has no target.
    pub says: bool,
    /// Argument that names the entity acted on.
    pub target: Option<String>,
    /// Entities that may be acted on; `*` stands for any text. Empty: none.
    pub allow: Vec<String>,
    /// Argument that takes the daemon's own name of the effect, so that a repetition is one.
    pub marker: Option<String>,
    /// How to see afterwards whether it took.
    pub read_back: Option<ReadBack>,
    /// How to ask the tool what it would do: it is asked before a person is.
    pub dry_run: Option<DryRun>,
    /// Whether its server takes a client that can't be asked for one that consents: then it is never called live.
    pub needs_elicitation: Option<bool>,
    /// For offensive tools: which techniques may be run.
    pub techniques: Option<TechniqueRule>,
}

/// The argument that makes a call one that only says what it would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    /// Name.
    pub argument: String,
    /// Value; `true` when not given.
    #[serde(default = "yes")]
    pub value: Value,
}

fn yes() -> Value {
    Value::Bool(true)
}

/// A reading call that shows whether an effect took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBack {
    /// `server.tool`, a reading one of the catalogue.
    pub tool: String,
    /// Its arguments; `{{marker}}`, `{{target}}` and `{{args.NAME}}` as whole values stand for those of the effect.
    #[serde(default)]
    pub arguments: BTreeMap<String, Value>,
    /// Dotted path into the answer.
    pub path: String,
    /// What must stand there; when not given, anything but null.
    #[serde(default)]
    pub equals: Option<Value>,
}

/// Which ATT&CK techniques an offensive tool may run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TechniqueRule {
    /// Argument that names the technique.
    pub argument: String,
    /// Technique ids that are allowed.
    pub allow: Vec<String>,
}

impl ToolConfig {
    /// Fills in what is not given from `under`.
    #[must_use]
    pub(crate) fn over(self, under: Self) -> Self {
        Self {
            class: self.class.or(under.class),
            tiers: self.tiers.or(under.tiers),
            enabled: self.enabled.or(under.enabled),
            description: self.description.or(under.description),
            as_of: self.as_of.or(under.as_of),
            trusted: self.trusted.or(under.trusted),
            rows: self.rows.or(under.rows),
            events: self.events.or(under.events),
            secrets: self.secrets.or(under.secrets),
            max_calls_per_minute: self.max_calls_per_minute.or(under.max_calls_per_minute),
            args: self.args.or(under.args),
            effect: match (self.effect, under.effect) {
                (Some(own), Some(under)) => Some(own.over(under)),
                (own, under) => own.or(under),
            },
        }
    }

    /// The entry in force; without a class there is none.
    pub(crate) fn spec(self) -> Option<ToolSpec> {
        let class = self.class?;
        let (trusted, inventory) = match self.trusted {
            None => (Vec::new(), false),
            Some(TrustedFields::Asserted(fields)) => (fields, false),
            Some(TrustedFields::Listed(listed)) => (listed.inventory, true),
        };
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
            description: self.description,
            as_of: self.as_of,
            answer: AnswerRules {
                trusted,
                rows: self.rows.unwrap_or_else(|| "results".to_owned()),
                events: self.events.unwrap_or(false),
                inventory,
                secrets: self.secrets.unwrap_or(false),
            },
            max_calls_per_minute: self.max_calls_per_minute,
            args: self.args.unwrap_or_default(),
            effect: self.effect.unwrap_or_default(),
        })
    }
}

impl EffectRules {
    /// What a preset knows of the tool stays; `live` and `allow` are the operator's alone.
    fn over(self, under: Self) -> Self {
        Self {
            live: self.live,
            raise: self.raise || under.raise,
            says: self.says || under.says,
            target: self.target.or(under.target),
            allow: self.allow,
            marker: self.marker.or(under.marker),
            read_back: self.read_back.or(under.read_back),
            dry_run: self.dry_run.or(under.dry_run),
            needs_elicitation: self.needs_elicitation.or(under.needs_elicitation),
            techniques: self.techniques.or(under.techniques),
        }
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
