//! `nightdesk case split`: a person takes alerts out of a case into one of their own; both are worked again.

use serde_json::json;
use state::model::{Alert, CaseId};
use state::store::{Split, Store};

use crate::ctx::{Clock, SystemClock};
use crate::pipeline::title;
use crate::text::oneline;

use super::super::approvals::person;
use super::super::{Failed, Out, USAGE};

/// What to take out.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// For instance ND-12
    id: CaseId,
    /// Id of an alert as its source gave it, or SOURCE/ID; several times for several
    #[arg(long = "alert", required = true, value_name = "ALERT")]
    alerts: Vec<String>,
    /// Who; stands in the audit record; only root may name another [default: you]
    #[arg(long)]
    by: Option<String>,
    /// Why; stands in both timelines
    #[arg(long, default_value = "")]
    why: String,
}

pub(super) async fn split(store: &Store, args: Args, out: &Out) -> Result<(), Failed> {
    let by = person(args.by)?.name;
    let held = store.alerts_of(args.id).await?;
    let mut named: Vec<&Alert> = Vec::new();
    for id in &args.alerts {
        let alert = one(&held, id, args.id)?;
        if named.iter().all(|a| a.id != alert.id) {
            named.push(alert);
        }
    }
    named.sort_by_key(|a| (a.time, a.id));
    let first = named.first().map(|a| title(a)).unwrap_or_default();
    let to = store
        .split_case(&Split {
            from: args.id,
            alerts: named.iter().map(|a| a.id).collect(),
            title: first,
            by,
            why: oneline(args.why.trim(), 300),
            now: SystemClock.now(),
        })
        .await?;
    let alerts: Vec<&str> = named.iter().map(|a| a.source_alert_id.as_str()).collect();
    if out.is_json() {
        out.value(&json!({"from": args.id, "to": to, "alerts": alerts}));
        return Ok(());
    }
    let n = alerts.len();
    out.line(&format!(
        "{to} holds {n} of the alerts of {}; both are in the queue and kept apart",
        args.id
    ));
    Ok(())
}

/// The alert of the case that is meant.
fn one<'a>(held: &'a [Alert], id: &str, case: CaseId) -> Result<&'a Alert, Failed> {
    let is_it =
        |a: &&Alert| a.source_alert_id == id || format!("{}/{}", a.source, a.source_alert_id) == id;
    let mut found = held.iter().filter(is_it);
    let why = match (found.next(), found.next()) {
        (Some(alert), None) => return Ok(alert),
        (None, _) => format!("{case} holds no alert {}", oneline(id, 120)),
        (Some(_), Some(_)) => format!(
            "{case} holds several alerts {}; write SOURCE/ID",
            oneline(id, 120)
        ),
    };
    Err(Failed::new(USAGE, anyhow::anyhow!(why)))
}
