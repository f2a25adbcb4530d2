//! The door for polling: the alert sources' calls pass the same catalogue and audit, but belong to no case.

use std::sync::Arc;

use async_trait::async_trait;
use mcp_clients::{ToolBox, ToolDef, ToolFailure, ToolReply};
use serde_json::{Map, Value, json};
use state::model::ToolClass;

use crate::ctx::Ctx;

/// A tool box that only lets catalogued, internal reading tools through and audits each call.
pub struct PollBox {
    ctx: Arc<Ctx>,
}

impl PollBox {
    /// Wraps the daemon's own tool box.
    #[must_use]
    pub fn new(ctx: Arc<Ctx>) -> Self {
        Self { ctx }
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
        let allowed = self
            .ctx
            .catalogue
            .get(&name)
            .is_some_and(|e| e.spec.enabled && e.spec.class == ToolClass::ReadInternal);
        let entry = json!({
            "kind": "poll",
            "tool": name,
            "arguments": super::audit::redacted(&Value::Object(arguments.clone())),
            "decision": if allowed { "allow" } else { "deny" },
            "rule": 1,
        });
        let refuse = |message: String| ToolFailure::Protocol { code: 0, message };
        self.ctx
            .store
            .append_audit(self.ctx.now(), &entry)
            .await
            .map_err(|e| refuse(format!("rule 12: the poll could not be recorded: {e}")))?;
        if !allowed {
            return Err(refuse(format!(
                "rule 1: `{name}` is not an enabled read_internal tool of the catalogue: add [servers.{server}.tools.{tool}]"
            )));
        }
        self.ctx.toolbox.call(server, tool, arguments).await
    }
}
