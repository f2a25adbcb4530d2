//! `nightdesk learn`: what people's verdicts would change in weights and priors, its effect, and the file for review.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use state::store::Store;

use crate::config::{Config, ConfigFault, ConfigFaults};
use crate::ctx::{Clock, SystemClock};
use crate::data::{Folder, PLAYBOOKS, sha256_hex};
use crate::eval::Rate;
use crate::learn::{Change, Effect, Proposal, file, propose};
use crate::playbook::Library;

use super::approvals::person;
use super::output::table;
use super::{CONFIG, Done, FAILED, Failed, Out, UNAVAILABLE};

/// What to do with what was learned.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write it to [paths] learned for review; it counts once `nightdesk check --accept` has recorded it and the daemon has started again
    #[arg(long)]
    write: bool,
    /// Who writes it; stands in the file and in the audit record; only root may name another [default: you]
    #[arg(long)]
    by: Option<String>,
}

pub(super) async fn learn(config: Config, args: Args, out: &Out) -> Done {
    let library = shipped(&config)?;
    let store = Store::open_existing(&config.store.url).await?;
    let done = learned(&store, (&config, &library), args, out).await;
    store.close().await;
    done
}

async fn learned(
    store: &Store,
    (config, library): (&Config, &Library),
    args: Args,
    out: &Out,
) -> Done {
    let proposal = propose(store, library).await?;
    let mut written = None;
    if args.write && proposal.refused.is_none() {
        written = Some(write(store, config, &proposal, args.by.clone()).await?);
    }
    if out.is_json() {
        out.value(&json!({"proposal": proposal, "written": written}));
    } else {
        show(&proposal, out);
        out.say(&next(&args, written.as_deref()));
    }
    Ok(match args.write && written.is_none() {
        true => ExitCode::from(FAILED),
        false => ExitCode::SUCCESS,
    })
}

/// The playbooks without learned weights: what is shipped, or written by the operator, is what is refitted.
fn shipped(config: &Config) -> Result<Library, Failed> {
    let fault = |message: String| ConfigFault {
        place: "playbooks".to_owned(),
        key: String::new(),
        message,
    };
    let folder = Folder::open(&PLAYBOOKS, config.paths.playbooks.as_deref())
        .map_err(|e| ConfigFaults(vec![fault(e)]))?;
    let library = Library::load(&folder, &config.queries);
    Ok(library
        .map_err(|found| ConfigFaults(found.iter().map(|f| fault(f.to_string())).collect()))?)
}

/// Writes the file, whole or not at all; the audit record stands before it does.
async fn write(
    store: &Store,
    config: &Config,
    proposal: &Proposal,
    by: Option<String>,
) -> Result<PathBuf, Failed> {
    let who = person(by)?;
    let (by, channel) = (who.name, who.channel);
    let path = config.paths.learned_file().ok_or_else(|| {
        let why = "there is no place for the weights: name one in [paths] learned";
        Failed::new(CONFIG, anyhow::anyhow!(why))
    })?;
    let now = SystemClock.now();
    let text = file(proposal, (&by, now))?;
    let record = json!({"kind": "learned", "by": by, "channel": channel, "file": path, "sha256": sha256_hex(&text),
        "verdicts": proposal.verdicts, "changes": proposal.changes.len()});
    store.append_audit(now, &record).await?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let put = || std::fs::write(&new, &text).and_then(|()| std::fs::rename(&new, &path));
    put()
        .with_context(|| format!("{}: can't be written; see [paths] learned", path.display()))
        .map_err(|e| Failed::new(UNAVAILABLE, e))?;
    Ok(path)
}

fn show(proposal: &Proposal, out: &Out) {
    let (attacks, harmless) = proposal.cases;
    out.line(&format!(
        "{} verdicts of people, {} of them malicious: {attacks} cases with an attack, {harmless} without",
        proposal.verdicts, proposal.malicious
    ));
    for (why, n) in &proposal.left_out {
        out.line(&format!("  {n} left out: {why}"));
    }
    if !proposal.changes.is_empty() {
        let header = ["log-odds of malicious", "shipped", "learned", "verdicts"];
        out.line(&table(
            &header,
            proposal.changes.iter().map(change).collect(),
        ));
    }
    if let Some(effect) = &proposal.effect {
        out.line(&format!(
            "Effect on {} verdicts, each judged by what the others teach ({} parts by case):",
            effect.verdicts, effect.folds
        ));
        let header = ["figure", "shipped", "learned"];
        out.line(&table(&header, figures(effect)));
    }
    if let Some(why) = &proposal.refused {
        out.line(&format!("not to be written: {why}"));
    }
}

fn change(change: &Change) -> Vec<String> {
    vec![
        change.what.to_string(),
        format!("{:+.3}", change.shipped),
        format!("{:+.3}", change.learned),
        change.verdicts.to_string(),
    ]
}

fn figures(effect: &Effect) -> Vec<Vec<String>> {
    let (before, after) = (&effect.before, &effect.after);
    let number = |name: &str, was: f64, is: f64| {
        vec![name.to_owned(), format!("{was:.4}"), format!("{is:.4}")]
    };
    let share = |name: &str, was: Rate, is: Rate| {
        let told = |r: Rate| format!("{}/{}", r.k, r.n);
        vec![name.to_owned(), told(was), told(is)]
    };
    vec![
        number("log loss", before.log_loss, after.log_loss),
        number("Brier score", before.brier, after.brier),
        share(
            "malicious below the threshold for closing",
            before.missed_true_positives,
            after.missed_true_positives,
        ),
        share(
            "harmless below the threshold for closing",
            before.coverage,
            after.coverage,
        ),
    ]
}

/// What is to be done now.
fn next(args: &Args, written: Option<&Path>) -> String {
    match (args.write, written) {
        (_, Some(path)) => format!(
            "written to {}: review it, run `nightdesk check --accept` and start the daemon again",
            path.display()
        ),
        (true, None) => "nothing is written".to_owned(),
        (false, None) => "nothing is written without --write".to_owned(),
    }
}
