//! The shadow: other settings judge each decided case again, beside the live verdict and without any effect.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use state::model::{CaseId, ShadowPair, ShadowVerdict, Time, VerdictKind};
use state::store::Store;
use tokio_util::sync::CancellationToken;

use crate::config::{AnalystChoice, Config};
use crate::ctx::{Clock, SystemClock};
use crate::data::sha256_hex;
use crate::eval::Rate;

use super::{Desk, replay};

/// How long the shadow rests between two looks for decided cases.
const EVERY: Duration = Duration::from_secs(30);
/// Cases of one look.
const AT_ONCE: i64 = 50;

/// A desk that judges beside the live one.
pub struct Shadow {
    desk: Desk,
    setting: String,
    since: Time,
    /// Cases that it could not judge; they are not tried again.
    failed: BTreeSet<CaseId>,
}

impl Shadow {
    /// The shadow that `[run.shadow]` describes; none when it is not there.
    ///
    /// # Errors
    /// When its data files are at fault or its model is not configured.
    pub async fn of(config: &Config) -> anyhow::Result<Option<Self>> {
        let Some(shadow) = &config.run.shadow else {
            return Ok(None);
        };
        let mut other = config.clone();
        if let Some(analyst) = shadow.analyst {
            let model = analyst == AnalystChoice::Model;
            anyhow::ensure!(
                !model || config.model.is_some(),
                "[run.shadow] analyst = \"model\" needs a [model] section"
            );
            other.tiers.set_analyst(analyst);
        }
        if let Some(folder) = &shadow.playbooks {
            other.paths.playbooks = Some(folder.clone());
        }
        if let Some(folder) = &shadow.prompts {
            other.paths.prompts = Some(folder.clone());
        }
        let desk = Desk::open(other).await?;
        let setting = sha256_hex(format!("{shadow:?}\n{}", desk.identity()));
        Ok(Some(Self {
            desk,
            setting,
            since: SystemClock.now() - chrono::TimeDelta::days(1),
            failed: BTreeSet::new(),
        }))
    }

    /// Judges the decided cases again that it has not judged yet; gives how many. One that can't be is told and left out.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&mut self, store: &Store) -> anyhow::Result<usize> {
        let most = AT_ONCE + i64::try_from(self.failed.len())?;
        let mut cases = store
            .without_shadow(&self.setting, self.since, most)
            .await?;
        cases.retain(|c| !self.failed.contains(c));
        for case in &cases {
            let replayed = match replay(&self.desk, store, *case).await {
                Ok(replayed) => replayed,
                Err(e) => {
                    tracing::warn!(%case, error = format!("{e:#}"), "the shadow could not judge a case");
                    self.failed.insert(*case);
                    continue;
                }
            };
            let mut said = Vec::new();
            for (alert, result) in replayed.alerts.iter().zip(&replayed.results) {
                said.push(ShadowVerdict {
                    alert: alert.alert,
                    setting: self.setting.clone(),
                    kind: result.judgement.verdict,
                    probability: result.judgement.probability,
                    close_allowed: result.judgement.close_allowed,
                    model_turns: result.cost.model_turns,
                    unrecorded: u32::try_from(alert.unrecorded).unwrap_or(u32::MAX),
                    at: SystemClock.now(),
                });
            }
            store.add_shadow(&said).await?;
        }
        Ok(cases.len())
    }

    /// Looks until `stop`.
    pub async fn keep(mut self, store: Store, stop: CancellationToken) {
        let mut beat = tokio::time::interval(EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beat.tick() => {}
            }
            let looked = tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(&store) => looked,
            };
            if let Err(e) = looked {
                tracing::error!(
                    error = format!("{e:#}"),
                    "the shadow could not look for decided cases"
                );
            }
        }
    }
}

/// How far a shadow agrees with the live verdicts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// Digest of the shadow's settings.
    pub setting: String,
    /// The same verdict, of all alerts.
    pub same_verdict: Rate,
    /// The same answer to whether it may be closed, of all.
    pub same_close: Rate,
    /// Would be closed by the shadow, of those that people called malicious: must be 0.
    pub missed: Rate,
    /// Would be closed by the shadow and not by the live settings, of all.
    pub closes_more: Rate,
    /// Live verdict to shadow's verdict to count.
    pub matrix: BTreeMap<VerdictKind, BTreeMap<VerdictKind, usize>>,
    /// The alerts it differs on, as `case rule`, at most fifty.
    pub differs: Vec<String>,
    /// Alerts that stand in no figure: in their case it made calls that have no record.
    pub unrecorded: usize,
    /// Those alerts, as `case rule`, at most fifty.
    pub left_out: Vec<String>,
}

/// Alerts named in an agreement.
const NAMED: usize = 50;

/// The agreement of each shadow.
#[must_use]
pub fn agreement(pairs: &[ShadowPair]) -> Vec<Agreement> {
    let mut by_setting: BTreeMap<&str, Vec<&ShadowPair>> = BTreeMap::new();
    for pair in pairs {
        by_setting
            .entry(&pair.shadow.setting)
            .or_default()
            .push(pair);
    }
    by_setting
        .into_iter()
        .map(|(setting, pairs)| of_one(setting, &pairs))
        .collect()
}

fn of_one(setting: &str, all: &[&ShadowPair]) -> Agreement {
    let known = |p: &&&ShadowPair| p.shadow.unrecorded == 0;
    let (pairs, left_out): (Vec<&ShadowPair>, Vec<&ShadowPair>) = all.iter().partition(known);
    let count = |wanted: &dyn Fn(&ShadowPair) -> bool| pairs.iter().filter(|p| wanted(p)).count();
    let closes = |p: &ShadowPair| p.shadow.close_allowed && p.shadow.kind.is_benign();
    let attack = |p: &ShadowPair| p.human == Some(VerdictKind::TruePositive);
    let differs = |p: &ShadowPair| p.live != p.shadow.kind;
    let mut matrix: BTreeMap<VerdictKind, BTreeMap<VerdictKind, usize>> = BTreeMap::new();
    for pair in &pairs {
        *matrix
            .entry(pair.live)
            .or_default()
            .entry(pair.shadow.kind)
            .or_default() += 1;
    }
    let named = pairs.iter().filter(|p| differs(p)).take(NAMED);
    Agreement {
        setting: setting.to_owned(),
        same_verdict: Rate::of(count(&|p| !differs(p)), pairs.len()),
        same_close: Rate::of(
            count(&|p| p.live_close_allowed == p.shadow.close_allowed),
            pairs.len(),
        ),
        missed: Rate::of(count(&|p| attack(p) && closes(p)), count(&attack)),
        closes_more: Rate::of(count(&|p| closes(p) && !p.live_close_allowed), pairs.len()),
        matrix,
        differs: named
            .map(|p| {
                format!(
                    "{} {}: {} here, {} by the shadow",
                    p.case, p.rule, p.live, p.shadow.kind
                )
            })
            .collect(),
        unrecorded: left_out.len(),
        left_out: left_out
            .iter()
            .take(NAMED)
            .map(|p| format!("{} {}", p.case, p.rule))
            .collect(),
    }
}
