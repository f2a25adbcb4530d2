//! `nightdesk case feedback`: a person's verdict on one case, or many from a file; who may give one is decided in `feedback`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::{Value, json};
use state::model::{AlertId, CaseId, CaseStatus, VerdictKind};
use state::store::Store;

use crate::cli::approvals::{groups, person};
use crate::cli::{DATA, Done, FAILED, Failed, Out, USAGE};
use crate::config::Config;
use crate::ctx::{Clock, SystemClock};
use crate::feedback::{self, FeedbackError, Said, Taken, Then};
use crate::rights::Rights;
use crate::text::oneline;

/// A person's verdict.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Feedback {
    /// The case, for instance ND-12
    #[arg(required_unless_present = "from")]
    id: Option<CaseId>,
    /// true_positive, benign_positive, false_positive, suspicious, undetermined or duplicate
    #[arg(long, required_unless_present = "from")]
    verdict: Option<VerdictKind>,
    /// Only this alert of the case, by its id at the source; may be given several times
    #[arg(long, value_name = "ALERT")]
    alert: Vec<String>,
    /// Why
    #[arg(long, default_value = "")]
    note: String,
    /// Also close the case, when all its alerts are harmless by people's word
    #[arg(long)]
    close: bool,
    /// Who says so, as in [approvals] closers; only root may speak for others [default: you]
    #[arg(long)]
    by: Option<String>,
    /// Many verdicts: one JSON object a line with `verdict` and `case` or `source_alert_id` (and `source`), and if known
    /// `note`, `by`, `close`
    #[arg(long, value_name = "FILE.jsonl", conflicts_with_all = ["id", "verdict", "alert", "note", "close"])]
    from: Option<PathBuf>,
}

/// One line of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    verdict: VerdictKind,
    case: Option<CaseId>,
    source: Option<String>,
    source_alert_id: Option<String>,
    #[serde(default)]
    note: String,
    by: Option<String>,
    #[serde(default)]
    close: bool,
}

pub(super) async fn feedback(store: &Store, config: &Config, given: Feedback, out: &Out) -> Done {
    match given.from.clone() {
        Some(file) => from_file(store, config, (&file, given.by), out).await,
        None => one(store, config, given, out).await,
    }
}

async fn one(store: &Store, config: &Config, given: Feedback, out: &Out) -> Done {
    let (Some(case), Some(kind)) = (given.id, given.verdict) else {
        let why = "name a case and a verdict, or a file with --from";
        return Err(Failed::new(USAGE, anyhow::anyhow!(why)));
    };
    let mut alerts = Vec::new();
    for id in &given.alert {
        let of_case = store.alerts_of(case).await?;
        let found = of_case.iter().find(|a| a.source_alert_id == *id);
        let alert = found.ok_or_else(|| {
            let why = format!("{case} holds no alert `{}`", oneline(id, 80));
            Failed::new(FAILED, anyhow::anyhow!(why))
        })?;
        alerts.push(alert.id);
    }
    let who = person(given.by)?;
    let by = who.name.clone();
    let said = Said {
        case,
        alerts,
        kind,
        who,
        note: given.note,
        then: if given.close { Then::Close } else { Then::Keep },
        at: SystemClock.now(),
    };
    let groups = groups(config).await;
    let rights = Rights::new(&config.people.approvals, &*groups);
    let taken = feedback::give(store, rights, said).await;
    let taken = taken.map_err(failed)?;
    if out.is_json() {
        out.value(&json!({"case": case, "verdict": kind, "by": by, "alerts": taken.alerts, "status": taken.status}));
    } else {
        out.line(&told(case, kind, &taken));
    }
    Ok(ExitCode::SUCCESS)
}

fn told(case: CaseId, kind: VerdictKind, taken: &Taken) -> String {
    let alerts = match taken.alerts {
        1 => "1 alert".to_owned(),
        n => format!("{n} alerts"),
    };
    let hint = match stays_open(kind, taken.status) {
        true => "; with --close it is closed too, else alerts like it join it and wait with it",
        false => "",
    };
    format!(
        "{case}: {kind} for {alerts}; the case is {}{hint}",
        taken.status
    )
}

/// Whether a word that ends the matter left the case open.
fn stays_open(kind: VerdictKind, status: CaseStatus) -> bool {
    kind.is_benign() && status != CaseStatus::Closed
}

fn failed(error: FeedbackError) -> Failed {
    match error {
        FeedbackError::Store(e) => e.into(),
        refused => Failed::new(FAILED, refused),
    }
}

/// Takes every line that can be taken, and tells of each that can't, with its place.
async fn from_file(
    store: &Store,
    config: &Config,
    (file, by): (&Path, Option<String>),
    out: &Out,
) -> Done {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failed::new(DATA, anyhow::anyhow!("{}: {e}", file.display())))?;
    let (mut taken, mut open, mut refused) = (0, 0, Vec::new());
    for (n, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() {
            continue;
        }
        match take(store, config, (line, by.as_deref())).await {
            Ok(stays_open) => {
                taken += 1;
                open += usize::from(stays_open);
            }
            Err(why) => refused.push((n, why)),
        }
    }
    if out.is_json() {
        let lines = refused
            .iter()
            .map(|(n, why)| json!({"line": n, "why": why}));
        out.value(&json!({"taken": taken, "harmless_and_open": open, "refused": lines.collect::<Vec<Value>>()}));
    } else {
        for (n, why) in &refused {
            out.complain(&format!("{}:{n}: {}", file.display(), oneline(why, 300)));
        }
        out.line(&format!("{taken} taken, {} refused", refused.len()));
        if open > 0 {
            out.line(&format!(
                "{open} of them are harmless in cases that stay open, and alerts like them join and wait; lines with \"close\": true close theirs"
            ));
        }
    }
    match refused.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::from(DATA)),
    }
}

/// Takes one line; whether its case stays open although the word is harmless.
async fn take(
    store: &Store,
    config: &Config,
    (line, by): (&str, Option<&str>),
) -> Result<bool, String> {
    let line: Line = serde_json::from_str(line).map_err(|e| e.to_string())?;
    let (case, alerts) = about(store, &line).await?;
    let by = by.map(str::to_owned).or(line.by);
    let mut who = person(by).map_err(|e| format!("{:#}", e.error))?;
    who.channel = format!("file, {}", who.channel);
    let said = Said {
        case,
        alerts,
        kind: line.verdict,
        who,
        note: line.note,
        then: if line.close { Then::Close } else { Then::Keep },
        at: SystemClock.now(),
    };
    let groups = groups(config).await;
    let rights = Rights::new(&config.people.approvals, &*groups);
    let given = feedback::give(store, rights, said).await;
    let taken = given.map_err(|e| e.to_string())?;
    Ok(stays_open(line.verdict, taken.status))
}

/// The case, and the alert when one is named.
async fn about(store: &Store, line: &Line) -> Result<(CaseId, Vec<AlertId>), String> {
    match (line.case, &line.source_alert_id) {
        (Some(case), None) => Ok((case, Vec::new())),
        (None, Some(id)) => {
            let found = store.alerts_of_source_id(line.source.as_deref(), id).await;
            match found.map_err(|e| e.to_string())?.as_slice() {
                [(alert, Some(case))] => Ok((*case, vec![*alert])),
                [(_, None)] => Err("the alert is in no case yet".to_owned()),
                [] => Err("there is no such alert".to_owned()),
                _ => Err("several sources have an alert of this id: name the `source`".to_owned()),
            }
        }
        _ => Err("name either `case` or `source_alert_id`".to_owned()),
    }
}
