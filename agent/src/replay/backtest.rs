//! Stored cases with people's verdicts judged again and scored: what a change of playbooks, prompts or model would do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use state::model::{CaseId, Outcome, Time, VerdictKind};
use state::store::Store;

use crate::eval::{Label, Metrics, Rate, score};
use crate::report::AlertResult;

use super::{Desk, replay};

/// What a backtest gave.
#[derive(Debug, Clone, Serialize)]
pub struct Backtest {
    /// Cases with a person's verdict that were judged again.
    pub cases: usize,
    /// Cases that could not be, with the reason.
    pub failed: Vec<(CaseId, String)>,
    /// The figures under the settings of now; alerts are named `ND-1/ALERT`.
    pub metrics: Metrics,
    /// Neither closed nor called a true positive, of all.
    pub abstention: Rate,
    /// Another verdict than the daemon gave then, of all.
    pub disagreement: Rate,
    /// What it cost.
    pub cost: BacktestCost,
}

/// What a backtest cost; its tool calls were answered from records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BacktestCost {
    /// Tool calls.
    pub tool_calls: usize,
    /// Model turns.
    pub model_turns: u32,
}

/// Judges every case again on which people have given a verdict since then.
///
/// # Errors
/// When the store fails; a case that can't be worked is told and left out.
pub async fn backtest(desk: &Desk, store: &Store, since: Time) -> anyhow::Result<Backtest> {
    let words = store.feedback_since(since, None).await?;
    let cases: BTreeSet<CaseId> = words.iter().map(|w| w.case).collect();
    let mut results: Vec<AlertResult> = Vec::new();
    let mut labels: BTreeMap<String, Label> = BTreeMap::new();
    let (mut failed, mut changed, mut compared) = (Vec::new(), 0, 0);
    for case in &cases {
        let replayed = match replay(desk, store, *case).await {
            Ok(replayed) => replayed,
            Err(e) => {
                failed.push((*case, format!("{e:#}")));
                continue;
            }
        };
        for word in words.iter().filter(|w| w.case == *case) {
            let alert = store.alert(word.alert).await?;
            let id = &alert.source_alert_id;
            let Some(result) = replayed
                .results
                .iter()
                .find(|r| r.subject.source_alert_id == *id)
            else {
                continue;
            };
            let mut result = result.clone();
            let name = format!("{case}/{id}");
            result.subject.source_alert_id.clone_from(&name);
            result.subject.case_id = *case;
            results.push(result);
            labels.insert(name.clone(), label(name, word.kind));
            if let Some(alert) = replayed.alerts.iter().find(|a| a.source_alert_id == *id) {
                let kind = |o: &Option<super::Opinion>| o.as_ref().map(|o| o.verdict);
                compared += 1;
                changed += usize::from(kind(&alert.before) != kind(&alert.after));
            }
        }
    }
    let decided = |r: &&AlertResult| {
        r.judgement.outcome == Outcome::Closed || r.judgement.verdict == VerdictKind::TruePositive
    };
    let abstained = results.len() - results.iter().filter(decided).count();
    Ok(Backtest {
        cases: cases.len() - failed.len(),
        failed,
        metrics: score(&results, &labels, desk.attack()),
        abstention: Rate::of(abstained, results.len()),
        disagreement: Rate::of(changed, compared),
        cost: BacktestCost {
            tool_calls: results.iter().map(|r| r.cost.tool_calls).sum(),
            model_turns: results.iter().map(|r| r.cost.model_turns).sum(),
        },
    })
}

fn label(name: String, verdict: VerdictKind) -> Label {
    Label {
        source_alert_id: name,
        verdict,
        techniques: Vec::new(),
        note: String::new(),
        key_events: Vec::new(),
    }
}
