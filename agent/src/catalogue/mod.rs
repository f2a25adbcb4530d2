//! Every callable tool with its class, as the operator lists it; what servers claim about themselves is not asked.

mod claims;
mod definitions;
pub mod names;
mod pins;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use chrono::TimeDelta;
use mcp_clients::config::{ServerSpec, ToolSpec};
use state::model::{Tier, Time};

pub use claims::{claims, differences};
pub use definitions::{
    Definition, DefinitionError, Definitions, Freshness, form_fits, form_needs_values, misfits,
};
pub use pins::{PinState, Pins};

/// One catalogued tool.
#[derive(Debug)]
pub struct Entry {
    /// Server name in the configuration.
    pub server: String,
    /// Tool name at the server.
    pub tool: String,
    /// What the operator says of it.
    pub spec: ToolSpec,
    /// What the server is: its pins are bound to it.
    pub identity: String,
    /// Name of the embedded server, if it is one.
    pub embedded: Option<String>,
    /// How old the server's word on its tools may be for a reading call.
    pub recheck: Duration,
    rate: Rate,
}

impl Entry {
    /// `server.tool`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}", self.server, self.tool)
    }
}

/// Calls of the last minute against a limit.
#[derive(Debug, Default)]
struct Rate {
    limit: Option<u32>,
    recent: Mutex<VecDeque<Time>>,
}

impl Rate {
    fn of(limit: Option<u32>) -> Self {
        Self {
            limit,
            recent: Mutex::default(),
        }
    }

    /// Takes one call, if there is one left; without a limit there always is.
    fn take(&self, now: Time) -> bool {
        let Some(limit) = self.limit else {
            return true;
        };
        let Ok(mut recent) = self.recent.lock() else {
            return false;
        };
        while recent
            .front()
            .is_some_and(|t| now - *t >= TimeDelta::minutes(1))
        {
            recent.pop_front();
        }
        let free = recent.len() < limit as usize;
        if free {
            recent.push_back(now);
        }
        free
    }
}

/// All catalogued tools by `server.tool`.
#[derive(Default)]
pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
    servers: BTreeMap<String, Rate>,
    definitions: Definitions,
}

impl Catalogue {
    /// Collects the tools of all configured servers; a tool is called only as it is pinned.
    #[must_use]
    pub fn of(servers: &BTreeMap<String, ServerSpec>, pins: Pins) -> Self {
        let mut entries = BTreeMap::new();
        for (server, spec) in servers {
            let embedded = spec.transport.embedded().map(str::to_owned);
            for (tool, about) in &spec.tools {
                let entry = Entry {
                    server: server.clone(),
                    tool: tool.clone(),
                    spec: about.clone(),
                    identity: spec.transport.identity(),
                    embedded: embedded.clone(),
                    recheck: spec.limits.recheck,
                    rate: Rate::of(about.max_calls_per_minute),
                };
                entries.insert(entry.name(), entry);
            }
        }
        Self {
            entries,
            servers: servers
                .iter()
                .map(|(name, spec)| (name.clone(), Rate::of(spec.limits.calls_per_minute)))
                .collect(),
            definitions: Definitions::pinned(pins),
        }
    }

    /// What the servers say of their tools, held against the pins.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// A tool by `server.tool`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether a server of that name is configured at all.
    #[must_use]
    pub fn has_server(&self, name: &str) -> bool {
        self.servers.contains_key(name)
    }

    /// Takes one call from what the tool and its server may do in a minute.
    ///
    /// # Errors
    /// What has used up its calls: the tool's or the server's name.
    pub fn take_rate(&self, entry: &Entry, now: Time) -> Result<(), String> {
        let server = self.servers.get(&entry.server);
        if !server.is_some_and(|rate| rate.take(now)) {
            return Err(entry.server.clone());
        }
        if !entry.rate.take(now) {
            return Err(entry.name());
        }
        Ok(())
    }

    /// All tools by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .iter()
            .map(|(name, entry)| (name.as_str(), entry))
    }

    /// Reading tools that a tier may use.
    pub fn readable_at(&self, tier: Tier) -> impl Iterator<Item = (&str, &Entry)> {
        self.iter().filter(move |(_, e)| {
            e.spec.enabled && e.spec.class.is_read_only() && e.spec.tiers.contains(&tier)
        })
    }
}
