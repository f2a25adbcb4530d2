//! The desk at which stored cases are worked again: the pipeline itself, over a scratch store and recorded answers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mcp_clients::config::ServerSpec;
use mcp_clients::recorded::{Ended, Recorded, RecordedCall};
use serde_json::Value;
use state::model::{
    Alert, AlertId, Analyst, CallOutcome, CaseId, Evidence, Time, TimelineKind, ToolCall,
};
use state::store::Store;

use crate::catalogue::{Catalogue, Pins};
use crate::config::{CloseMode, Config};
use crate::ctx::{Ctx, SystemClock};
use crate::daemon::context;
use crate::playbook::Attack;
use crate::report::CaseFile;
use crate::{integrity, pipeline, triage};

/// Playbooks, prompts, policy and model under which stored cases are judged again.
pub struct Desk {
    base: Ctx,
}

impl Desk {
    /// A desk under these settings: closing without a person is on, so that a replay shows what may be closed; nothing is
    /// sampled, capped or sent.
    ///
    /// # Errors
    /// When data files are at fault or the model's key can't be had.
    pub async fn open(mut config: Config) -> anyhow::Result<Self> {
        config.closing.mode = match config.closing.mode {
            CloseMode::Never => CloseMode::Never,
            CloseMode::Propose | CloseMode::Auto => CloseMode::Auto,
        };
        config.closing.without_sample();
        config.closing.cap_per_hour = Some(i64::MAX);
        config.closing.pause_file = std::path::PathBuf::new();
        config.effects.live = false;
        config.queries.baselines.enabled = true;
        config.paths.learned = integrity::learned_in_force(&config.paths);
        config.paths.manifest = None;
        config.paths.file = None;
        for server in config.servers.values_mut() {
            unlimited(server);
        }
        let scratch = Store::open("sqlite::memory:").await?;
        let parts = (
            Arc::new(SystemClock) as _,
            Arc::new(Recorded::default()) as _,
        );
        Ok(Self {
            base: context(config, scratch, parts).await?,
        })
    }

    /// What decides at this desk: digests of its playbooks and prompts, and its model.
    pub(super) fn identity(&self) -> String {
        let model = self.base.config.model.as_ref().map(|m| m.model.as_str());
        format!(
            "{}\n{}\n{}",
            self.base.library.digest(),
            self.base.prompts.digest(),
            model.unwrap_or_default()
        )
    }

    /// The ATT&CK table in force.
    pub(super) fn attack(&self) -> &Attack {
        self.base.library.attack()
    }

    /// Works the alerts of a case again, together as they were, in a scratch store of this call.
    ///
    /// # Errors
    /// When there is no such case or the pipeline itself fails.
    pub(super) async fn work(&self, store: &Store, case: CaseId) -> anyhow::Result<Again> {
        store.case(case).await?;
        let recorded = Arc::new(self.recorded(store, case).await?);
        let scratch = Store::open("sqlite::memory:").await?;
        let pins = pins(&self.base.catalogue, &recorded);
        let mut ctx = self.base.beside(self.base.config.clone(), scratch, pins);
        ctx.toolbox = recorded.clone();
        let ctx = Arc::new(ctx);
        let known = store.evidence_of(case).await?;
        for kept in known.iter().filter_map(pipeline::recorded) {
            ctx.store.keep_baseline(&kept).await?;
        }
        let mut again = None;
        for run in runs(store, case).await? {
            for alert in &run {
                let (own, beside) = put(&ctx, alert, again).await?;
                again = Some(beside);
                // What people had said by then: the scratch store knows no other case.
                let label = format!("history:{}", alert.id.0);
                if let Some(history) = known.iter().find(|e| e.asked_by == label) {
                    let told = Evidence {
                        case: beside,
                        reference: String::new(),
                        asked_by: format!("history:{}", own.0),
                        call: None,
                        ..history.clone()
                    };
                    ctx.store.add_evidence(told).await?;
                }
            }
            while triage::work_next(&ctx).await?.is_some() {}
        }
        let again = again.with_context(|| format!("{case} has no alerts"))?;
        let file = CaseFile::read(&ctx.store, &ctx.library, again).await?;
        let unknown = file.calls.iter().filter(|c| self.is_unknown(c, &recorded));
        let unrecorded = unknown.count();
        ctx.store.close().await;
        Ok(Again { file, unrecorded })
    }

    /// What the case's calls were answered.
    async fn recorded(&self, store: &Store, case: CaseId) -> anyhow::Result<Recorded> {
        let mut calls = Vec::new();
        for call in store.calls_of(case).await? {
            let Some((server, tool)) = call.tool.split_once('.') else {
                continue;
            };
            let Value::Object(mut arguments) = call.arguments.clone() else {
                continue;
            };
            let end = ended(store, &call).await?;
            let entry = self.base.catalogue.get(&call.tool);
            if let (Ended::Unknown, Some(as_of)) = (&end, entry.and_then(|e| e.spec.as_of.clone()))
            {
                // What was not let through had not been given the time yet.
                arguments.entry(as_of).or_insert(Value::Null);
            }
            calls.push(RecordedCall {
                server: server.to_owned(),
                tool: tool.to_owned(),
                arguments,
                end,
            });
        }
        Ok(Recorded::of(&self.base.config.servers, calls))
    }

