//! The scratch environment: a lab of its own with real servers as child processes, settings under which everything that may
//! be allowed is; each trial narrows one thing and has a store of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use include_dir::{Dir, include_dir};
use mcp_clients::config::{EffectRules, ServerConfig, ToolConfig};
use serde_json::json;
use state::model::{Time, ToolClass};
use state::store::Store;
use tempfile::TempDir;

use crate::catalogue::Pins;
use crate::config::{AnalystChoice, CloseMode, Config, PathsConfig};
use crate::ctx::Ctx;
use crate::daemon::{Assembled, assemble, data};
use crate::data::{Folder, POLICY};
use crate::integrity::Manifest;
use crate::llm::Llm;
use crate::playbook::Library;
use crate::policy::Policy;

use super::outside::{Hand, Outside, Tamper};
use super::trial::Trial;

static DATA: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/selftest");

/// The lab's "now", RFC 3339.
const NOW: &str = "2026-03-04T12:00:00Z";
/// File of a trial's store in its folder.
pub(super) const STORE: &str = "nightdesk.db";
/// The one who may approve.
pub(super) const APPROVER: &str = "approver@corp.example";
/// The user whose account the trials act on.
pub(super) const USER: &str = "ana@corp.example";
/// A foreign server that asks outside the house.
pub(super) const FOREIGN: &str = "outside";
/// The tool that stands for any destructive one.
pub(super) const DESTROY: &str = "ticketing.create_ticket";
/// Feeds of the lab, each with one alert.
const FEEDS: [&str; 7] = [
    "usual",
    "second",
    "strange",
    "speaking",
    "known-bad",
    "earlier",
    "later",
];

/// The scratch environment; its files go away with it.
pub struct Bench {
    /// Settings that every trial starts from: what may be allowed is.
    pub config: Config,
    scratch: TempDir,
    assembled: Assembled,
    pins: Pins,
    trials: AtomicUsize,
}

/// What one trial changes.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) pins: Pins,
    /// A folder of `agent/selftest/policy`, laid over the default policy.
    pub(super) policy: Option<&'static str>,
    pub(super) llm: Option<Arc<dyn Llm>>,
    /// Other playbooks.
    pub(super) library: Option<Arc<Library>>,
    pub(super) tamper: Tamper,
}

impl Setup {
    /// A tool of the catalogue, for narrowing; one that is not there changes nothing and its trial fails.
    pub(super) fn tool(
        &mut self,
        server: &str,
        tool: &str,
        change: impl FnOnce(&mut mcp_clients::config::ToolSpec),
    ) {
        let spec = self.config.servers.get_mut(server);
        if let Some(spec) = spec.and_then(|s| s.tools.get_mut(tool)) {
            change(spec);
        }
    }

    /// The rules of the tool that stands for any destructive one.
    pub(super) fn effect(&mut self, change: impl FnOnce(&mut EffectRules)) {
        self.tool("ticketing", "create_ticket", |t| change(&mut t.effect));
    }

    /// Lets this model judge at every tier.
    pub(super) fn model(&mut self, llm: Arc<dyn Llm>) {
        self.config.tiers.set_analyst(AnalystChoice::Model);
        self.llm = Some(llm);
    }
}

impl Bench {
    /// Makes the scratch folder and starts its servers as children of `program`, which is nightdesk itself.
    ///
    /// # Errors
    /// When the folder can't be made, or the servers do not come up.
    pub async fn start(program: &Path) -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new()
            .prefix("nightdesk-selftest-")
            .tempdir()
            .context("the scratch folder can't be made; see TMPDIR")?;
        DATA.extract(scratch.path())
            .context("the scratch folder can't be filled")?;
        std::fs::write(
            scratch.path().join("nightdesk.toml"),
            "# Stands for the configuration file, so that its state can be accepted.\n",
        )?;
        let config = settings(program, scratch.path())?;
        Manifest::now(&config.paths)?.write(&scratch.path().join("nightdesk.manifest"))?;
        let url = format!("sqlite:{}", scratch.path().join("first.db").display());
        let assembled = assemble(config.clone(), Store::open(&url).await?).await?;
        let pins = reviewed(&assembled.ctx).await?;
        Ok(Self {
            config,
            scratch,
            assembled,
            pins,
            trials: AtomicUsize::new(0),
        })
    }

    /// Ends the servers and removes the folder.
    pub async fn stop(self) {
        self.assembled.stop().await;
    }

    /// A context of its own over the servers that run, with an empty store.
    pub(super) async fn trial(&self, change: impl FnOnce(&mut Setup)) -> anyhow::Result<Trial> {
        let n = self.trials.fetch_add(1, Ordering::Relaxed);
        let folder = self.scratch.path().join(format!("trial-{n}"));
        std::fs::create_dir(&folder)?;
        let clock = Arc::new(Hand::at(NOW.parse::<Time>()?));
        let mut setup = self.setup(&folder);
        change(&mut setup);
        let (ctx, outside) = self.context(setup, &folder, &clock).await?;
        Trial::new((ctx, outside, clock), folder, self.ledger())
    }

    /// Settings, pins and servers before a trial changes any.
    fn setup(&self, folder: &Path) -> Setup {
        let mut config = self.config.clone();
        config.paths.lock = Some(folder.join("nightdesk.lock"));
        config.closing.pause_file = folder.join("nightdesk.pause");
        Setup {
            config,
            pins: self.pins.clone(),
            policy: None,
            llm: None,
            library: None,
            tamper: Tamper::Not,
        }
    }

    /// The same store and clock under other settings, as after a restart.
    pub(super) async fn again(
        &self,
        mut trial: Trial,
        change: impl FnOnce(&mut Setup),
    ) -> anyhow::Result<Trial> {
        trial.ctx.store.close().await;
        let mut setup = self.setup(&trial.folder);
        change(&mut setup);
        (trial.ctx, trial.outside) = self.context(setup, &trial.folder, &trial.clock).await?;
        Ok(trial)
    }

    async fn context(
        &self,
        setup: Setup,
        folder: &Path,
        clock: &Arc<Hand>,
    ) -> anyhow::Result<(Arc<Ctx>, Arc<Outside>)> {
        let store = format!("sqlite:{}", folder.join(STORE).display());
        let store = Store::open(&store).await?;
        let servers = self.assembled.ctx.toolbox.clone();
        let outside = Arc::new(Outside::new(servers, setup.tamper));
        let mut ctx = self.assembled.ctx.beside(setup.config, store, setup.pins);
        ctx.toolbox = outside.clone();
        ctx.clock = clock.clone();
        ctx.llm = setup.llm;
        ctx.library = setup.library.unwrap_or(ctx.library);
        if let Some(name) = setup.policy {
            let over = self.scratch.path().join("policy").join(name);
            let folder = Folder::open(&POLICY, Some(&over)).map_err(anyhow::Error::msg)?;
            let policy = Policy::load(&folder).map_err(|e| anyhow::anyhow!(e.join("\n")))?;
            ctx.guard.policy = Arc::new(policy);
        }
        Ok((Arc::new(ctx), outside))
    }

    /// Where the ticketing server writes what it did.
    fn ledger(&self) -> PathBuf {
        self.scratch.path().join("lab").join("tickets.out.jsonl")
    }

    /// The playbooks with one among them that closes the canary.
    pub(super) fn careless(&self) -> anyhow::Result<Library> {
        let mut config = self.config.clone();
        config.paths.playbooks = Some(self.scratch.path().join("careless"));
        Ok(data(&config)?.library)
    }
}

