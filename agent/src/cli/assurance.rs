//! `nightdesk assurance`: the golden lab by hand, and earlier runs; what a run demands is the room `assurance`'s.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use state::model::{AssuranceRun, Switch, SwitchState, Turn};
use state::store::Store;

use crate::assurance::run;
use crate::config::Config;
use crate::ctx::SystemClock;

use super::output::{Tone, table};
use super::{Done, FAILED, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Work the lab now; below its floor closing is switched off and the exit code is 1
    Run {
        /// Only tell: keep no record and switch nothing off
        #[arg(long)]
        dry_run: bool,
    },
    /// List the last runs
    List,
}

pub(super) async fn assurance(config: Config, command: Command, out: &Out) -> Done {
    match command {
        Command::Run { dry_run } => {
            let program = std::env::current_exe();
            let program = program.context("the program's own path is not known")?;
            let ran = run(&config, &program, &SystemClock).await;
            let closing = match dry_run {
                true => None,
                false => keep(&config, &ran).await?,
            };
            told(&ran, closing.as_ref(), out);
            Ok(match ran.passed {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(FAILED),
            })
        }
        Command::List => list(&config, out).await,
    }
}

/// Keeps the run; gives how closing stands now.
async fn keep(config: &Config, ran: &AssuranceRun) -> Result<Option<Turn>, Failed> {
    let store = Store::open_existing(&config.store.url).await?;
    let kept = store.add_assurance(ran).await;
    let closing = store.switch(Switch::Closing).await;
    store.close().await;
    kept?;
    Ok(closing?)
}

fn told(ran: &AssuranceRun, closing: Option<&Turn>, out: &Out) {
    let off = closing.is_some_and(|turn| turn.state == SwitchState::Off);
    if out.is_json() {
        return out.value(&json!({"run": ran, "closing_off": off}));
    }
    let mark = match ran.passed {
        true => out.paint(Tone::Good, "ok  "),
        false => out.paint(Tone::Bad, "FAIL"),
    };
    let why = crate::text::oneline(&ran.why, 600);
    out.line(&format!("{mark} {}: {why}", ran.lab));
    if off {
        out.say("closing is off until `nightdesk resume --only closing --why TEXT`");
    }
}

async fn list(config: &Config, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let runs = store.assurance_runs(50).await;
    store.close().await;
    let runs = runs?;
    if out.is_json() {
        out.value(&json!({"runs": runs}));
        return Ok(ExitCode::SUCCESS);
    }
    if runs.is_empty() {
        out.say("no run yet");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = runs.into_iter().map(|run| {
        let passed = if run.passed { "passed" } else { "failed" };
        vec![
            run.at.format("%Y-%m-%d %H:%MZ").to_string(),
            run.lab,
            passed.to_owned(),
            run.why,
        ]
    });
    out.line(&table(&["at", "lab", "came out", "why"], rows.collect()));
    Ok(ExitCode::SUCCESS)
}
