//! `nightdesk playbook`: the library in force listed, shown, checked and tested; alerts are worked elsewhere.

mod show;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use tempfile::TempDir;

use crate::config::{self, Config, ConfigFault, ConfigFaults};
use crate::daemon::{Data, data};
use crate::drill::{self, Outcome, Which};
use crate::playbook::Entry;
use crate::text::oneline;

use super::check::Lines;
use super::output::{Tone, table};
use super::{DATA, Done, FAILED, Failed, Out, USAGE};
use show::Format;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the playbooks in force, the one asked first on top
    List,
    /// Show one playbook: whom it is for, its steps by tier, signals, thresholds and responses
    Show {
        /// Its id
        name: String,
        /// As what
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check playbooks and run their tests; every fault is told with its place
    Check {
        /// Ids of playbooks in force, or files that would be laid over them; all when none is given
        #[arg(value_name = "FILE|NAME")]
        what: Vec<String>,
    },
    /// Run the unit tests of playbooks, `playbooks/tests/NAME.yaml`
    Test {
        /// Ids; all when none is given
        names: Vec<String>,
    },
}

pub(super) async fn playbook(named: Option<&Path>, command: Command, out: &Out) -> Done {
    let config = match config::find(named) {
        Some(path) => config::load(&path)?,
        None => Config::default(),
    };
    match command {
        Command::List => {
            list(&data(&config)?, out);
            Ok(ExitCode::SUCCESS)
        }
        Command::Show { name, format } => {
            let data = data(&config)?;
            let entry = data.library.get(&name).ok_or_else(|| no_such(&name))?;
            show::show(&data.library, entry, format, out);
            Ok(ExitCode::SUCCESS)
        }
        Command::Check { what } => check(config, &what, out).await,
        Command::Test { names } => test(&config, &names, out).await,
    }
}

fn no_such(name: &str) -> Failed {
    let why = format!("there is no playbook `{name}`; `nightdesk playbook list` names them");
    Failed::new(USAGE, anyhow::anyhow!(why))
}

/// Where a playbook is from.
fn from(entry: &Entry) -> &'static str {
    if entry.own { "own folder" } else { "shipped" }
}

fn list(data: &Data, out: &Out) {
    let entries = data.library.entries();
    if out.is_json() {
        let rows: Vec<_> = entries
            .iter()
            .map(|e| {
                json!({"id": e.playbook.id, "title": e.playbook.title, "priority": e.playbook.priority,
                    "from": from(e), "closes": e.playbook.scoring.close.is_some(), "hash": e.hash})
            })
            .collect();
        return out.value(&rows);
    }
    let rows = entries.iter().map(|e| {
        let p = &e.playbook;
        vec![
            p.id.clone(),
            p.priority.to_string(),
            from(e).to_owned(),
            p.title.clone(),
        ]
    });
    out.line(&table(&["id", "priority", "from", "title"], rows.collect()));
}

async fn check(mut config: Config, what: &[String], out: &Out) -> Done {
    let (files, names): (Vec<_>, Vec<_>) = what.iter().partition(|w| is_file(w));
    let files: Vec<PathBuf> = files.into_iter().map(PathBuf::from).collect();
    // Kept until the tests have run.
    let _scratch = laid_over(&mut config, &files)?;
    let mut only: Vec<String> = names.into_iter().cloned().collect();
    let stems = files.iter().filter_map(|f| f.file_stem());
    only.extend(stems.map(|s| s.to_string_lossy().into_owned()));
    // What several playbooks use is tried on all of them.
    if files.iter().filter_map(|f| under(f)).any(|u| u != "tests") {
        only.clear();
    }
    let faults = match data(&config) {
        Ok(data) => {
            if let Some(name) = only.iter().find(|n| data.library.get(n).is_none()) {
                return Err(no_such(name));
            }
            Vec::new()
        }
        Err(ConfigFaults(faults)) => of(faults, &only),
    };
    let outcomes = match faults.is_empty() {
        true => drill::run(&config.paths, Which::Named(&only)).await?,
        false => Vec::new(),
    };
    let code = match faults.as_slice() {
        [] => ended(&outcomes),
        _ => ExitCode::from(FAILED),
    };
    if out.is_json() {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        out.value(&json!({"ok": code == ExitCode::SUCCESS, "faults": faults, "tests": outcomes}));
    } else {
        for fault in &faults {
            let mark = out.paint(Tone::Bad, "FAIL");
            out.line(&format!("{mark} {}", oneline(&fault.to_string(), 600)));
        }
        if faults.is_empty() {
            let mark = out.paint(Tone::Good, "ok  ");
            out.line(&format!("{mark} every data file of the playbooks is right"));
            told(&outcomes, out);
        }
    }
    Ok(code)
}

/// A name is a file when it looks like one: a playbook's id has neither ending nor folder.
fn is_file(what: &str) -> bool {
    what.contains(['/', '\\']) || what.ends_with(".yaml")
}

