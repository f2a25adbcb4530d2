//! `nightdesk demo`: the bundled lab through the real pipeline; nothing in it is seeded.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use state::model::{CaseId, VerdictKind};
use state::store::{CaseFilter, Store};

use crate::config::{CloseMode, Config};
use crate::ctx::Ctx;
use crate::daemon::{assemble, pollable, work_until_empty};
use crate::eval::{DEMO_MARK, lab_config};

use super::run::{Teller, summary};
use super::{Done, Failed, Out, UNAVAILABLE};

/// Where the demo works.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder for the lab's files and the store [default: nightdesk-demo]
    #[arg(long, value_name = "DIR", default_value = "nightdesk-demo")]
    dir: PathBuf,
    /// Work this lab folder instead of the bundled one
    #[arg(long, value_name = "LAB")]
    lab: Option<PathBuf>,
}

pub(super) async fn demo(args: Args, out: &Out) -> Done {
    let began = Instant::now();
    let dir = prepare(&args).map_err(|e| Failed::new(UNAVAILABLE, e))?;
    let lab = match &args.lab {
        Some(lab) => lab
            .canonicalize()
            .with_context(|| format!("{}: there is no such lab", lab.display()))?,
        None => dir.join("lab"),
    };
    let mut base = Config::default();
    base.closing.mode = CloseMode::Auto;
    base.closing.without_sample();
    base.closing.pause_file = dir.join("nightdesk.pause");
    // The lab answers in milliseconds: more workers than this only cost memory.
    base.run.workers = 2;
    base.store.url = format!("sqlite:{}", dir.join("nightdesk.db").display());
    let program = std::env::current_exe().context("the program's own path is not known")?;
    let config = lab_config(&program, &lab, base)?;
    write_config(&dir, &program, &lab)?;
    let store = Store::open_exclusive(&config.store.url).await?;
    if !out.is_json() {
        out.say(&format!("nightdesk demo: lab {} with 8 MCP servers as child processes, playbook analyst, store {}", lab.display(), config.store.url));
    }
    let assembled = assemble(config, store).await?;
    let sources = pollable(&assembled.ctx)?
        .into_iter()
        .map(|p| p.source)
        .collect();
    let mut teller = Teller::new(*out, assembled.ctx.clone());
    let worked = work_until_empty(&assembled.ctx, sources, &mut teller).await;
    let told = teller.finish();
    if worked.is_ok() {
        summary(&assembled.ctx, out, &told, began.elapsed()).await?;
        if !out.is_json() {
            hints(&assembled.ctx, out, &dir).await?;
        }
    }
    assembled.stop().await;
    worked?;
    Ok(ExitCode::SUCCESS)
}

/// A fresh folder with the lab unpacked; an earlier demo's store is removed, nothing else is touched.
fn prepare(args: &Args) -> anyhow::Result<PathBuf> {
    let settings = args.dir.join("nightdesk.toml");
    let ours = std::fs::read_to_string(&settings).map(|t| t.starts_with(DEMO_MARK));
    let foreign = match ours {
        Ok(ours) => !ours,
        Err(_) => args.dir.join("nightdesk.db").exists(),
    };
    anyhow::ensure!(
        !foreign,
        "{}: holds a nightdesk that no demo made; name another folder with --dir",
        args.dir.display()
    );
    let made = || -> std::io::Result<PathBuf> {
        std::fs::create_dir_all(&args.dir)?;
        let dir = args.dir.canonicalize()?;
        for name in [
            "nightdesk.db",
            "nightdesk.db-wal",
            "nightdesk.db-shm",
            "nightdesk.anchors",
        ] {
            match std::fs::remove_file(dir.join(name)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        if args.lab.is_none() {
            lab::demo::write_to(&dir.join("lab"))?;
        }
        Ok(dir)
    };
    made().with_context(|| {
        format!(
            "{}: the demo can't write here; name another folder with --dir",
            args.dir.display()
        )
    })
}

/// The demo's own configuration, so that `case`, `tools` and `run` work on it afterwards.
fn write_config(dir: &Path, program: &Path, lab: &Path) -> anyhow::Result<()> {
    let store = format!("sqlite:{}", dir.join("nightdesk.db").display());
    let text = crate::eval::lab_settings(program, lab, &store)?;
    let path = dir.join("nightdesk.toml");
    std::fs::write(&path, text).with_context(|| format!("{} can't be written", path.display()))
}

async fn hints(ctx: &Ctx, out: &Out, dir: &Path) -> Result<(), Failed> {
    let near = |path: PathBuf| {
        let here = std::env::current_dir().unwrap_or_default();
        path.strip_prefix(here)
            .unwrap_or(&path)
            .display()
            .to_string()
    };
    // The case with most to see: the incident of most alerts.
    let filter = CaseFilter {
        verdict: Some(VerdictKind::TruePositive),
        ..CaseFilter::default()
    };
    let cases = ctx.store.list_cases(filter).await?;
    let case = cases
        .iter()
        .max_by_key(|c| c.alerts)
        .map_or(CaseId(1), |c| c.case.id);
    let config = near(dir.join("nightdesk.toml"));
    out.line("");
    out.line("Where to look next (the program is target/debug/nightdesk, or `cargo run --`):");
    for (command, what) in [
        ("case list".to_owned(), "all cases"),
        (
            format!("case show {case}"),
            "verdict, reasons, evidence, gaps",
        ),
        (
            format!("case timeline {case}"),
            "what happened, and what nightdesk did",
        ),
        (format!("case report {case}"), "incident report draft"),
    ] {
        out.line(&format!(
            "  nightdesk --config {config} {command:<20} {what}"
        ));
    }
    out.line(&format!(
        "  nightdesk eval {}   the same alerts scored against their labels",
        near(dir.join("lab"))
    ));
    Ok(())
}
