//! `nightdesk tools`: the catalogue beside what the servers offer; pinning is `pin`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Subcommand;
use mcp_clients::{ToolBox, ToolDef};
use serde::Serialize;
use serde_json::{Value, json};
use state::model::{Tier, ToolClass};
use state::store::Store;

use crate::catalogue::{Catalogue, PinState, claims, differences, names};
use crate::config::Config;
use crate::daemon::{Assembled, assemble};
use crate::text::oneline;

use super::output::table;
use super::pin::{self, pin};
use super::{Done, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every catalogued and every live tool; a live tool outside the catalogue is denied
    List,
    /// Pin tools as they are now: a tool without a pin, or whose definition is another, is not called
    Pin(pin::Args),
}

/// What the servers offer now.
pub(super) struct Offered {
    /// Tools by server.
    pub(super) live: BTreeMap<String, Vec<ToolDef>>,
    /// Why a server did not say.
    pub(super) down: Vec<String>,
}

pub(super) async fn tools(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open("sqlite::memory:").await?;
    let assembled = assemble(config, store).await?;
    let offered = offered(&assembled).await;
    let done = match command {
        Command::Pin(args) => pin(&assembled.ctx, &offered, &args, out),
        Command::List => {
            list(&assembled.ctx.catalogue, &offered, out);
            Ok(ExitCode::SUCCESS)
        }
    };
    assembled.stop().await;
    done
}

async fn offered(assembled: &Assembled) -> Offered {
    let (mut live, mut down) = (BTreeMap::new(), Vec::new());
    for server in assembled.ctx.config.servers.keys() {
        match assembled.fleet.tools(server).await {
            Ok(tools) => drop(live.insert(server.clone(), tools)),
            Err(e) => down.push(e.to_string()),
        }
    }
    Offered { live, down }
}

/// One tool that is catalogued, live, or both.
#[derive(Debug, Serialize)]
struct Line {
    tool: String,
    class: Option<ToolClass>,
    tiers: Vec<Tier>,
    enabled: bool,
    live: bool,
    pin: Option<PinState>,
    callable: bool,
    denied: Option<String>,
    claims: Value,
    differs: Vec<String>,
}

fn list(catalogue: &Catalogue, offered: &Offered, out: &Out) {
    let lines = lines(catalogue, offered);
    if out.is_json() {
        out.value(&json!({"tools": lines, "unavailable": offered.down}));
        return;
    }
    let header = [
        "tool",
        "class",
        "tiers",
        "enabled",
        "live",
        "pin",
        "server claims (never obeyed)",
    ];
    out.line(&table(&header, lines.iter().map(row).collect()));
    for line in &lines {
        for what in &line.differs {
            out.line(&format!("differs: {}: {what}", oneline(&line.tool, 160)));
        }
        if let (Some(why), Some(_)) = (&line.denied, line.class) {
            out.line(&format!("denied: {}: {why}", oneline(&line.tool, 160)));
        }
    }
    offered.down.iter().for_each(|why| out.complain(why));
}

fn lines(catalogue: &Catalogue, offered: &Offered) -> Vec<Line> {
    let mut names: BTreeSet<(String, String)> = catalogue
        .iter()
        .map(|(_, e)| (e.server.clone(), e.tool.clone()))
        .collect();
    for (server, tools) in &offered.live {
        names.extend(tools.iter().map(|t| (server.clone(), t.name.clone())));
    }
    names
        .into_iter()
        .map(|(server, tool)| line(catalogue, offered, &server, &tool))
        .collect()
}

fn line(catalogue: &Catalogue, offered: &Offered, server: &str, tool: &str) -> Line {
    let name = format!("{server}.{tool}");
    let entry = catalogue.get(&name);
    let tools = offered.live.get(server).map(Vec::as_slice);
    let live = tools.unwrap_or_default().iter().find(|t| t.name == tool);
    let pin = entry
        .zip(live)
        .map(|(e, t)| catalogue.definitions().pins().state(e, t));
    let refused = live.and_then(|_| names::refused(tools.unwrap_or_default()).remove(tool));
    let denied = match (entry, live, pin) {
        (None, ..) => Some("not in the catalogue".to_owned()),
        (_, Some(_), _) if refused.is_some() => refused,
        (Some(e), ..) if !e.spec.enabled => None,
        (_, Some(_), Some(PinState::Unpinned)) => Some(format!(
            "not pinned: review it, then `nightdesk tools pin {name}`"
        )),
        (_, Some(_), Some(PinState::Changed)) => Some(format!(
            "not as pinned: review it, then `nightdesk tools pin {name}`"
        )),
        (_, None, _) if tools.is_some() => Some("its server does not offer it".to_owned()),
        _ => None,
    };
    let annotations = live.map_or(Value::Null, |t| t.annotations.clone());
    Line {
        class: entry.map(|e| e.spec.class),
        tiers: entry.map(|e| e.spec.tiers.clone()).unwrap_or_default(),
        enabled: entry.is_some_and(|e| e.spec.enabled),
        live: live.is_some(),
        pin,
        callable: live.is_some() && denied.is_none() && entry.is_some_and(|e| e.spec.enabled),
        denied,
        differs: entry.map_or_else(Vec::new, |e| differences(e.spec.class, &annotations)),
        claims: annotations,
        tool: name,
    }
}

fn row(line: &Line) -> Vec<String> {
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let tiers: Vec<String> = line.tiers.iter().map(ToString::to_string).collect();
    let class = match line.class {
        Some(class) => class.to_string(),
        None => "denied: not in the catalogue".to_owned(),
    };
    let pin = match line.pin {
        None => "-",
        Some(PinState::Pinned) => "pinned",
        Some(PinState::Unpinned) => "unpinned",
        Some(PinState::Changed) => "CHANGED",
    };
    vec![
        oneline(&line.tool, 80),
        class,
        tiers.join(","),
        yes(line.enabled),
        yes(line.live),
        pin.to_owned(),
        claims(&line.claims),
    ]
}
