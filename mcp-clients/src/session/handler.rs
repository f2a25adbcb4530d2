//! Our side of what a server may ask of a client: everything is declined but what a person has answered; list changes
//! are passed on.

#![expect(deprecated, reason = "refusing roots needs their deprecated type")]

use rmcp::ErrorData;
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationCapability,
    ErrorCode, FormElicitationCapability, Implementation, ListRootsResult,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient};
use tokio::sync::mpsc;

use super::questions::Questions;

/// Answers a server's requests. It advertises elicitation, because a real server takes its absence for consent.
#[derive(Debug, Clone)]
pub(crate) struct Handler {
    /// Told that the tool list changed.
    pub(crate) changed: mpsc::Sender<()>,
    /// What is asked, and what a person has answered.
    pub(crate) questions: Questions,
}

impl ClientHandler for Handler {
    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(self.questions.decide(&request))
    }

    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        Err(ErrorData::new(
            ErrorCode::METHOD_NOT_FOUND,
            "roots/list is not supported",
            None,
        ))
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        // A full channel already holds the news.
        let _ = self.changed.try_send(());
    }

    fn get_info(&self) -> ClientConfig {
        let form = ElicitationCapability::new().with_form(FormElicitationCapability::default());
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(form);
        let us = Implementation::new("nightdesk", env!("CARGO_PKG_VERSION"));
        ClientConfig::new(capabilities, us)
    }
}
