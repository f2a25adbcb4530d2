//! `nightdesk drift`: findings that a rule's alerts are judged otherwise than before, and taking the new pattern for right.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use state::model::{Finding, FindingState};
use state::store::Store;

use crate::config::Config;
use crate::ctx::{Clock, SystemClock};

use super::approvals::person;
use super::output::table;
use super::{Done, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the findings that are open
    List {
        /// Also those that were accepted
        #[arg(long)]
        all: bool,
    },
    /// Take what was found for the new pattern: it becomes the baseline, and closes go on
    Accept {
        /// Numbers of the findings
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
        /// Who accepts; stands in the audit record; only root may name another [default: you]
        #[arg(long)]
        by: Option<String>,
    },
}

pub(super) async fn drift(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let done = match command {
        Command::List { all } => list(&store, (!all).then_some(FindingState::Open), out).await,
        Command::Accept { ids, by } => match person(by) {
            Ok(who) => accept(&store, &ids, &who.name, out).await,
            Err(stranger) => Err(stranger),
        },
    };
    store.close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, state: Option<FindingState>, out: &Out) -> Result<(), Failed> {
    let found = store.findings(state).await?;
    if out.is_json() {
        out.value(&json!({"findings": found}));
    } else if found.is_empty() {
        out.say("no rule is judged otherwise than before");
    } else {
        let header = [
            "id", "found", "source", "rule", "measure", "what", "closes", "state",
        ];
        out.line(&table(&header, found.into_iter().map(row).collect()));
    }
    Ok(())
}

fn row(finding: Finding) -> Vec<String> {
    let open = finding.state == FindingState::Open;
    let closes = match (open, finding.deviation.holds_closing) {
        (true, true) => "need a person",
        _ => "go on",
    };
    let state = match finding.accepted_by {
        Some(by) => format!("{} by {by}", finding.state),
        None => finding.state.to_string(),
    };
    vec![
        finding.id.to_string(),
        finding.at.format("%Y-%m-%d %H:%MZ").to_string(),
        finding.deviation.of.source,
        finding.deviation.of.rule,
        finding.deviation.measure.to_string(),
        finding.deviation.what,
        closes.to_owned(),
        state,
    ]
}

async fn accept(store: &Store, ids: &[i64], by: &str, out: &Out) -> Result<(), Failed> {
    let mut accepted = Vec::new();
    for id in ids {
        accepted.push(store.accept_finding(*id, by, SystemClock.now()).await?);
        if !out.is_json() {
            out.line(&format!("finding {id} is accepted by {by}"));
        }
    }
    if out.is_json() {
        out.value(&json!({"accepted": accepted}));
    }
    Ok(())
}
