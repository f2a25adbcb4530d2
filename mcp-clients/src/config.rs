//! What an operator writes under `[servers.NAME]` and what it comes to; starting servers is `supervise`'s.

mod merge;
mod response;
mod secret;
mod span;
mod tickets;
mod tool;
mod write_back;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use response::{ResponseTool, Responses};
pub use secret::{SecretError, SecretRef, Setting};
pub use span::{NotASpan, Span};
pub use tickets::Tickets;
pub use tool::{
    AnswerRules, DryRun, EffectRules, EmptyMeans, ListedFields, ReadBack, ReplyRule, ReplyRules,
    TechniqueRule, ToolConfig, ToolSpec, TrustedFields,
};
pub use write_back::{Read, Said, Slots, WriteBack, WriteBackMode, fill, slots_in};

/// `[servers.NAME]` as written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Program to start; it speaks MCP on its standard streams.
    pub command: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment besides `PATH`, `HOME` and `LANG`, which are passed on.
    pub env: BTreeMap<String, Setting>,
    /// Names of variables of our own environment to pass on.
    pub env_from: Vec<String>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
    /// Streamable HTTP endpoint, instead of `command`.
    pub url: Option<String>,
    /// Bearer token for `url`.
    pub bearer: Option<SecretRef>,
    /// Further request headers for `url`.
    pub headers: BTreeMap<String, Setting>,
    /// Name of a preset that fills in `limits`, `tools` and `reply` where this table is silent.
    pub preset: Option<String>,
    /// Times and counts.
    pub limits: LimitsConfig,
    /// The catalogue: a tool without an entry can't be called.
    pub tools: BTreeMap<String, ToolConfig>,
    /// How this server says that its backend failed.
    pub reply: ReplyRules,
}

/// `[servers.NAME.limits]` as written; what is not given has a default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// From start to the end of the handshake.
    pub start_timeout: Option<Span>,
    /// All pages of `tools/list`.
    pub list_timeout: Option<Span>,
    /// One call, waiting for a free place included.
    pub call_timeout: Option<Span>,
    /// Calls at the same time.
    pub max_in_flight: Option<usize>,
    /// How old a `tools/list` may be that a reading call is checked against; by default it is asked before every call.
    pub recheck: Option<Span>,
    /// Calls a minute of all its tools together.
    pub max_calls_per_minute: Option<u32>,
}

/// Times and counts in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From start to the end of the handshake. Real servers take up to 22 s.
    pub start: Duration,
    /// All pages of `tools/list`.
    pub list: Duration,
    /// One call, waiting for a free place included.
    pub call: Duration,
    /// Calls at the same time, at least 1.
    pub in_flight: usize,
    /// How old a `tools/list` may be that a reading call is checked against.
    pub recheck: Duration,
    /// Calls a minute of all its tools together, when that is limited.
    pub calls_per_minute: Option<u32>,
}

/// A server ready to be started: configuration with its preset merged in and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerSpec {
    /// How to reach it.
    pub transport: TransportSpec,
    /// Times and counts.
    pub limits: Limits,
    /// The catalogue.
    pub tools: BTreeMap<String, ToolSpec>,
    /// How it says that its backend failed.
    pub reply: ReplyRules,
    /// How alerts of it are answered, as its preset has it.
    pub write_back: WriteBack,
    /// Which countermeasures its tools do, as its preset has it.
    pub responses: Responses,
    /// How it keeps the tickets of cases, as its preset has it.
    pub tickets: Tickets,
}

/// How to reach a server.
#[derive(Debug, Clone, PartialEq)]
pub enum TransportSpec {
    /// A child process.
    Process(ProcessSpec),
    /// Streamable HTTP.
    Http(HttpSpec),
}

/// A child process to start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProcessSpec {
    /// Program.
    pub command: String,
    /// Arguments.
    pub args: Vec<String>,
    /// Environment besides `PATH`, `HOME` and `LANG`.
    pub env: BTreeMap<String, Setting>,
    /// Variables passed on from ours.
    pub env_from: Vec<String>,
    /// Working directory.
    pub cwd: Option<PathBuf>,
}

/// An endpoint to talk to.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpSpec {
    /// Endpoint.
    pub url: String,
    /// Bearer token.
    pub bearer: Option<SecretRef>,
    /// Further headers.
    pub headers: BTreeMap<String, Setting>,
}

impl TransportSpec {
    /// What a pinned definition is bound to: how the server is reached, as one line. The embedded servers are what they
    /// are wherever their program and folder lie.
    #[must_use]
    pub fn identity(&self) -> String {
        match self {
            Self::Http(http) => format!("http {}", http.url),
            Self::Process(process) => match self.embedded() {
                Some(name) => format!("nightdesk lab {name}"),
                None => format!("process {} {:?}", process.command, process.args),
            },
        }
    }

    /// Name of the embedded server that is started here, if it is one: `… lab serve NAME --dir DIR`.
    #[must_use]
    pub fn embedded(&self) -> Option<&str> {
        let Self::Process(process) = self else {
            return None;
        };
        match process.args.as_slice() {
            [lab, serve, name, flag, _] if lab == "lab" && serve == "serve" && flag == "--dir" => {
                Some(name)
            }
            _ => None,
        }
    }
}

/// A server's table can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", faults.join("\n"))]
pub struct ConfigError {
    /// Every fault, each a sentence that names its key.
    pub faults: Vec<String>,
}

impl ServerConfig {
    /// Merges the preset in and checks everything. `name` is the server's, `overrides` the operator's presets folder.
    pub fn resolve(self, name: &str, overrides: Option<&Path>) -> Result<ServerSpec, ConfigError> {
        merge::resolve(self, name, overrides)
    }

    /// Every problem in words; empty when [`Self::resolve`] would succeed.
    #[must_use]
    pub fn faults(&self, name: &str, overrides: Option<&Path>) -> Vec<String> {
        match self.clone().resolve(name, overrides) {
            Ok(_) => Vec::new(),
            Err(e) => e.faults,
        }
    }
}

impl LimitsConfig {
    /// Fills in what is not given from `under`.
    #[must_use]
    pub(crate) fn over(self, under: Self) -> Self {
        Self {
            start_timeout: self.start_timeout.or(under.start_timeout),
            list_timeout: self.list_timeout.or(under.list_timeout),
            call_timeout: self.call_timeout.or(under.call_timeout),
            max_in_flight: self.max_in_flight.or(under.max_in_flight),
            recheck: self.recheck.or(under.recheck),
            max_calls_per_minute: self.max_calls_per_minute.or(under.max_calls_per_minute),
        }
    }
}

impl From<LimitsConfig> for Limits {
    fn from(given: LimitsConfig) -> Self {
        let or = |span: Option<Span>, seconds| span.map_or(Duration::from_secs(seconds), |s| s.0);
        Self {
            start: or(given.start_timeout, 60),
            list: or(given.list_timeout, 30),
            call: or(given.call_timeout, 60),
            in_flight: given.max_in_flight.unwrap_or(8).max(1),
            recheck: or(given.recheck, 0),
            calls_per_minute: given.max_calls_per_minute,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        LimitsConfig::default().into()
    }
}
