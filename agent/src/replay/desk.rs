//! The desk at which stored cases are worked again: the pipeline itself, over a scratch store and recorded answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use mcp_clients::config::ServerSpec;
use mcp_clients::recorded::{Recorded, RecordedCall};
use serde_json::Value;
use state::model::{CallOutcome, CaseId, Evidence, ToolCall};
use state::store::Store;

use crate::catalogue::{Catalogue, Pins};
use crate::config::{CloseMode, Config};
use crate::ctx::{Ctx, SystemClock};
use crate::daemon::context;
use crate::playbook::Attack;
use crate::report::CaseFile;
use crate::{pipeline, triage};

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

    /// Works the alerts of a case again, each in a scratch store of this call; gives the case files.
    ///
    /// # Errors
    /// When there is no such case or the pipeline itself fails.
    pub(super) async fn work(&self, store: &Store, case: CaseId) -> anyhow::Result<Vec<CaseFile>> {
        let recorded = recorded(store, case, &self.base.config.servers).await?;
        let scratch = Store::open("sqlite::memory:").await?;
        let pins = pins(&self.base.catalogue, &recorded);
        let mut ctx = self.base.beside(self.base.config.clone(), scratch, pins);
        ctx.toolbox = Arc::new(recorded);
        let ctx = Arc::new(ctx);
        let known = store.evidence_of(case).await?;
        for kept in known.iter().filter_map(pipeline::recorded) {
            ctx.store.keep_baseline(&kept).await?;
        }
        let mut cases = Vec::new();
        for alert in store.alerts_of(case).await? {
            ctx.store
                .store_alerts(std::slice::from_ref(&alert.data), &[], None, ctx.now())
                .await?;
            let again = ctx
                .store
                .alert_by_source_id(&alert.source, &alert.source_alert_id)
                .await?;
            let Some(again) = again else { continue };
            let taken = pipeline::intake(&ctx, std::slice::from_ref(&again)).await?;
            let scratch_case = taken.into_iter().next().context("it was not taken in")??;
            // What people had said by then: the scratch store knows no other case.
            let label = format!("history:{}", alert.id.0);
            if let Some(history) = known.iter().find(|e| e.asked_by == label) {
                let told = Evidence {
                    case: scratch_case,
                    reference: String::new(),
                    asked_by: format!("history:{}", again.id.0),
                    call: None,
                    ..history.clone()
                };
                ctx.store.add_evidence(told).await?;
            }
            while triage::work_next(&ctx).await?.is_some() {}
            if !cases.contains(&scratch_case) {
                cases.push(scratch_case);
            }
        }
        let mut files = Vec::new();
        for case in cases {
            files.push(CaseFile::read(&ctx.store, &ctx.library, case).await?);
        }
        ctx.store.close().await;
        Ok(files)
    }
}

/// Recorded answers cost nothing, and their definitions do not change.
fn unlimited(server: &mut ServerSpec) {
    server.limits.calls_per_minute = None;
    server.limits.recheck = Duration::from_secs(3600);
    for tool in server.tools.values_mut() {
        tool.max_calls_per_minute = None;
    }
}

/// What the case's calls were answered.
async fn recorded(
    store: &Store,
    case: CaseId,
    servers: &BTreeMap<String, ServerSpec>,
) -> anyhow::Result<Recorded> {
    let mut calls = Vec::new();
    for call in store.calls_of(case).await? {
        let Some((server, tool)) = call.tool.split_once('.') else {
            continue;
        };
        let Value::Object(arguments) = call.arguments.clone() else {
            continue;
        };
        // What the gate refused then it decides anew.
        if matches!(call.outcome, CallOutcome::Denied | CallOutcome::Started) {
            continue;
        }
        calls.push(RecordedCall {
            server: server.to_owned(),
            tool: tool.to_owned(),
            arguments,
            answer: answer(store, &call).await?,
        });
    }
    Ok(Recorded::of(servers, calls))
}

async fn answer(store: &Store, call: &ToolCall) -> anyhow::Result<Result<Vec<u8>, String>> {
    let body = match &call.digest {
        Some(digest) => store.body(digest).await?,
        None => None,
    };
    let why = call.reason.clone();
    Ok(body.ok_or_else(|| why.unwrap_or_else(|| format!("it ended as {}", call.outcome))))
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
