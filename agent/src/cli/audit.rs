//! `nightdesk audit`: proves the chain of records, anchors its head outside of the store, and exports it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use state::model::CaseId;
use state::store::{AuditEntry, AuditMark, Store};

use crate::anchors::{self, Anchors};
use crate::config::Config;
use crate::ctx::{Clock, SystemClock};
use crate::export::{self, Format, Sink, Target};

use super::{DATA, Done, Failed, Out};

/// Records read at once.
const PAGE: i64 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Prove that no record was changed, removed, moved or added, and that every anchor still holds
    Verify {
        /// An anchor that was written down elsewhere, as NUMBER:HASH; may be given several times
        #[arg(long, value_name = "SEQ:HASH", value_parser = anchors::written_down)]
        anchor: Vec<AuditMark>,
    },
    /// Write the log's head into the anchors file and print it
    Anchor,
    /// Write the records out, oldest first
    Export(Export),
}

/// What to export, how and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Export {
    /// Only this case, for instance ND-12
    #[arg(long)]
    case: Option<CaseId>,
    /// Only from this record on
    #[arg(long, value_name = "SEQ", default_value_t = 1)]
    from: i64,
    /// How [default: story for a case, syslog over a connection, else jsonl]
    #[arg(long)]
    format: Option<Format>,
    /// A new file, tcp://HOST:PORT or tls://HOST:PORT [default: standard output]
    #[arg(long, value_name = "TARGET")]
    to: Option<Target>,
    /// PEM file of the authorities to believe, in place of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

pub(super) async fn audit(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let anchors = Anchors::of(&config);
    let done = match command {
        Command::Verify { anchor } => verify(&store, anchors.as_ref(), anchor, out).await,
        Command::Anchor => keep(&store, anchors.as_ref(), out).await,
        Command::Export(export) => write(&store, &export, out).await,
    };
    store.close().await;
    done.map(|()| ExitCode::SUCCESS)
}

async fn verify(
    store: &Store,
    anchors: Option<&Anchors>,
    elsewhere: Vec<AuditMark>,
    out: &Out,
) -> Result<(), Failed> {
    let read = match anchors {
        Some(anchors) => anchors.read().map_err(|e| Failed::new(DATA, e))?,
        None => None,
    };
    let file = anchors.map(Anchors::path);
    let of_file = read.as_ref().map(Vec::len);
    let mut marks = read.unwrap_or_default();
    marks.extend(elsewhere);
    let report = store.verify_audit_against(&marks).await;
    let report = report.map_err(|fault| Failed::new(DATA, fault))?;
    if out.is_json() {
        out.value(
            &json!({"ok": true, "entries": report.entries, "head": report.head,
            "anchors": marks.len(), "anchors_file": file, "anchors_file_found": of_file.is_some()}),
        );
        return Ok(());
    }
    out.line(&format!(
        "ok: {} records, head {}",
        report.entries, report.head
    ));
    match (file, of_file) {
        (Some(file), Some(n)) => {
            out.line(&format!("    {n} anchors of {} hold", file.display()));
        }
        (Some(file), None) => out.say(&format!(
            "there is no {}: a log that was written anew as a whole would not be seen; `nightdesk audit anchor` begins one",
            file.display()
        )),
        (None, _) => out.say("the store is in memory and [paths] anchors names no file: nothing is anchored"),
    }
    if let Some(n) = Some(marks.len() - of_file.unwrap_or(0)).filter(|n| *n > 0) {
        out.line(&format!("    {n} anchors from elsewhere hold"));
    }
    Ok(())
}

async fn keep(store: &Store, anchors: Option<&Anchors>, out: &Out) -> Result<(), Failed> {
    let anchors = anchors
        .context("the store is in memory: name a file in [paths] anchors to keep its head")?;
    let kept = anchors.keep(store, SystemClock.now()).await;
    let head = kept.map_err(|e| Failed::new(DATA, e))?;
    if out.is_json() {
        out.value(&json!({"seq": head.seq, "hash": head.hash, "anchors_file": anchors.path()}));
    } else {
        out.line(&format!("{}:{}", head.seq, head.hash));
        out.say(&format!(
            "kept in {}; keep the line elsewhere too, `nightdesk audit verify --anchor` checks it",
            anchors.path().display()
        ));
    }
    Ok(())
}

async fn write(store: &Store, export: &Export, out: &Out) -> Result<(), Failed> {
    let framed = export.to.as_ref().is_some_and(Target::is_peer);
    let format = export.format.unwrap_or(match export.case {
        _ if framed => Format::Syslog,
        Some(_) if !out.is_json() => Format::Story,
        _ => Format::Jsonl,
    });
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    let mut sink = match &export.to {
        Some(target) => Some(Sink::open(target, export.ca.as_deref()).await?),
        None => None,
    };
    let (mut from, mut count) = (export.from, 0);
    loop {
        let page = page(store, export.case, from).await?;
        for entry in &page {
            match &mut sink {
                Some(sink) if framed => {
                    let bytes = export::framed(format, &host, entry);
                    sink.write(entry.seq, &bytes).await?;
                }
                Some(sink) => {
                    let line = export::line(format, &host, entry) + "\n";
                    sink.write(entry.seq, line.as_bytes()).await?;
                }
                None => out.line(&export::line(format, &host, entry)),
            }
        }
        count += page.len();
        match page.last() {
            Some(last) if export.case.is_none() => from = last.seq + 1,
            _ => break,
        }
    }
    if let (Some(sink), Some(target)) = (sink, &export.to) {
        sink.finish().await?;
        out.say(&format!("{count} records written to {target}"));
    }
    Ok(())
}

/// The next records: all of a case at once, else a page of the log.
async fn page(store: &Store, case: Option<CaseId>, from: i64) -> Result<Vec<AuditEntry>, Failed> {
    let Some(case) = case else {
        return Ok(store.audit(from, PAGE).await?);
    };
    let mut entries = store.audit_of(case).await?;
    entries.retain(|e| e.seq >= from);
    Ok(entries)
}
