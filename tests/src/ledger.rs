//! Servers in memory that note every call that reaches them; what may reach them is the gate's and the tests' to say.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use async_trait::async_trait;
use mcp_clients::{ReplyKind, ToolBox, ToolDef, ToolFailure, ToolReply};
use serde_json::{Map, Value, json};

/// JSON-RPC: the tool or its arguments are not known.
const INVALID_PARAMS: i64 = -32602;

/// A call that reached a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// `server.tool`.
    pub tool: String,
    /// Arguments as they arrived.
    pub arguments: Value,
}

/// Servers whose tools answer `{"arguments": …}` and do nothing else.
#[derive(Debug, Default)]
pub struct Ledger {
    servers: Mutex<BTreeMap<String, Vec<ToolDef>>>,
    sent: Mutex<Vec<Sent>>,
}

impl Ledger {
    /// Servers that offer these tools: JSON, `server` to a list of definitions.
    ///
    /// # Errors
    /// When the text is no such table.
    pub fn of(definitions: &str) -> anyhow::Result<Self> {
        let servers = serde_json::from_str(definitions).context("not a table of definitions")?;
        Ok(Self {
            servers: Mutex::new(servers),
            sent: Mutex::default(),
        })
    }

    /// What a server offers now.
    #[must_use]
    pub fn offers(&self, server: &str) -> Vec<ToolDef> {
        lock(&self.servers).get(server).cloned().unwrap_or_default()
    }

    /// From now on the server offers this; gives what it offered before.
    pub fn offer(&self, server: &str, tools: Vec<ToolDef>) -> Vec<ToolDef> {
        let before = lock(&self.servers).insert(server.to_owned(), tools);
        before.unwrap_or_default()
    }

    /// From now on the server does not say what it offers; gives what it offered before.
    pub fn hush(&self, server: &str) -> Vec<ToolDef> {
        lock(&self.servers).remove(server).unwrap_or_default()
    }

    /// The calls since they were taken last, in the order in which they arrived.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        lock(&self.sent).clone()
    }

    /// Takes them out.
    #[must_use]
    pub fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut lock(&self.sent))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl ToolBox for Ledger {
    async fn tools(&self, server: &str) -> Result<Vec<ToolDef>, ToolFailure> {
        let found = lock(&self.servers).get(server).cloned();
        found.ok_or_else(|| no_such(server))
    }

    async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure> {
        let offered = self.tools(server).await?;
        let arguments = Value::Object(arguments);
        lock(&self.sent).push(Sent {
            tool: format!("{server}.{tool}"),
            arguments: arguments.clone(),
        });
        if offered.iter().all(|t| t.name != tool) {
            let message = format!("unknown tool: {tool}");
            return Err(ToolFailure::Protocol {
                code: INVALID_PARAMS,
                message,
            });
        }
        let value = json!({ "arguments": arguments });
        let body = json!({"content": [], "structuredContent": value});
        Ok(ToolReply {
            kind: ReplyKind::Answer,
            value,
            cut: None,
            body: body.to_string().into_bytes(),
            blocks: 0,
        })
    }
}

fn no_such(server: &str) -> ToolFailure {
    ToolFailure::NoSuchServer {
        server: server.to_owned(),
    }
}
