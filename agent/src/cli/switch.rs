//! `nightdesk pause` and `nightdesk resume`: closing and outside effects off and on, with a name and a reason.

use std::process::ExitCode;

use serde_json::json;
use state::model::{FindingState, Switch, SwitchState, Turn};
use state::store::{Result, Store};

use crate::config::Config;
use crate::ctx::{Clock, SystemClock};
use crate::gate::{paused_by_file, switched_off};
use crate::text::oneline;

use super::approvals::person;
use super::check::Lines;
use super::{Done, Out};

/// What to turn, and why.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// closing or effects; both unless given
    #[arg(long)]
    only: Option<Switch>,
    /// Why; stands in the audit record and in every case that is kept from closing
    #[arg(long, value_parser = reason)]
    why: String,
    /// Who; stands in the audit record; only root may name another [default: you]
    #[arg(long)]
    by: Option<String>,
}

fn reason(text: &str) -> std::result::Result<String, String> {
    match oneline(text.trim(), 300) {
        empty if empty.is_empty() => Err("say why: --why TEXT".to_owned()),
        text => Ok(text),
    }
}

pub(super) async fn turn(config: Config, args: Args, state: SwitchState, out: &Out) -> Done {
    let by = person(args.by)?.name;
    let store = Store::open_existing(&config.store.url).await?;
    let at = SystemClock.now();
    let switches = args.only.as_ref().map_or(Switch::ALL, std::slice::from_ref);
    let turns: Vec<Turn> = switches
        .iter()
        .map(|switch| Turn {
            switch: *switch,
            state,
            by: by.clone(),
            why: args.why.clone(),
            at,
        })
        .collect();
    let turned = store.turn_switches(&turns).await;
    store.close().await;
    turned?;
    let file = paused_by_file(&config.closing.pause_file).await;
    if out.is_json() {
        out.value(&json!({"switches": turns, "pause_file": file}));
        return Ok(ExitCode::SUCCESS);
    }
    for turn in &turns {
        out.line(&format!("{} is {}: {}", turn.switch, turn.state, turn.why));
    }
    if let Some(why) = file.filter(|_| state == SwitchState::On) {
        out.say(&format!("both stay off all the same: {why}; remove it"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what is off, if anything is.
pub(super) async fn tell_paused(store: &Store, config: &Config, out: &Out) {
    for switch in Switch::ALL {
        if let Some(why) = switched_off(store, &config.closing.pause_file, *switch).await {
            out.say(&format!("{switch} is off: {}", oneline(&why, 300)));
        }
    }
}

/// For `nightdesk check` before there is a store: the pause file alone.
pub(super) async fn check_file(config: &Config, lines: &mut Lines) {
    if let Some(why) = paused_by_file(&config.closing.pause_file).await {
        lines.bad(
            "closing and effects",
            format!("off: {why}; remove the file"),
        );
    }
}

/// For `nightdesk check`: switches, the last canary, open findings.
pub(super) async fn check(store: &Store, config: &Config, lines: &mut Lines) -> Result<()> {
    for switch in Switch::ALL {
        match switched_off(store, &config.closing.pause_file, *switch).await {
            Some(why) => lines.bad(
                switch.as_str(),
                format!("off: {why}; `nightdesk resume --why TEXT` or removing the pause file switches it on"),
            ),
            None => lines.good(switch.as_str(), "not switched off"),
        }
    }
    let canary = match store.canaries(1).await?.first() {
        Some(run) => format!("{} at {}: {}", run.state, run.at.to_rfc3339(), run.why),
        None if config.closing.canary.enabled => "none sent yet".to_owned(),
        None => {
            "[closing.canary] enabled = false: nobody checks that known bad alerts are escalated"
                .to_owned()
        }
    };
    lines.good("canary", canary);
    let assurance = match store.assurance_runs(1).await?.first() {
        Some(run) => {
            let passed = if run.passed { "passed" } else { "failed" };
            format!("{passed} at {}: {}", run.at.to_rfc3339(), run.why)
        }
        None if config.closing.assurance.enabled => "no run yet".to_owned(),
        None => {
            "[closing.assurance] enabled = false: nobody checks what a golden lab would have closed"
                .to_owned()
        }
    };
    lines.good("assurance", assurance);
    let open = store.findings(Some(FindingState::Open)).await?;
    let holding = open.iter().filter(|f| f.deviation.holds_closing).count();
    let detail = match open.len() {
        0 => "no rule is judged otherwise than before".to_owned(),
        n => format!(
            "{n} findings open, {holding} keep closes with a person: see `nightdesk drift list`"
        ),
    };
    lines.good("off-pattern", detail);
    Ok(())
}
