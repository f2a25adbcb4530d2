//! Stored cases with people's verdicts judged again and scored: what a change of playbooks, prompts or model would do.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use state::model::{CaseId, Outcome, Precedent, Time, VerdictKind};
use state::store::Store;

use crate::eval::{Label, Metrics, Rate, score};
use crate::report::AlertResult;

use super::{Desk, Opinion, Replay, replay};

/// What a backtest gave.
#[derive(Debug, Clone, Serialize)]
pub struct Backtest {
    /// Cases with a person's verdict that were judged again.
    pub cases: usize,
    /// Cases that could not be, with the reason.
    pub failed: Vec<(CaseId, String)>,
    /// Alerts that stand in no figure: their case made calls that have no record.
    pub left_out: Vec<LeftOut>,
    /// Attacks of which this shows nothing, since their case failed or they are left out, as `ND-1/ALERT`.
    pub unproven: Vec<String>,
    /// The figures under the settings of now; alerts are named `ND-1/ALERT`.
    pub metrics: Metrics,
    /// Neither closed nor called a true positive, of all.
    pub abstention: Rate,
    /// Another verdict than the daemon gave then, of all.
    pub disagreement: Rate,
    /// What it cost.
    pub cost: BacktestCost,
}

/// An alert of which a backtest shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Named `ND-1/ALERT`.
    pub alert: String,
    /// Calls of its case that have no record.
    pub unrecorded: usize,
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
    let mut sums = Sums::default();
    for case in &cases {
        let words = words.iter().filter(|w| w.case == *case);
        match replay(desk, store, *case).await {
            Ok(replayed) => words.for_each(|word| sums.add(&replayed, word)),
            Err(e) => {
                for word in words {
                    let id = store.alert(word.alert).await?.data.source_alert_id;
                    sums.is_unproven(word, format!("{case}/{id}"));
                }
                sums.failed.push((*case, format!("{e:#}")));
            }
        }
    }
    let decided = |r: &&AlertResult| {
        r.judgement.outcome == Outcome::Closed || r.judgement.verdict == VerdictKind::TruePositive
    };
    let all = sums.results.len();
    let abstained = all - sums.results.iter().filter(decided).count();
    // People say nothing of techniques, so nobody knows which claims are right.
    let metrics = Metrics {
        technique_f1: Rate::of(0, 0),
        ..score(&sums.results, &sums.labels, desk.attack())
    };
    Ok(Backtest {
        cases: cases.len() - sums.failed.len(),
        metrics,
        abstention: Rate::of(abstained, all),
        disagreement: Rate::of(sums.changed, all),
        failed: sums.failed,
        left_out: sums.left_out,
        unproven: sums.unproven,
        cost: sums.cost,
    })
}

/// What a backtest has come to so far.
#[derive(Default)]
struct Sums {
    results: Vec<AlertResult>,
    labels: BTreeMap<String, Label>,
    /// How many of the results are another verdict than then.
    changed: usize,
    failed: Vec<(CaseId, String)>,
    left_out: Vec<LeftOut>,
    unproven: Vec<String>,
    cost: BacktestCost,
}

impl Sums {
    /// Counts an alert that a person has judged.
    fn add(&mut self, replayed: &Replay, word: &Precedent) {
        let both = replayed.alerts.iter().zip(&replayed.results);
        for (alert, result) in both.filter(|(a, _)| a.alert == word.alert) {
            let name = format!("{}/{}", word.case, alert.source_alert_id);
            self.cost.tool_calls += result.cost.tool_calls;
            self.cost.model_turns += result.cost.model_turns;
            if alert.unrecorded > 0 {
                self.is_unproven(word, name.clone());
                self.left_out.push(LeftOut {
                    alert: name,
                    unrecorded: alert.unrecorded,
                });
                continue;
            }
            let mut result = result.clone();
            result.subject.source_alert_id.clone_from(&name);
            result.subject.case_id = word.case;
            self.results.push(result);
            self.labels.insert(name.clone(), label(name, word.kind));
            let kind = |o: &Option<Opinion>| o.as_ref().map(|o| o.verdict);
            self.changed += usize::from(kind(&alert.before) != kind(&alert.after));
        }
    }

    fn is_unproven(&mut self, word: &Precedent, name: String) {
        if word.kind == VerdictKind::TruePositive {
            self.unproven.push(name);
        }
    }
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