    /// Whether nobody knows how a call of a case worked again would have ended: the record has no such call, and it was
    /// not refused for a reason that the live gate has too.
    fn is_unknown(&self, call: &ToolCall, recorded: &Recorded) -> bool {
        let (server, tool) = call.tool.split_once('.').unwrap_or_default();
        let known = match &call.arguments {
            Value::Object(arguments) => recorded.knows(server, tool, arguments),
            _ => false,
        };
        match (known, call.outcome) {
            (true, _) => false,
            (false, CallOutcome::Denied) => {
                let pins = self.base.catalogue.definitions().pins();
                let entry = self.base.catalogue.get(&call.tool);
                by_definition(call)
                    && entry.is_some_and(|e| {
                        e.spec.enabled
                            && e.spec.tiers.contains(&call.tier)
                            && pins.digest_of(e).is_some()
                    })
            }
            (false, _) => true,
        }
    }
}

/// A case worked again.
pub(super) struct Again {
    /// What it came to.
    pub(super) file: CaseFile,
    /// Its calls of which the record does not say how they would have ended.
    pub(super) unrecorded: usize,
}

/// The alerts of a case in the order in which they were judged: those of one run of the daemon together, since of equal
/// ones only the ends are asked about. Those without a verdict of the daemon's come last.
async fn runs(store: &Store, case: CaseId) -> anyhow::Result<Vec<Vec<Alert>>> {
    let told = store.timeline(case).await?.into_iter();
    let claimed = told.filter(|e| e.kind == TimelineKind::Claimed);
    let claimed: Vec<Time> = claimed.map(|e| e.at).collect();
    let given = store.verdicts_of(case).await?.into_iter();
    let by_machine = given.filter(|v| v.verdict.provenance.analyst != Analyst::Human);
    let judged: HashMap<AlertId, Time> = by_machine
        .map(|v| (v.verdict.alert, v.verdict.at))
        .collect();
    let mut runs: BTreeMap<usize, Vec<Alert>> = BTreeMap::new();
    for alert in store.alerts_of(case).await? {
        let begun = |at: &Time| claimed.iter().filter(|c| *c <= at).count();
        let run = judged.get(&alert.id).map_or(usize::MAX, begun);
        runs.entry(run).or_default().push(alert);
    }
    Ok(runs.into_values().collect())
}

/// Puts an alert into the scratch store and into the case, or the first one of a case into its own; which alerts belong
/// together is not asked again.
async fn put(ctx: &Ctx, alert: &Alert, case: Option<CaseId>) -> anyhow::Result<(AlertId, CaseId)> {
    let now = ctx.now();
    let received = std::slice::from_ref(&alert.data);
    let received = ctx.store.store_alerts(received, &[], None, now).await?;
    let own = received.first().context("the alert was not stored")?.alert;
    let again = ctx.store.alert(own).await?;
    let case = match case {
        Some(case) => {
            ctx.store.join_case(case, &again, now, Vec::new()).await?;
            case
        }
        None => {
            let title = pipeline::title(&again);
            let opened = ctx.store.open_case(&again, &title, now, Vec::new());
            opened.await?.id
        }
    };
    Ok((own, case))
}

/// Recorded answers cost nothing, and their definitions do not change.
fn unlimited(server: &mut ServerSpec) {
    server.limits.calls_per_minute = None;
    server.limits.recheck = Duration::from_secs(3600);
    for tool in server.tools.values_mut() {
        tool.max_calls_per_minute = None;
    }
}

/// How a call ended, as far as that is on record.
async fn ended(store: &Store, call: &ToolCall) -> anyhow::Result<Ended> {
    let why = || {
        let why = call.reason.clone();
        why.unwrap_or_else(|| format!("it ended as {}", call.outcome))
    };
    Ok(match (call.outcome, &call.digest) {
        (CallOutcome::Denied, _) if by_definition(call) => Ended::Refused(why()),
        // What the gate refused for another reason it decides anew.
        (CallOutcome::Denied | CallOutcome::Started, _) => Ended::Unknown,
        (_, Some(digest)) => match store.body(digest).await? {
            Some(body) => Ended::Answered(body),
            None => Ended::Unknown,
        },
        (_, None) => Ended::Failed(why()),
    })
}

/// Whether the gate refused it by what the catalogue, the pins and the tool's schema say: its rules 1 to 3.
fn by_definition(call: &ToolCall) -> bool {
    let why = call.reason.as_deref().unwrap_or_default();
    let rule = why.strip_prefix("rule ").and_then(|r| r.split_once(':'));
    rule.is_some_and(|(rule, _)| matches!(rule, "1" | "2" | "3"))
}

/// Pins of the recorded tools as their recorded definitions are; no other tool can be called.
fn pins(catalogue: &Catalogue, recorded: &Recorded) -> Pins {
    let mut pins = Pins::default();
    for (_, entry) in catalogue.iter() {
        if let Some(definition) = recorded.definition(&entry.server, &entry.tool) {
            pins.pin(entry, &definition);
        }
    }
    pins
}
