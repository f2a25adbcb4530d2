//! A well-behaved server of the 2026-07-28 revision, on the SDK: no handshake, list changes by subscription.

use std::io;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, InputRequiredResult, JsonObject,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, SubscriptionFilter,
    Tool,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use rmcp::{ErrorData, ServerHandler, ServiceExt};
use serde_json::json;
use tokio::sync::watch;

struct Modern {
    grown: watch::Sender<bool>,
}

/// Serves until stdin ends.
pub(crate) fn serve() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let grown = watch::Sender::new(false);
        let serving = Modern { grown }.serve(rmcp::transport::stdio());
        let service = serving.await.map_err(io::Error::other)?;
        service.waiting().await.map_err(io::Error::other)?;
        Ok(())
    })
}

impl ServerHandler for Modern {
    fn get_info(&self) -> ServerConfig {
        let builder = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed();
        ServerConfig::new(builder.build())
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let names = if *self.grown.borrow() {
            vec!["echo", "other"]
        } else {
            vec!["echo"]
        };
        let schema = JsonObject::from_iter([("type".to_owned(), json!("object"))]);
        let tools = names
            .into_iter()
            .map(|name| Tool::new(name, "does it", schema.clone()));
        let mut page = ListToolsResult::with_all_items(tools.collect());
        page.ttl_ms = u64::try_from(Duration::from_secs(60).as_millis()).ok();
        Ok(page)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let answer = |value| {
            Ok(CallToolResponse::Complete(CallToolResult::structured(
                value,
            )))
        };
        match request.name.as_ref() {
            "echo" => answer(json!({ "arguments": request.arguments })),
            "grow" => {
                self.grown.send_replace(true);
                answer(json!({ "grown": true }))
            }
            "ask" => {
                let question = InputRequiredResult::from_request_state("really?");
                Ok(CallToolResponse::InputRequired(question))
            }
            other => Err(ErrorData::invalid_params(format!("no tool {other}"), None)),
        }
    }

    fn accepted_subscription_filter(
        &self,
        requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let mut grown = self.grown.subscribe();
        if !*grown.borrow_and_update() {
            tokio::select! {
                () = context.cancelled() => return Ok(()),
                _ = grown.changed() => {}
            }
        }
        let sent = context.sink().notify_tool_list_changed().await;
        sent.map_err(|e| ErrorData::internal_error(e.to_string(), None))?;
        context.cancelled().await;
        Ok(())
    }
}