/// Settings under which all that may be allowed is allowed.
fn settings(program: &Path, scratch: &Path) -> anyhow::Result<Config> {
    let mut config = Config {
        servers: servers(program, &scratch.join("lab"))?,
        ..Config::default()
    };
    for feed in FEEDS {
        config.sources.push(serde_json::from_value(json!({
            "name": feed, "kind": "mcp", "server": "siem", "tool": "list_alerts", "mapping": "panther",
            "rows": "results", "arguments": {"feed": feed, "limit": 500},
        }))?);
    }
    config.model = Some(serde_json::from_value(
        json!({"base_url": "http://127.0.0.1:9/v1", "model": "adversary"}),
    )?);
    config.closing.mode = CloseMode::Auto;
    config.closing.without_sample();
    config.effects.live = true;
    config.people.approvals.approvers = vec![APPROVER.to_owned()];
    config.paths = PathsConfig {
        playbooks: Some(scratch.join("playbooks")),
        lock: Some(scratch.join("nightdesk.lock")),
        file: Some(scratch.join("nightdesk.toml")),
        ..PathsConfig::default()
    };
    Ok(config)
}

/// The lab's servers, and one of them again as a foreign server that asks outside the house.
fn servers(
    program: &Path,
    lab: &Path,
) -> anyhow::Result<BTreeMap<String, mcp_clients::config::ServerSpec>> {
    let program = program
        .to_str()
        .context("the program's path is not UTF-8")?;
    let lab = lab.to_str().context("the scratch folder is not UTF-8")?;
    let serve = |name: &str| ["lab", "serve", name, "--dir", lab].map(str::to_owned);
    let mut servers = BTreeMap::new();
    for name in ["siem", "identity", "intel", "ticketing"] {
        let config = ServerConfig {
            command: Some(program.to_owned()),
            args: serve(name).to_vec(),
            preset: Some("lab".to_owned()),
            ..ServerConfig::default()
        };
        servers.insert(name.to_owned(), config.resolve(name, None)?);
    }
    let destroy = servers.get_mut("ticketing");
    let destroy = destroy.and_then(|s| s.tools.get_mut("create_ticket"));
    let destroy = destroy.context("the preset knows no ticketing.create_ticket")?;
    destroy.class = ToolClass::Destructive;
    destroy.enabled = true;
    destroy.effect = EffectRules {
        live: true,
        target: Some("title".to_owned()),
        allow: vec![USER.to_owned()],
        marker: Some("idempotency_key".to_owned()),
        ..EffectRules::default()
    };
    let lookup = ToolConfig {
        class: Some(ToolClass::ReadEgress),
        ..ToolConfig::default()
    };
    let foreign = ServerConfig {
        command: Some("env".to_owned()),
        args: [vec![program.to_owned()], serve("intel").to_vec()].concat(),
        tools: BTreeMap::from([("lookup_indicator".to_owned(), lookup)]),
        ..ServerConfig::default()
    };
    servers.insert(FOREIGN.to_owned(), foreign.resolve(FOREIGN, None)?);
    Ok(servers)
}

/// The pins of somebody who has reviewed the foreign server's tools.
async fn reviewed(ctx: &Ctx) -> anyhow::Result<Pins> {
    let mut pins = ctx.catalogue.definitions().pins().clone();
    let tools = ctx.toolbox.tools(FOREIGN).await;
    let tools = tools.context("the servers of the scratch lab do not come up")?;
    for (_, entry) in ctx.catalogue.iter().filter(|(_, e)| e.server == FOREIGN) {
        let tool = tools.iter().find(|t| t.name == entry.tool);
        pins.pin(entry, tool.context("the foreign server lacks its tool")?);
    }
    Ok(pins)
}
