//! `nightdesk tools` and `nightdesk audit`: the catalogue beside what the servers offer, and the audit chain.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::Subcommand;
use mcp_clients::{ToolBox, ToolDef};
use serde_json::json;
use state::store::Store;

use crate::config::Config;
use crate::daemon::assemble;

use super::output::table;
use super::{DATA, Done, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List every catalogued and every live tool; a live tool outside the catalogue can't be called
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Prove that no record was changed, removed or moved
    Verify,
    /// Print the records as JSON lines, oldest first
    Export {
        /// Only this case, for instance ND-12
        #[arg(long)]
        case: Option<state::model::CaseId>,
    },
}

pub(super) async fn tools(config: Config, command: Command, out: &Out) -> Done {
    let Command::List = command;
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
    let catalogue = &assembled.ctx.catalogue;
    let mut names: Vec<&str> = catalogue
        .iter()
        .map(|(n, _)| n)
        .chain(live.keys().map(String::as_str))
        .collect();
    names.sort_unstable();
    names.dedup();
    let lines: Vec<_> = names
        .into_iter()
        .map(|name| {
            let entry = catalogue.get(name).map(|e| &e.spec);
            let tool = live.get(name);
            let claims = tool.map_or(serde_json::Value::Null, |t| t.annotations.clone());
            json!({
                "tool": name,
                "class": entry.map(|s| s.class),
                "tiers": entry.map(|s| s.tiers.clone()),
                "enabled": entry.is_some_and(|s| s.enabled),
                "live": tool.is_some(),
                "callable": entry.is_some_and(|s| s.enabled) && tool.is_some(),
                "claims": claims,
            })
        })
        .collect();
    assembled.stop().await;
    if out.is_json() {
        out.value(&json!({"tools": lines, "unavailable": down}));
    } else {
        let text = |v: &serde_json::Value| match v {
            serde_json::Value::Null => "-".to_owned(),
            serde_json::Value::String(s) => s.clone(),
            other => other.to_string(),
        };
        let rows = lines
            .iter()
            .map(|l| {
                let denied = if l["class"].is_null() {
                    "denied: not in the catalogue".to_owned()
                } else {
                    text(&l["class"])
                };
                vec![
                    text(&l["tool"]),
                    denied,
                    text(&l["tiers"]),
                    text(&l["enabled"]),
                    text(&l["live"]),
                    text(&l["claims"]),
                ]
            })
            .collect();
        out.line(&table(
            &[
                "tool",
                "class",
                "tiers",
                "enabled",
                "live",
                "server claims (never obeyed)",
            ],
            rows,
        ));
        for why in &down {
            out.complain(why);
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn audit(config: Config, command: AuditCommand, out: &Out) -> Done {
    let store = Store::open(&config.store.url).await?;
    match command {
        AuditCommand::Verify => match store.verify_audit().await {
            Ok(report) if out.is_json() => {
                out.value(&json!({"ok": true, "entries": report.entries, "head": report.head}))
            }
            Ok(report) => out.line(&format!(
                "ok: {} records, head {}",
                report.entries, report.head
            )),
            Err(fault) => return Err(Failed::new(DATA, fault)),
        },
        AuditCommand::Export { case } => {
            let mut from = 1;
            loop {
                let entries = match case {
                    Some(case) => store.audit_of(case).await?,
                    None => store.audit(from, 1000).await?,
                };
                for e in &entries {
                    out.line(
                        &json!({"seq": e.seq, "at": e.at, "hash": e.hash, "entry": e.entry})
                            .to_string(),
                    );
                }
                match entries.last() {
                    Some(last) if case.is_none() => from = last.seq + 1,
                    _ => break,
                }
            }
        }
    }
    store.close().await;
    Ok(ExitCode::SUCCESS)
}
