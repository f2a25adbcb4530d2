//! Builds the context from the configuration: store, servers, playbooks, prompts, model; every fault names its fix.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mcp_clients::mappings::Mappings;
use mcp_clients::supervise::ServerStatus;
use mcp_clients::{Fleet, ToolBox};
use state::model::Tier;
use state::store::Store;

use crate::catalogue::{Catalogue, Pins, Schemas};
use crate::config::{AnalystChoice, Config, ConfigFault, ConfigFaults};
use crate::ctx::{Clock, Ctx, Dice, SystemClock};
use crate::data::{Folder, PLAYBOOKS, PROMPTS};
use crate::integrity::Integrity;
use crate::llm::{Llm, OpenAi, Surroundings};
use crate::playbook::Library;
use crate::prompt::Prompts;

/// Longest wait for servers at start; a slow one comes up later.
const READY: Duration = Duration::from_secs(60);

/// A daemon put together and not yet working.
pub struct Assembled {
    /// What every room needs.
    pub ctx: Arc<Ctx>,
    /// The servers.
    pub fleet: Arc<Fleet>,
    /// How the servers were when they had started.
    pub servers: Vec<ServerStatus>,
    /// The guard over what decides, taken before anything was read.
    pub integrity: Arc<Integrity>,
}

impl Assembled {
    /// Ends the servers and closes the store.
    pub async fn stop(self) {
        self.fleet.shutdown().await;
        self.ctx.store.close().await;
    }
}

/// Playbooks, prompts and mappings in force.
pub struct Data {
    /// Playbooks.
    pub library: Library,
    /// Prompts.
    pub prompts: Prompts,
    /// Mappings.
    pub mappings: Mappings,
    /// Files that the operator's folders override or add, for people.
    pub overridden: Vec<String>,
}

/// Reads all data files, the operator's laid over the built-in ones.
///
/// # Errors
/// Every fault of every file.
pub fn data(config: &Config) -> Result<Data, ConfigFaults> {
    let mut faults = Vec::new();
    let mut open = |dir, over: Option<&Path>| {
        let folder = Folder::open(dir, over);
        folder
            .map_err(|e| faults.push(fault("paths", &e)))
            .unwrap_or_default()
    };
    let playbooks = open(&PLAYBOOKS, config.paths.playbooks.as_deref());
    let prompts_folder = open(&PROMPTS, config.paths.prompts.as_deref());
    let library = Library::load(&playbooks, &config.queries.dialect)
        .map_err(|found| faults.extend(found.iter().map(|f| fault("playbooks", f))));
    let prompts = Prompts::load(&prompts_folder)
        .map_err(|found| faults.extend(found.iter().map(|f| fault("prompts", f))));
    if let Ok(prompts) = &prompts {
        for (tier, name) in Tier::ALL
            .iter()
            .filter_map(|t| Some((t, config.tiers.of(*t).prompt.as_ref()?)))
        {
            if !prompts.has(name) {
                let message =
                    format!("[tiers.{tier}] prompt = {name:?}: there is no prompts/{name}.md");
                faults.push(fault("prompts", &message));
            }
        }
    }
    let mappings = Mappings::load(config.paths.mappings.as_deref())
        .map_err(|found| faults.extend(found.iter().map(|f| fault("mappings", f))));
    let mut overridden: Vec<String> = Vec::new();
    for (name, folder) in [("playbooks", &playbooks), ("prompts", &prompts_folder)] {
        overridden.extend(folder.overridden().iter().map(|f| format!("{name}/{f}")));
    }
    match (library, prompts, mappings) {
        (Ok(library), Ok(prompts), Ok(mappings)) if faults.is_empty() => Ok(Data {
            library,
            prompts,
            mappings,
            overridden,
        }),
        _ => Err(ConfigFaults(faults)),
    }
}

fn fault(place: &str, message: &dyn std::fmt::Display) -> ConfigFault {
    ConfigFault {
        place: place.to_owned(),
        key: String::new(),
        message: message.to_string(),
    }
}

/// Puts a daemon together and waits until its servers are up or have failed their first start.
///
/// # Errors
/// When data files are at fault, the store can't be opened or the model's key can't be had.
pub async fn assemble(config: Config, store: Store) -> anyhow::Result<Assembled> {
    assemble_at(config, store, Arc::new(SystemClock)).await
}

/// The same with a clock of the caller's.
///
/// # Errors
/// As [`assemble`].
pub async fn assemble_at(
    config: Config,
    store: Store,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<Assembled> {
    let integrity = Integrity::start(&config.paths);
    let data = data(&config)?;
    let lock = Pins::path(config.paths.lock.as_deref());
    let pins = Pins::load(&lock).map_err(|e| ConfigFaults(vec![fault("pins", &e)]))?;
    let dice = Dice::unforeseen();
    let llm = model(&config, &clock, &dice).await?;
    let fleet = Arc::new(Fleet::start(config.servers.clone()));
    let servers = fleet.wait_ready(READY).await;
    let owner = format!("{}-{}", std::process::id(), &dice.word()[..8]);
    let ctx = Ctx {
        store,
        catalogue: Catalogue::of(&config.servers),
        schemas: Schemas::pinned(pins),
        toolbox: fleet.clone() as Arc<dyn ToolBox>,
        mappings: Arc::new(data.mappings),
        library: data.library,
        prompts: data.prompts,
        llm,
        clock,
        dice,
        owner,
        config,
    };
    let ctx = Arc::new(ctx);
    forget_changed_schemas(&ctx, &fleet);
    Ok(Assembled {
        ctx,
        fleet,
        servers,
        integrity: Arc::new(integrity),
    })
}

/// A server that was restarted or announces other tools has its schemas read anew.
fn forget_changed_schemas(ctx: &Arc<Ctx>, fleet: &Fleet) {
    let (ctx, mut changed) = (Arc::downgrade(ctx), fleet.changed());
    tokio::spawn(async move {
        let mut known = changed.borrow_and_update().clone();
        while changed.changed().await.is_ok() {
            let now = changed.borrow_and_update().clone();
            let Some(ctx) = ctx.upgrade() else { return };
            for (server, generation) in &now {
                if known.get(server) != Some(generation) {
                    ctx.schemas.forget(server).await;
                }
            }
            known = now;
        }
    });
}

async fn model(
    config: &Config,
    clock: &Arc<dyn Clock>,
    dice: &Dice,
) -> anyhow::Result<Option<Arc<dyn Llm>>> {
    let wanted = [&config.tiers.one, &config.tiers.two, &config.tiers.three]
        .iter()
        .any(|t| t.analyst == AnalystChoice::Model);
    let Some(model) = &config.model else {
        anyhow::ensure!(
            !wanted,
            "a tier has `analyst = \"model\"`, but there is no [model] section"
        );
        return Ok(None);
    };
    if !wanted {
        return Ok(None);
    }
    let key = match &model.api_key {
        Some(key) => Some(
            key.resolve()
                .await
                .context("the model's api_key can't be had")?,
        ),
        None => None,
    };
    let clock = clock.clone();
    let seed = u64::from_str_radix(&dice.word()[..16], 16).unwrap_or(0);
    let around = Surroundings::seeded(seed, Arc::new(move || clock.now()));
    Ok(Some(Arc::new(OpenAi::new(model, key, around)?)))
}