/// The folder of the playbooks in which a file belongs, when it is not the top.
fn under(file: &Path) -> Option<&str> {
    let parent = file.parent()?.file_name()?.to_str()?;
    ["shared", "terms", "tests", "queries", "attack"]
        .into_iter()
        .find(|known| *known == parent)
}

/// The operator's folder with these files laid over it, in a scratch folder that the configuration then names.
fn laid_over(config: &mut Config, files: &[PathBuf]) -> Result<Option<TempDir>, Failed> {
    if files.is_empty() {
        return Ok(None);
    }
    let made = || -> anyhow::Result<TempDir> {
        let scratch = TempDir::new().context("no scratch folder can be made; see TMPDIR")?;
        if let Some(own) = &config.paths.playbooks {
            copy(own, scratch.path())?;
        }
        for file in files {
            let to = scratch.path().join(under(file).unwrap_or_default());
            std::fs::create_dir_all(&to)?;
            let name = file.file_name().context("it has no file name")?;
            std::fs::copy(file, to.join(name))
                .with_context(|| format!("{} can't be read", file.display()))?;
        }
        Ok(scratch)
    };
    let scratch = made().map_err(|e| Failed::new(DATA, e))?;
    config.paths.playbooks = Some(scratch.path().to_owned());
    Ok(Some(scratch))
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let read = std::fs::read_dir(from).with_context(|| from.display().to_string())?;
    for entry in read {
        let (path, name) = entry.map(|e| (e.path(), e.file_name()))?;
        if path.is_dir() {
            std::fs::create_dir_all(to.join(&name))?;
            copy(&path, &to.join(&name))?;
        } else {
            std::fs::copy(&path, to.join(&name))
                .with_context(|| format!("{} can't be read", path.display()))?;
        }
    }
    Ok(())
}

/// The faults of the playbooks, and when some are named, of those alone.
fn of(faults: Vec<ConfigFault>, only: &[String]) -> Vec<ConfigFault> {
    let ours = faults.into_iter().filter(|f| f.place == "playbooks");
    let (named, others): (Vec<_>, Vec<_>) = ours.partition(|f| {
        let about = |name: &String| f.message.contains(&format!("{name}.yaml"));
        only.is_empty() || only.iter().any(about)
    });
    // What keeps the library from being read at all is told whatever was asked for.
    if named.is_empty() { others } else { named }
}

async fn test(config: &Config, names: &[String], out: &Out) -> Done {
    let library = data(config)?.library;
    if let Some(name) = names.iter().find(|n| library.get(n).is_none()) {
        return Err(no_such(name));
    }
    let outcomes = drill::run(&config.paths, Which::Named(names)).await?;
    let without = |name: &&String| outcomes.iter().all(|o| o.playbook != **name);
    if let Some(name) = names.iter().find(without) {
        let why = format!("{name} has no tests: write playbooks/tests/{name}.yaml");
        return Err(Failed::new(FAILED, anyhow::anyhow!(why)));
    }
    if out.is_json() {
        out.value(&outcomes);
    } else {
        told(&outcomes, out);
    }
    Ok(ended(&outcomes))
}

/// Each case with what was missed, and the sum.
fn told(outcomes: &[Outcome], out: &Out) {
    for outcome in outcomes {
        let mark = match outcome.passed {
            true => out.paint(Tone::Good, "ok  "),
            false => out.paint(Tone::Bad, "FAIL"),
        };
        out.line(&format!("{mark} {}: {}", outcome.playbook, outcome.case));
        for fault in &outcome.faults {
            out.line(&format!("       {}", oneline(fault, 400)));
        }
    }
    if outcomes.is_empty() {
        return out.line("there are no cases: write them to tests/NAME.yaml beside the playbook");
    }
    let passed = outcomes.iter().filter(|o| o.passed).count();
    out.line(&format!("{passed} of {} cases pass", outcomes.len()));
}

fn ended(outcomes: &[Outcome]) -> ExitCode {
    match outcomes.iter().all(|o| o.passed) {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FAILED),
    }
}

/// The same tests as a part of `nightdesk check`: of what the operator's files change.
pub(super) async fn tests(config: &Config, lines: &mut Lines) {
    let outcomes = match drill::run(&config.paths, Which::Changed).await {
        Ok(outcomes) => outcomes,
        Err(e) => return lines.bad("playbook tests", format!("{e:#}")),
    };
    let failing = outcomes.iter().filter(|o| !o.passed);
    for outcome in failing.clone() {
        let detail = format!(
            "{}: {}; correct the playbook, or the test if the playbook is as you want it",
            outcome.case,
            outcome.faults.join("; ")
        );
        lines.bad(format!("playbook test {}", outcome.playbook), detail);
    }
    let passed = outcomes.len() - failing.count();
    if passed == outcomes.len() {
        let told = "cases pass: worked where your files change the playbook, else asked whether it is still chosen";
        lines.good("playbook tests", format!("all {passed} {told}"));
    }
}
