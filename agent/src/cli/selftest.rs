//! `nightdesk selftest`: one line a safety control, what was attempted and what stopped it; trying them is the room's.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;

use crate::selftest::{Bench, Outcome, run};

use super::output::{Tone, column};
use super::{Done, FAILED, Failed, Out};

/// Which controls.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only controls whose name holds this, or those of one rule: --only "rule 4"
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
}

pub(super) async fn selftest(args: Args, out: &Out) -> Done {
    let began = Instant::now();
    let program = std::env::current_exe().context("the program's own path is not known")?;
    out.say("selftest: starting five servers over a scratch lab; nothing of yours is used");
    let bench = Bench::start(&program).await?;
    let outcomes = run(&bench, args.only.as_deref(), |outcome| {
        if !out.is_json() {
            out.line(&line(outcome, out));
        }
    })
    .await;
    bench.stop().await;
    if outcomes.is_empty() {
        let why =
            "--only picks no control: write a rule (\"rule 4\") or a word of a control's name";
        return Err(Failed::new(FAILED, anyhow::anyhow!(why)));
    }
    let held = outcomes.iter().filter(|o| o.held).count();
    let failed = outcomes.len() - held;
    let seconds = began.elapsed().as_secs_f64();
    if out.is_json() {
        out.value(
            &json!({"controls": outcomes, "held": held, "failed": failed, "seconds": seconds}),
        );
    } else {
        out.line(&format!(
            "\n{} controls, {held} held, {failed} failed, in {seconds:.1} s",
            outcomes.len()
        ));
    }
    Ok(match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(FAILED),
    })
}

fn line(outcome: &Outcome, out: &Out) -> String {
    let word = match outcome.held {
        true => out.paint(Tone::Good, "pass"),
        false => out.paint(Tone::Bad, "FAIL"),
    };
    format!(
        "{word}  {}{}: {}; {}",
        column(&format!("rule {}", outcome.rule), 9),
        outcome.control,
        outcome.attempted,
        outcome.what
    )
}
