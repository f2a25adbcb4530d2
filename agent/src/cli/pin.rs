//! `nightdesk tools pin`: shows what is about to be trusted and writes the lock file; what a pin means is the catalogue's.

use std::path::Path;
use std::process::ExitCode;

use mcp_clients::ToolDef;
use serde::Serialize;
use serde_json::json;

use crate::catalogue::{Entry, PinState, Pins, names};
use crate::ctx::Ctx;
use crate::gate;
use crate::text::oneline;

use super::tools::Offered;
use super::{Done, FAILED, Failed, Out, UNAVAILABLE};

/// What to pin.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tools (server.tool) or servers; without any: every catalogued tool of foreign servers. A definition in which the
    /// scanner found text that speaks to a model is pinned only when it is named here as server.tool.
    names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Step {
    New,
    Changed,
    Same,
    Refused,
    Flagged,
}

#[derive(Debug, Serialize)]
struct Pinned {
    tool: String,
    state: Step,
    why: Option<String>,
    description: String,
}

pub(super) fn pin(ctx: &Ctx, offered: &Offered, args: &Args, out: &Out) -> Done {
    let lock = Pins::path(ctx.config.paths.lock.as_deref());
    let mut pins = ctx.catalogue.definitions().pins().clone();
    let unknown: Vec<&String> = args
        .names
        .iter()
        .filter(|n| {
            ctx.catalogue
                .iter()
                .all(|(name, e)| name != n.as_str() && e.server != **n)
        })
        .collect();
    if let Some(name) = unknown.first() {
        let why = format!(
            "`{}` is no server or tool of the catalogue",
            oneline(name, 100)
        );
        return Err(Failed::new(FAILED, anyhow::anyhow!(why)));
    }
    let mut done = Vec::new();
    for (name, entry) in ctx.catalogue.iter().filter(|(n, e)| wanted(n, e, args)) {
        let tools = offered.live.get(&entry.server);
        let Some(tool) = tools.and_then(|t| t.iter().find(|t| t.name == entry.tool)) else {
            continue;
        };
        let all = tools.map(Vec::as_slice).unwrap_or_default();
        let (state, why) = look(ctx, &pins, (name, entry), (tool, all), args);
        if matches!(state, Step::New | Step::Changed | Step::Same) {
            pins.pin(entry, tool);
        }
        done.push(Pinned {
            tool: name.to_owned(),
            state,
            why,
            description: tool.description.clone(),
        });
    }
    write(&lock, &pins.text())
        .map_err(|e| Failed::new(UNAVAILABLE, anyhow::anyhow!("{}: {e}", lock.display())))?;
    tell(&lock, &done, offered, out);
    let refused = |p: &Pinned| matches!(p.state, Step::Refused | Step::Flagged);
    Ok(match offered.down.is_empty() && !done.iter().any(refused) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    })
}

/// The embedded servers' pins are in the binary: those are pinned only when they are named.
fn wanted(name: &str, entry: &Entry, args: &Args) -> bool {
    match args.names.is_empty() {
        true => entry.embedded.is_none(),
        false => args.names.iter().any(|n| n == name || *n == entry.server),
    }
}

/// What becomes of one tool, and why not.
fn look(
    ctx: &Ctx,
    pins: &Pins,
    listed: (&str, &Entry),
    offered: (&ToolDef, &[ToolDef]),
    args: &Args,
) -> (Step, Option<String>) {
    let ((name, entry), (tool, all)) = (listed, offered);
    if let Some(why) = names::refused(all).remove(&tool.name) {
        return (Step::Refused, Some(why));
    }
    let scan = gate::scan_definition(ctx, tool);
    let hit = scan.hits.first();
    if let Some(hit) = hit.filter(|_| args.names.iter().all(|n| n != name)) {
        let why = format!(
            "its definition speaks to whoever reads it ({}): {}; to pin it all the same: `nightdesk tools pin {name}`",
            hit.family, hit.excerpt
        );
        return (Step::Flagged, Some(why));
    }
    match pins.state(entry, tool) {
        PinState::Pinned => (Step::Same, None),
        PinState::Unpinned => (Step::New, None),
        PinState::Changed => (Step::Changed, None),
    }
}

/// Writes the file whole or not at all.
fn write(lock: &Path, text: &str) -> std::io::Result<()> {
    let mut beside = lock.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, lock)
}

fn tell(lock: &Path, done: &[Pinned], offered: &Offered, out: &Out) {
    if out.is_json() {
        out.value(&json!({"lock": lock, "tools": done, "unavailable": offered.down}));
        return;
    }
    for one in done.iter().filter(|p| p.state != Step::Same) {
        let word = match one.state {
            Step::New => "new",
            Step::Changed => "CHANGED",
            Step::Same => "same",
            Step::Refused | Step::Flagged => "NOT PINNED",
        };
        let what = one.why.as_deref().unwrap_or(&one.description);
        out.line(&format!("{word:<10} {}: {}", one.tool, oneline(what, 400)));
    }
    let pinned = |p: &&Pinned| !matches!(p.state, Step::Refused | Step::Flagged);
    out.line(&format!(
        "{} tools pinned in {}; review the file and keep it with your configuration",
        done.iter().filter(pinned).count(),
        lock.display()
    ));
    offered.down.iter().for_each(|why| out.complain(why));
}
