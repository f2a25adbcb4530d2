//! The door for calls that belong to no case: alert sources and baselines pass the same catalogue, pins, schemas and audit.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use mcp_clients::{ToolBox, ToolDef, ToolFailure, ToolReply};
use serde_json::{Map, Value, json};
use state::model::ToolClass;

use crate::catalogue::Freshness;
use crate::ctx::Ctx;

use super::Refusal;

/// A tool box that only lets catalogued, internal reading tools through and audits each call.
pub struct PollBox {
    ctx: Arc<Ctx>,
    /// What it is for, in the audit record.
    kind: &'static str,
}

impl PollBox {
    /// Wraps the daemon's own tool box.
    #[must_use]
    pub fn new(ctx: Arc<Ctx>) -> Self {
        Self { ctx, kind: "poll" }
    }

    /// The same for questions about entities.
    pub(super) fn for_baselines(ctx: Arc<Ctx>) -> Self {
        let kind = "baseline_asked";
        Self { ctx, kind }
    }
}

#[async_trait]
impl ToolBox for PollBox {
    async fn tools(&self, server: &str) -> Result<Vec<ToolDef>, ToolFailure> {
        self.ctx.toolbox.tools(server).await
    }

    async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure> {
        let name = format!("{server}.{tool}");
        let decision = self.decide(&name, &arguments).await;
        let entry = json!({
            "kind": self.kind,
            "tool": name,
            "arguments": super::audit::redacted(&Value::Object(arguments.clone())),
            "decision": if decision.is_ok() { "allow" } else { "deny" },
            "rule": decision.as_ref().map_or_else(|r| r.rule, |()| 1),
            "why": decision.as_ref().err().map(|r| &r.why),
        });
        let refuse = |message: String| ToolFailure::Protocol { code: 0, message };
        self.ctx
            .store
            .append_audit(self.ctx.now(), &entry)
            .await
            .map_err(|e| refuse(format!("rule 12: the poll could not be recorded: {e}")))?;
        let meters = &self.ctx.guard.meters;
        decision.map_err(|refusal| {
            meters.refused(refusal.rule);
            refuse(refusal.to_string())
        })?;
        let began = Instant::now();
        let answer = self.ctx.toolbox.call(server, tool, arguments).await;
        let outcome = match &answer {
            Ok(reply) => super::outcome_of_reply(&reply.kind),
            Err(failure) => super::outcome_of(failure),
        };
        meters.called(server, outcome, began.elapsed());
        answer
    }
}

impl PollBox {
    async fn decide(&self, name: &str, arguments: &Map<String, Value>) -> Result<(), Refusal> {
        let entry = self.ctx.catalogue.get(name);
        let entry = entry.filter(|e| e.spec.enabled && e.spec.class == ToolClass::ReadInternal);
        let (server, tool) = name.split_once('.').unwrap_or((name, ""));
        let entry = entry.ok_or_else(|| {
            let why = format!(
                "`{name}` is not an enabled read_internal tool of the catalogue: add [servers.{server}.tools.{tool}]"
            );
            Refusal::new(1, why)
        })?;
        let checked = super::arguments::check(&self.ctx, entry, arguments, Freshness::Settled);
        checked.await.map_err(Refusal::from)
    }
}
