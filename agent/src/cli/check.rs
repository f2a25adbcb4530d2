//! `nightdesk check`: what is configured against what is there; each failing line names its fix.

mod integrity;
mod learned;
mod people;
mod policy;
mod queries;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use mcp_clients::supervise::ServerState;
use mcp_clients::{ToolBox, ToolDef};
use serde::Serialize;
use state::store::{Store, StoreError};

use crate::catalogue::{PinState, names};
use crate::config::{self, Config, ConfigFaults};
use crate::daemon::{Assembled, Data, assemble, data, pollable};
use crate::llm::{Ask, Message, ToolChoice};
use crate::playbook::StepTarget;

use super::output::Tone;
use super::{CONFIG, Done, FAILED, Out, playbook, switch};
use integrity::Reviewed;

#[derive(Debug, Serialize)]
struct Line {
    what: String,
    ok: bool,
    detail: String,
}

/// What was checked so far.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    pub(super) fn good(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Line {
            what: what.into(),
            ok: true,
            detail: detail.into(),
        });
    }

    pub(super) fn bad(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.0.push(Line {
            what: what.into(),
            ok: false,
            detail: detail.into(),
        });
    }
}

/// What else to do.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// When nothing else fails, record the state of configuration, data files and pins as reviewed
    #[arg(long)]
    accept: bool,
}

pub(super) async fn check(named: Option<&Path>, args: Args, out: &Out) -> Done {
    let mut lines = Lines::default();
    let Some(path) = config::find(named) else {
        lines.bad("configuration", "there is none: write ./nightdesk.toml (the README shows one), or name a file with --config");
        return Ok(tell(lines, CONFIG, out));
    };
    let config = match config::load(&path) {
        Ok(config) => config,
        Err(ConfigFaults(faults)) => {
            for fault in faults {
                lines.bad("configuration", fault.to_string());
            }
            return Ok(tell(lines, CONFIG, out));
        }
    };
    lines.good("configuration", path.display().to_string());
    // Taken before anything is read, so that what is accepted is what was checked.
    let reviewed = Reviewed::read(&config);
    match files(&config, &mut lines) {
        Ok(data) => {
            policy::line(&data, &mut lines);
            playbook::tests(&config, &mut lines).await;
        }
        Err(ConfigFaults(faults)) => {
            faults
                .iter()
                .for_each(|f| lines.bad("data files", f.to_string()));
            reviewed.line(&args, &mut lines);
            return Ok(tell(lines, CONFIG, out));
        }
    }
    store(&config, &mut lines).await;
    people::line(&config, &mut lines).await;
    live(config, &mut lines).await;
    reviewed.line(&args, &mut lines);
    Ok(tell(lines, FAILED, out))
}

/// Playbooks, prompts and mappings, and that every source has a mapping.
fn files(config: &Config, lines: &mut Lines) -> Result<Data, ConfigFaults> {
    let data = data(config)?;
    let known = data.mappings.alert_names();
    let over = over(data.overridden.iter().filter(|f| !policy::is_part(f)));
    let playbooks = data.library.entries().len();
    lines.good(
        "playbooks, prompts, mappings",
        format!(
            "{playbooks} playbooks, {} alert mappings, {over}",
            known.len()
        ),
    );
    learned::line(&data.library, config, lines);
    for source in &config.sources {
        if source.fields.is_empty() && !known.contains(&source.mapping.as_str()) {
            let detail = format!(
                "there is no alert mapping `{}`; known are {}",
                source.mapping,
                known.join(", ")
            );
            lines.bad(format!("source {}", source.name), detail);
        }
    }
    Ok(data)
}

fn over<'a>(files: impl Iterator<Item = &'a String>) -> String {
    match files.map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => "as built in".to_owned(),
        files => format!("overridden: {}", files.join(", ")),
    }
}

