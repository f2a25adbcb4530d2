//! A daemon's context around servers in memory: real store, policy, pins and manifest, and a clock that goes by hand.

use std::sync::{Arc, Mutex, PoisonError};

use agent::catalogue::{Catalogue, Pins};
use agent::config;
use agent::ctx::{Ctx, Dice, Guard};
use agent::daemon;
use agent::gate::Subject;
use agent::integrity::{Integrity, Manifest};
use agent::rights::Groups;
use anyhow::Context as _;
use async_trait::async_trait;
use mcp_clients::ToolBox;
use serde_json::Value;
use state::model::Time;
use state::store::Store;
use tempfile::TempDir;

use crate::ledger::Ledger;
use crate::workbench::{HandClock, data};

/// The members of every group, or why they can't be told.
#[derive(Debug)]
pub struct Members(Mutex<Result<Vec<String>, String>>);

impl Members {
    /// What is said of every group from now on.
    pub fn say(&self, members: Result<&[&str], &str>) {
        let owned = |all: &[&str]| all.iter().map(|m| (*m).to_owned()).collect();
        let said = members.map(owned).map_err(str::to_owned);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }
}

#[async_trait]
impl Groups for Members {
    async fn members(&self, _: &str) -> Result<Vec<String>, String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Settings, servers and context; the folder goes away with it.
pub struct Desk {
    /// What the gate is given.
    pub ctx: Arc<Ctx>,
    /// The servers behind it.
    pub ledger: Arc<Ledger>,
    /// Its clock.
    pub clock: Arc<HandClock>,
    /// Who is in groups; at first nobody can tell.
    pub members: Arc<Members>,
    _dir: TempDir,
}

impl Desk {
    /// The desk of `tests/data/gate`: every definition pinned, the settings accepted, an empty store in memory, chance
    /// by the seed. `change` edits the text of the settings.
    pub async fn open(seed: &str, change: impl FnOnce(String) -> String) -> anyhow::Result<Self> {
        let (dir, from) = (TempDir::new()?, data("gate"));
        let file = dir.path().join("nightdesk.toml");
        let settings = std::fs::read_to_string(from.join("nightdesk.toml"))?;
        std::fs::write(&file, change(settings))?;
        let mut config = config::load(&file)?;
        config.closing.pause_file = dir.path().join("switches/nightdesk.pause");
        config.paths.lock = Some(dir.path().join("nightdesk.lock"));
        let ledger = Ledger::of(&std::fs::read_to_string(from.join("tools.json"))?)?;
        let bare = Catalogue::of(&config.servers, Pins::default());
        let mut pins = Pins::default();
        for (_, entry) in bare.iter() {
            let offered = ledger.offers(&entry.server);
            let tool = offered.iter().find(|t| t.name == entry.tool);
            pins.pin(entry, tool.with_context(|| entry.name())?);
        }
        let manifest = Manifest::path(&config.paths).context("no place for a manifest")?;
        Manifest::now(&config.paths)?.write(&manifest)?;
        let integrity = Integrity::start(&config.paths);
        let data = daemon::data(&config)?;
        let ledger = Arc::new(ledger);
        let clock = Arc::new(HandClock::at(start()?));
        let members = Arc::new(Members(Mutex::new(Err("nobody can be asked".to_owned()))));
        let ctx = Ctx {
            store: Store::open("sqlite::memory:").await?,
            catalogue: Catalogue::of(&config.servers, pins),
            guard: Guard {
                policy: Arc::new(data.policy),
                scanner: Arc::new(data.scanner),
                integrity,
                groups: members.clone(),
                meters: Arc::default(),
            },
            toolbox: ledger.clone() as Arc<dyn ToolBox>,
            mappings: Arc::new(data.mappings),
            library: Arc::new(data.library),
            prompts: Arc::new(data.prompts),
            llm: None,
            clock: clock.clone(),
            dice: Dice::seeded(seed),
            owner: "desk".to_owned(),
            config,
        };
        Ok(Self {
            ctx: Arc::new(ctx),
            ledger,
            clock,
            members,
            _dir: dir,
        })
    }

    /// A new case of one alert as Panther writes it; what is trusted of it.
    pub async fn case(&self, alert: &Value) -> anyhow::Result<Subject> {
        let read = self
            .ctx
            .mappings
            .read("panther", "siem", &alert.to_string());
        let alert = read.map_err(|e| anyhow::anyhow!("{}", e.reason))?;
        let (store, now) = (&self.ctx.store, self.ctx.now());
        let received = store.store_alerts(&[alert], &[], None, now).await?;
        let received = received.first().context("the alert is not stored")?;
        let alert = store.alert(received.alert).await?;
        let case = store
            .open_case(&alert, &alert.rule.name, now, Vec::new())
            .await?;
        Ok(Subject::read(store, case.id).await?)
    }
}

/// When the desk's clock begins.
fn start() -> anyhow::Result<Time> {
    Ok("2026-03-02T12:00:00Z".parse()?)
}
