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

use crate::catalogue::{Catalogue, Pins};
use crate::config::{AnalystChoice, Config, ConfigFault, ConfigFaults, unsayable};
use crate::ctx::{Clock, Ctx, Dice, Guard, SystemClock};
use crate::data::{Folder, PLAYBOOKS, POLICY, PROMPTS, SCANNER};
use crate::integrity::{self, Integrity};
use crate::llm::{Llm, OpenAi, Surroundings};
use crate::notify;
use crate::playbook::Library;
use crate::policy::Policy;
use crate::prompt::Prompts;
use crate::rights::NoGroups;
use crate::scan::Scanner;

use super::definitions;

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
}

impl Assembled {
    /// Ends the servers and closes the store.
    pub async fn stop(self) {
        self.fleet.shutdown().await;
        self.ctx.store.close().await;
    }
}

/// Playbooks, prompts, policy and mappings in force.
pub struct Data {
    /// Playbooks.
    pub library: Library,
    /// Prompts.
    pub prompts: Prompts,
    /// Policy.
    pub policy: Policy,
    /// Scanner.
    pub scanner: Scanner,
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
    let policy_folder = open(&POLICY, config.paths.policy.as_deref());
    let scanner_folder = open(&SCANNER, config.paths.scanner.as_deref());
    let library = Library::load(&playbooks, &config.queries)
        .map_err(|found| faults.extend(found.iter().map(|f| fault("playbooks", f))));
    let library = library.and_then(|library| {
        learned(library, config)
            .map_err(|found| faults.extend(found.iter().map(|f| fault("learned weights", f))))
    });
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
    let policy = Policy::load(&policy_folder)
        .map_err(|found| faults.extend(found.iter().map(|f| fault("policy", f))));
    let scanner = Scanner::load(&scanner_folder)
        .map_err(|found| faults.extend(found.iter().map(|f| fault("scanner", f))));
    let mappings = Mappings::load(config.paths.mappings.as_deref())
        .map_err(|found| faults.extend(found.iter().map(|f| fault("mappings", f))));
    if let Ok(mappings) = &mappings {
        let found = unsayable(config, mappings);
        faults.extend(found.iter().map(|f| fault("sources", f)));
    }
    let mut overridden: Vec<String> = Vec::new();
    for (name, folder) in [
        ("playbooks", &playbooks),
        ("prompts", &prompts_folder),
        ("policy", &policy_folder),
        ("scanner", &scanner_folder),
    ] {
        overridden.extend(folder.overridden().iter().map(|f| format!("{name}/{f}")));
    }
    match (library, prompts, (policy, scanner), mappings) {
        (Ok(library), Ok(prompts), (Ok(policy), Ok(scanner)), Ok(mappings))
            if faults.is_empty() =>
        {
            Ok(Data {
                library,
                prompts,
                policy,
                scanner,
                mappings,
                overridden,
            })
        }
        _ => Err(ConfigFaults(faults)),
    }
}

/// The library with the learned weights, if there are any: in force once a person has accepted this very file. A
/// configuration that is no file has nothing that could be accepted: whoever made it names what counts.
fn learned(mut library: Library, config: &Config) -> Result<Library, Vec<String>> {
    let Some(path) = config.paths.learned_file() else {
        return Ok(library);
    };
    let told = |what: String| {
        format!(
            "{}: {what}; run `nightdesk learn` again, or remove the file",
            path.display()
        )
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let accepted = integrity::learned_is_accepted(&config.paths, &text);
            let read = match accepted {
                true => library.learn(&text),
                false => library.await_acceptance(&text),
            };
            read.map_err(|found| found.into_iter().map(told).collect::<Vec<_>>())?;
            if accepted {
                tracing::info!(file = %path.display(), "learned weights are in force");
            } else {
                tracing::warn!(file = %path.display(), "learned weights do not count: nobody has accepted this file; review it and run `nightdesk check --accept`");
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(vec![told(e.to_string())]),
    }
    Ok(library)
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
    let fleet = Arc::new(Fleet::start(config.servers.clone()));
    let ctx = match whole(config, store, (clock, fleet.clone())).await {
        Ok(ctx) => Arc::new(ctx),
        Err(e) => {
            fleet.shutdown().await;
            return Err(e);
        }
    };
    let servers = fleet.wait_ready(READY).await;
    definitions::watch(&ctx, &fleet);
    Ok(Assembled {
        ctx,
        fleet,
        servers,
    })
}

/// The context with those who say who belongs to a group.
async fn whole(
    config: Config,
    store: Store,
    (clock, toolbox): (Arc<dyn Clock>, Arc<dyn ToolBox>),
) -> anyhow::Result<Ctx> {
    let groups = notify::groups(&config.people.notify, clock.clone()).await;
    let mut ctx = context(config, store, (clock, toolbox)).await?;
    ctx.guard.groups = groups;
    Ok(ctx)
}

/// What every room needs, over a toolbox of the caller's: nothing is started.
///
/// # Errors
/// When data files are at fault or the model's key can't be had.
pub async fn context(
    config: Config,
    store: Store,
    (clock, toolbox): (Arc<dyn Clock>, Arc<dyn ToolBox>),
) -> anyhow::Result<Ctx> {
    let integrity = Integrity::start(&config.paths);
    let data = data(&config)?;
    let lock = Pins::path(config.paths.lock.as_deref());
    let pins = Pins::load(&lock).map_err(|e| ConfigFaults(vec![fault("pins", &e)]))?;
    let dice = Dice::unforeseen();
    let llm = model(&config, &clock, &dice).await?;
    let owner = format!("{}-{}", std::process::id(), &dice.word()[..8]);
    Ok(Ctx {
        store,
        catalogue: Catalogue::of(&config.servers, pins),
        guard: Guard {
            policy: Arc::new(data.policy),
            scanner: Arc::new(data.scanner),
            integrity,
            groups: Arc::new(NoGroups::default()),
            meters: Arc::default(),
        },
        toolbox,
        mappings: Arc::new(data.mappings),
        library: Arc::new(data.library),
        prompts: Arc::new(data.prompts),
        llm,
        clock,
        dice,
        owner,
        config,
    })
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
