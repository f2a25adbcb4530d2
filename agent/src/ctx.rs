//! What every room needs and nothing decides by itself: store, tools, playbooks, clock, chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mcp_clients::ToolBox;
use mcp_clients::mappings::Mappings;
use state::model::Time;
use state::store::Store;

use crate::catalogue::{Catalogue, Pins};
use crate::config::Config;
use crate::data::sha256_hex;
use crate::integrity::Integrity;
use crate::llm::Llm;
use crate::playbook::Library;
use crate::policy::Policy;
use crate::prompt::Prompts;
use crate::rights::{Groups, Rights};
use crate::scan::Scanner;
use crate::telemetry::Meters;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Time;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Time {
        chrono::Utc::now()
    }
}

/// Where chance comes from: a seed and a counter, so that a test can fix it.
#[derive(Debug)]
pub struct Dice {
    seed: String,
    drawn: AtomicU64,
}

impl Dice {
    /// Chance that nobody can foresee.
    #[must_use]
    pub fn unforeseen() -> Self {
        use std::hash::{BuildHasher, Hasher};
        let draw = || {
            std::collections::hash_map::RandomState::new()
                .build_hasher()
                .finish()
        };
        Self::seeded(&format!("{:x}{:x}", draw(), draw()))
    }

    /// Chance that comes out the same every time.
    #[must_use]
    pub fn seeded(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            drawn: AtomicU64::new(0),
        }
    }

    /// 64 hexadecimal digits.
    pub fn word(&self) -> String {
        let n = self.drawn.fetch_add(1, Ordering::Relaxed);
        sha256_hex(format!("{}:{n}", self.seed))
    }

    /// A number from 0 up to, not including, 1.
    pub fn share(&self) -> f64 {
        let word = self.word();
        let bits = u32::from_str_radix(&word[..8], 16).unwrap_or(0);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }
}

/// What narrows and watches, whatever the rooms do.
pub struct Guard {
    /// Rego rules over calls and closes.
    pub policy: Arc<Policy>,
    /// Finds text that speaks to whoever reads it.
    pub scanner: Arc<Scanner>,
    /// Whether the files that decide are as they were reviewed.
    pub integrity: Integrity,
    /// Who is in the groups that may answer.
    pub groups: Arc<dyn Groups>,
    /// What the daemon counts about itself.
    pub meters: Arc<Meters>,
}

/// What a run of the daemon works with.
pub struct Ctx {
    /// Configuration.
    pub config: Config,
    /// Cases.
    pub store: Store,
    /// Every callable tool with its class, and its pinned definition.
    pub catalogue: Catalogue,
    /// What narrows and watches, whatever the rooms do.
    pub guard: Guard,
    /// MCP servers; only the gate calls them.
    pub toolbox: Arc<dyn ToolBox>,
    /// Raw events and alerts to nouns.
    pub mappings: Arc<Mappings>,
    /// Playbooks.
    pub library: Arc<Library>,
    /// Prompts.
    pub prompts: Arc<Prompts>,
    /// The model, when one is configured.
    pub llm: Option<Arc<dyn Llm>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub dice: Dice,
    /// Name of this process in leases.
    pub owner: String,
}

impl Ctx {
    /// The same servers, data and clock under other settings, pins and another store; started from as it is now.
    #[must_use]
    pub fn beside(&self, config: Config, store: Store, pins: Pins) -> Self {
        Self {
            store,
            catalogue: Catalogue::of(&config.servers, pins),
            guard: Guard {
                policy: self.guard.policy.clone(),
                scanner: self.guard.scanner.clone(),
                integrity: Integrity::start(&config.paths),
                groups: self.guard.groups.clone(),
                meters: Arc::default(),
            },
            toolbox: self.toolbox.clone(),
            mappings: self.mappings.clone(),
            library: self.library.clone(),
            prompts: self.prompts.clone(),
            llm: self.llm.clone(),
            clock: self.clock.clone(),
            dice: Dice::unforeseen(),
            owner: self.owner.clone(),
            config,
        }
    }

    /// Who may answer what.
    #[must_use]
    pub fn rights(&self) -> Rights<'_> {
        Rights::new(&self.config.people.approvals, &*self.guard.groups)
    }

    /// Now, by the clock.
    #[must_use]
    pub fn now(&self) -> Time {
        self.clock.now()
    }
}
