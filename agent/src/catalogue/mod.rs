//! Every callable tool with its class, as the operator lists it; what servers claim about themselves is not asked.

mod pins;
mod schemas;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use chrono::TimeDelta;
use mcp_clients::config::{ServerSpec, ToolSpec};
use state::model::{Tier, Time};

pub use pins::{PinState, Pins};
pub use schemas::{SchemaError, Schemas};

/// One catalogued tool.
#[derive(Debug)]
pub struct Entry {
    /// Server name in the configuration.
    pub server: String,
    /// Tool name at the server.
    pub tool: String,
    /// What the operator says of it.
    pub spec: ToolSpec,
    recent: Mutex<VecDeque<Time>>,
}

impl Entry {
    /// Takes one call from the tool's calls a minute, if it has such a limit; false when they are used up.
    pub fn take_rate(&self, now: Time) -> bool {
        let Some(limit) = self.spec.max_calls_per_minute else {
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
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<String, Entry>,
    servers: Vec<String>,
}

impl Catalogue {
    /// Collects the tools of all configured servers.
    #[must_use]
    pub fn of(servers: &BTreeMap<String, ServerSpec>) -> Self {
        let mut entries = BTreeMap::new();
        for (server, spec) in servers {
            for (tool, spec) in &spec.tools {
                let entry = Entry {
                    server: server.clone(),
                    tool: tool.clone(),
                    spec: spec.clone(),
                    recent: Mutex::default(),
                };
                entries.insert(format!("{server}.{tool}"), entry);
            }
        }
        Self {
            entries,
            servers: servers.keys().cloned().collect(),
        }
    }

    /// A tool by `server.tool`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Whether a server of that name is configured at all.
    #[must_use]
    pub fn has_server(&self, name: &str) -> bool {
        self.servers.iter().any(|s| s == name)
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
