//! Stored cases judged again, on the tool results that were recorded: nothing is asked, sent or changed.

mod backtest;
mod desk;
mod shadow;

use anyhow::Context as _;
use serde::Serialize;
use state::model::{AlertId, Analyst, CaseId, Tier, Verdict, VerdictKind};
use state::store::Store;
use tracing::Instrument as _;

use crate::report::AlertResult;
use crate::telemetry::spans;

pub use backtest::{Backtest, LeftOut, backtest};
pub use desk::Desk;
pub use shadow::{Agreement, Shadow, agreement};

/// One alert as it was judged and as it is judged now.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The alert.
    #[serde(skip)]
    pub alert: AlertId,
    /// Its id at the source.
    pub source_alert_id: String,
    /// The daemon's last verdict on it; none when it gave up.
    pub before: Option<Opinion>,
    /// The verdict now; none when it gives up.
    pub after: Option<Opinion>,
    /// What differs, one sentence each; empty when nothing does.
    pub differs: Vec<String>,
    /// Calls of its case that have no record: how they would have ended is not known, and so neither is what would have
    /// become of the alert.
    pub unrecorded: usize,
}

/// A verdict, as far as replays compare it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Opinion {
    /// The verdict.
    pub verdict: VerdictKind,
    /// Probability that the activity is malicious, 0 to 1.
    pub probability: f64,
    /// Whether trusted facts alone allow a close.
    pub close_allowed: bool,
    /// Last tier reached.
    pub tier: Tier,
    /// Who judged.
    pub analyst: Analyst,
    /// Playbook id.
    pub playbook: String,
    /// Ids of the signals and claims that spoke, with their log-odds, by id.
    pub reasons: Vec<(String, f64)>,
}

impl Opinion {
    fn of(verdict: &Verdict) -> Self {
        let spoke = verdict.basis.reasons.iter();
        let mut reasons: Vec<(String, f64)> = spoke.map(|r| (r.id.clone(), r.weight)).collect();
        reasons.sort_by(|a, b| a.0.cmp(&b.0));
        Self {
            verdict: verdict.kind,
            probability: verdict.basis.probability,
            close_allowed: verdict.close_allowed,
            tier: verdict.provenance.tier,
            analyst: verdict.provenance.analyst,
            playbook: verdict.provenance.playbook.clone(),
            reasons,
        }
    }
}

/// A case judged again.
#[derive(Debug)]
pub struct Replay {
    /// The case.
    pub case: CaseId,
    /// Its alerts.
    pub alerts: Vec<Replayed>,
    /// What would become of each alert, as an eval scores it; in the order of `alerts`.
    pub results: Vec<AlertResult>,
}

/// Judges a stored case again.
///
/// Its alerts are judged together, as they were. What other cases stood open then is not part of it: a close that such a
/// case forbade is allowed here.
///
/// # Errors
/// When there is no such case, or it can't be worked at the desk.
pub async fn replay(desk: &Desk, store: &Store, case: CaseId) -> anyhow::Result<Replay> {
    let stored = store.verdicts_of(case).await?;
    let scratch = spans::scratch(&format!("replay of {case}"));
    let again = desk.work(store, case).instrument(scratch).await?;
    let mut alerts = Vec::new();
    for alert in &again.file.alerts {
        let id = &alert.alert.source_alert_id;
        let original = store.alert_by_source_id(&alert.alert.source, id).await?;
        let original = original.with_context(|| format!("alert {id} is gone"))?.id;
        let ours = |v: &&Verdict| v.alert == original && v.provenance.analyst != Analyst::Human;
        let given = stored.iter().rev().map(|v| &v.verdict);
        let before = given.into_iter().find(ours).map(Opinion::of);
        let after = alert.verdict.as_ref().map(Opinion::of);
        alerts.push(Replayed {
            alert: original,
            source_alert_id: id.clone(),
            differs: differs(before.as_ref(), after.as_ref()),
            before,
            after,
            unrecorded: again.unrecorded,
        });
    }
    Ok(Replay {
        case,
        alerts,
        results: AlertResult::all(&again.file),
    })
}

fn differs(before: Option<&Opinion>, after: Option<&Opinion>) -> Vec<String> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, None) => return Vec::new(),
        (None, Some(_)) => return vec!["there was no verdict".to_owned()],
        (Some(_), None) => return vec!["there is no verdict any more".to_owned()],
    };
    let mut told = Vec::new();
    let mut tell = |what: &str, was: String, is: String| {
        if was != is {
            told.push(format!("{what}: was {was}, is {is}"));
        }
    };
    tell(
        "verdict",
        before.verdict.to_string(),
        after.verdict.to_string(),
    );
    tell(
        "close allowed",
        before.close_allowed.to_string(),
        after.close_allowed.to_string(),
    );
    tell("tier", before.tier.to_string(), after.tier.to_string());
    tell(
        "analyst",
        before.analyst.to_string(),
        after.analyst.to_string(),
    );
    tell("playbook", before.playbook.clone(), after.playbook.clone());
    let percent = |p: f64| format!("{:.1} %", p * 100.0);
    tell(
        "probability",
        percent(before.probability),
        percent(after.probability),
    );
    let weight = |reasons: &[(String, f64)], id: &str| {
        let found = reasons.iter().find(|(r, _)| r == id);
        found.map_or("silent".to_owned(), |(_, w)| format!("{w:+.2}"))
    };
    let all = before.reasons.iter().chain(&after.reasons);
    let ids: std::collections::BTreeSet<&String> = all.map(|(id, _)| id).collect();
    for id in ids {
        tell(id, weight(&before.reasons, id), weight(&after.reasons, id));
    }
    told
}