/// Opens the store if there is one; looking makes none.
async fn store(config: &Config, lines: &mut Lines) {
    let url = &config.store.url;
    let file = url.strip_prefix("sqlite:").unwrap_or(url);
    let is_file = !file.starts_with(':') && !file.contains("://");
    if is_file && !Path::new(file).exists() {
        lines.good("store", format!("{file} will be made by the first run"));
        return switch::check_file(config, lines).await;
    }
    if let Err(e) = look(config, lines).await {
        lines.bad("store", format!("{url}: {e}; see [store] url"));
    }
}

async fn look(config: &Config, lines: &mut Lines) -> Result<(), StoreError> {
    let url = &config.store.url;
    let store = Store::open(url).await?;
    let waiting = store.queue_depth().await?;
    lines.good("store", format!("{url} opens, {waiting} cases waiting"));
    let checked = switch::check(&store, config, lines).await;
    store.close().await;
    checked
}

async fn live(config: Config, lines: &mut Lines) {
    let scratch = match Store::open("sqlite::memory:").await {
        Ok(store) => store,
        Err(e) => return lines.bad("store", e.to_string()),
    };
    let assembled = match assemble(config, scratch).await {
        Ok(assembled) => assembled,
        Err(e) => return lines.bad("model", format!("{e:#}")),
    };
    servers(&assembled, lines).await;
    steps(&assembled, lines);
    queries::line(&assembled, lines);
    model(&assembled, lines).await;
    sources(&assembled, lines).await;
    assembled.stop().await;
}

async fn servers(assembled: &Assembled, lines: &mut Lines) {
    for status in &assembled.servers {
        let name = format!("server {}", status.name);
        if let ServerState::Down { reason, .. } = &status.state {
            let detail = format!("does not start: {reason}; see [servers.{}]", status.name);
            lines.bad(name, detail);
            continue;
        }
        match assembled.fleet.tools(&status.name).await {
            Ok(live) => offers(assembled, &status.name, &live, lines),
            Err(e) => lines.bad(name, format!("starts but does not list its tools: {e}")),
        }
    }
    if assembled.servers.is_empty() {
        lines.bad(
            "servers",
            "none is configured: add [servers.NAME] with command or url; without tools nothing can be investigated",
        );
    }
}

/// What one server offers beside what is catalogued and pinned.
fn offers(assembled: &Assembled, server: &str, live: &[ToolDef], lines: &mut Lines) {
    let catalogue = &assembled.ctx.catalogue;
    let pins = catalogue.definitions().pins();
    let refused = names::refused(live);
    let (mut missing, mut open, mut changed, mut alike) = (vec![], vec![], vec![], vec![]);
    let mut pinned = 0;
    for (_, entry) in catalogue
        .iter()
        .filter(|(_, e)| e.server == server && e.spec.enabled)
    {
        let Some(tool) = live.iter().find(|t| t.name == entry.tool) else {
            missing.push(entry.tool.as_str());
            continue;
        };
        if let Some(why) = refused.get(&entry.tool) {
            alike.push(format!("{}: {why}", entry.tool));
            continue;
        }
        match pins.state(entry, tool) {
            PinState::Pinned => pinned += 1,
            PinState::Unpinned => open.push(entry.tool.as_str()),
            PinState::Changed => changed.push(entry.tool.as_str()),
        }
    }
    let fix =
        format!("review them with `nightdesk tools list`, then run `nightdesk tools pin {server}`");
    let mut faults = Vec::new();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        faults.push(format!(
            "does not offer {missing}; correct or remove [servers.{server}.tools.…]"
        ));
    }
    if !changed.is_empty() {
        faults.push(format!(
            "not as pinned and not called: {}; {fix}",
            changed.join(", ")
        ));
    }
    if !open.is_empty() {
        faults.push(format!(
            "not pinned and not called: {}; {fix}",
            open.join(", ")
        ));
    }
    if !alike.is_empty() {
        faults.push(format!("refused by name: {}", alike.join("; ")));
    }
    let name = format!("server {server}");
    if !faults.is_empty() {
        return lines.bad(name, faults.join(" | "));
    }
    let catalogued = |t: &&ToolDef| catalogue.get(&format!("{server}.{}", t.name)).is_some();
    let outside = live.len() - live.iter().filter(catalogued).count();
    lines.good(
        name,
        format!(
            "{} tools, all {pinned} enabled ones as pinned, {outside} outside the catalogue and so denied",
            live.len()
        ),
    );
}

