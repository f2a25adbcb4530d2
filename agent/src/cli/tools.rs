//! `nightdesk tools`: the catalogue beside what the servers offer, and the pins.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use mcp_clients::{ToolBox, ToolDef};
use serde_json::{Value, json};
use state::store::Store;

use crate::catalogue::{Catalogue, Pins};
use crate::config::Config;
use crate::daemon::assemble;

use super::output::table;
use super::{Done, FAILED, Failed, Out, UNAVAILABLE};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every catalogued and every live tool; a live tool outside the catalogue can't be called
    List,
    /// Pin the catalogued tools as they are now: from then on a changed definition is not called
    Pin,
}

pub(super) async fn tools(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open("sqlite::memory:").await?;
    let assembled = assemble(config, store).await?;
    let mut live: BTreeMap<String, ToolDef> = BTreeMap::new();
    let mut down: Vec<String> = Vec::new();
    for server in assembled.ctx.config.servers.keys() {
        match assembled.fleet.tools(server).await {
            Ok(tools) => live.extend(
                tools
                    .into_iter()
                    .map(|t| (format!("{server}.{}", t.name), t)),
            ),
            Err(e) => down.push(e.to_string()),
        }
    }
    let lock = Pins::path(assembled.ctx.config.paths.lock.as_deref());
    let pins = assembled.ctx.schemas.pins().clone();
    let lines = lines(&assembled.ctx.catalogue, &live, &pins);
    let listed = |name: &String| assembled.ctx.catalogue.get(name).is_some();
    live.retain(|name, _| listed(name));
    assembled.stop().await;
    if let Command::Pin = command {
        return pin(&lock, pins, (&live, &down), out);
    }
    if out.is_json() {
        out.value(&json!({"tools": lines, "unavailable": down}));
        return Ok(ExitCode::SUCCESS);
    }
    let rows = lines.iter().map(row).collect();
    let header = [
        "tool",
        "class",
        "tiers",
        "enabled",
        "live",
        "pin",
        "server claims (never obeyed)",
    ];
    out.line(&table(&header, rows));
    for why in &down {
        out.complain(why);
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the lock file anew for every server that answered; pins of a server that is down stay.
fn pin(
    lock: &Path,
    mut pins: Pins,
    found: (&BTreeMap<String, ToolDef>, &[String]),
    out: &Out,
) -> Done {
    let (live, down) = found;
    for (name, tool) in live {
        pins.pin(name, tool);
    }
    let written = std::fs::write(lock, pins.text());
    written.map_err(|e| Failed::new(UNAVAILABLE, anyhow::anyhow!("{}: {e}", lock.display())))?;
    if out.is_json() {
        out.value(
            &json!({"lock": lock, "pinned": live.keys().collect::<Vec<_>>(), "unavailable": down}),
        );
    } else {
        out.line(&format!(
            "{} tools pinned in {}; review the file and keep it with your configuration",
            live.len(),
            lock.display()
        ));
        down.iter().for_each(|why| out.complain(why));
    }
    Ok(if down.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// One object for every tool that is catalogued or live.
fn lines(catalogue: &Catalogue, live: &BTreeMap<String, ToolDef>, pins: &Pins) -> Vec<Value> {
    let mut names: Vec<&str> = catalogue.iter().map(|(n, _)| n).collect();
    names.extend(live.keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    let line = |name: &str| {
        let entry = catalogue.get(name).map(|e| &e.spec);
        let tool = live.get(name);
        json!({
            "tool": name,
            "class": entry.map(|s| s.class),
            "tiers": entry.map(|s| s.tiers.clone()),
            "enabled": entry.is_some_and(|s| s.enabled),
            "live": tool.is_some(),
            "pin": tool.map(|t| pins.state(name, t)),
            "callable": entry.is_some_and(|s| s.enabled) && tool.is_some(),
            "claims": tool.map_or(Value::Null, |t| t.annotations.clone()),
        })
    };
    names.into_iter().map(line).collect()
}

fn row(line: &Value) -> Vec<String> {
    let text = |key: &str| match &line[key] {
        Value::Null => "-".to_owned(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    let class = match &line["class"] {
        Value::Null => "denied: not in the catalogue".to_owned(),
        _ => text("class"),
    };
    vec![
        text("tool"),
        class,
        text("tiers"),
        text("enabled"),
        text("live"),
        text("pin"),
        claims(&line["claims"]),
    ]
}

/// What a server says of a tool, in the words of MCP's hints.
fn claims(annotations: &Value) -> String {
    let hint = |key: &str| annotations.get(key).and_then(Value::as_bool);
    let words = [
        ("readOnlyHint", "read-only", "changes things"),
        ("destructiveHint", "destructive", ""),
        ("openWorldHint", "reaches outside", ""),
    ];
    let said = words
        .iter()
        .filter_map(|(key, yes, no)| hint(key).map(|h| if h { *yes } else { *no }));
    let said: Vec<&str> = said.filter(|w| !w.is_empty()).collect();
    if said.is_empty() {
        "nothing".to_owned()
    } else {
        said.join(", ")
    }
}