/// Each tool that a playbook's steps need at their tier.
fn steps(assembled: &Assembled, lines: &mut Lines) {
    let ctx = &assembled.ctx;
    let mut absent = std::collections::BTreeSet::new();
    let mut refused = std::collections::BTreeMap::new();
    for step in ctx.library.entries().iter().flat_map(|e| &e.playbook.steps) {
        let tool = match &step.target {
            StepTarget::Tool(tool) => tool,
            StepTarget::Query(_) => &ctx.config.queries.tool,
        };
        let server = tool.split('.').next().unwrap_or_default();
        if !ctx.catalogue.has_server(server) {
            absent.insert(server.to_owned());
            continue;
        }
        let usable = ctx
            .catalogue
            .get(tool)
            .is_some_and(|e| e.spec.enabled && e.spec.tiers.contains(&step.tier));
        if !usable {
            refused.insert(tool.clone(), step.tier);
        }
    }
    for (tool, tier) in &refused {
        let (server, name) = tool.split_once('.').unwrap_or((tool, ""));
        lines.bad(format!("tool {tool}"), format!("playbooks need it at tier {tier}: add it to [servers.{server}.tools.{name}] with its class and tiers"));
    }
    if refused.is_empty() {
        let without = match absent.len() {
            0 => String::new(),
            _ => format!(
                "; steps on {} are gaps, since no such server is configured",
                absent.into_iter().collect::<Vec<_>>().join(", ")
            ),
        };
        lines.good("tools the tiers need", format!("catalogued{without}"));
    }
}

async fn model(assembled: &Assembled, lines: &mut Lines) {
    let (Some(llm), Some(config)) = (&assembled.ctx.llm, &assembled.ctx.config.model) else {
        return lines.good(
            "model",
            "none configured or asked for: the playbook analyst judges alone",
        );
    };
    let ask = Ask {
        model: config.model.clone(),
        messages: vec![Message::User("Answer with the word: ready".to_owned())],
        tools: Vec::new(),
        choice: ToolChoice::None,
        max_tokens: 16,
        temperature: None,
        deadline: tokio::time::Instant::now() + Duration::from_secs(30),
    };
    match llm.turn(&ask).await {
        Ok(_) => lines.good(
            "model",
            format!("{} answers at {}", config.model, config.base_url),
        ),
        Err(e) => lines.bad(
            "model",
            format!(
                "{} at {}: {e}; see [model] base_url, api_key and model",
                config.model, config.base_url
            ),
        ),
    }
}

async fn sources(assembled: &Assembled, lines: &mut Lines) {
    let ctx = &assembled.ctx;
    if ctx.config.sources.is_empty() {
        lines.bad(
            "sources",
            "none is configured: add [[sources]]; without one no alert arrives",
        );
    }
    let sources = match pollable(ctx) {
        Ok(sources) => sources,
        Err(e) => return lines.bad("sources", format!("{e:#}")),
    };
    for mut source in sources {
        let name = format!("source {}", source.source.name());
        match source.source.poll(&serde_json::Value::Null).await {
            Ok(batch) => lines.good(
                name,
                format!(
                    "answers; first page: {} alerts, {} unreadable",
                    batch.alerts.len(),
                    batch.rejected.len()
                ),
            ),
            Err(e) => lines.bad(name, e.to_string()),
        }
    }
}

fn tell(lines: Lines, code: u8, out: &Out) -> ExitCode {
    let ok = lines.0.iter().all(|l| l.ok);
    if out.is_json() {
        out.value(&serde_json::json!({"ok": ok, "checks": lines.0}));
    } else {
        for line in &lines.0 {
            let mark = if line.ok {
                out.paint(Tone::Good, "ok  ")
            } else {
                out.paint(Tone::Bad, "FAIL")
            };
            out.line(&format!(
                "{mark} {}: {}",
                line.what,
                crate::text::oneline(&line.detail, 600)
            ));
        }
    }
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(code)
    }
}
