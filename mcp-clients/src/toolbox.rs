//! The edge to MCP tools: what can be asked and what comes back; deciding whether a call may be made is the gate's.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Named servers with tools. The real one is [`crate::Fleet`].
#[async_trait]
pub trait ToolBox: Send + Sync {
    /// `tools/list` of one server, all pages, never from a cache.
    async fn tools(&self, server: &str) -> Result<Vec<ToolDef>, ToolFailure>;

    /// `tools/call`, sent at most once: nothing is retried here.
    async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure>;

    /// The same, alone in its session, and what the server asked meanwhile. The very question that a person has answered
    /// gets their answer, once; everything else is declined. Where nothing can be asked, nothing is.
    async fn call_heard(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
        _answer: Option<Answer>,
    ) -> Heard {
        Heard {
            reply: self.call(server, tool, arguments).await,
            declined: Vec::new(),
            answered: false,
        }
    }
}

/// How a call ended and what the server asked during it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// How it ended.
    pub reply: Result<ToolReply, ToolFailure>,
    /// Forms that it asked to be filled in, and that were declined.
    pub declined: Vec<Question>,
    /// Whether the answer of a person was given.
    pub answered: bool,
}

/// A form that a server asked to be filled in during a call. Every text in it was written by the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// What it says, on one line, 2,000 characters at most.
    pub message: String,
    /// JSON Schema of the answer: one object of primitive fields, 16 KiB at most.
    pub schema: Value,
    /// SHA-256, hex, over the whole message and the schema.
    pub digest: String,
}

impl Question {
    pub(crate) fn digest_of(whole: &Value) -> String {
        crate::mappings::hex(&Sha256::digest(canonical(whole).to_string()))
    }
}

/// What a person has answered to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Digest of the question.
    pub digest: String,
    /// Values by field.
    pub content: Map<String, Value>,
}

/// The value with sorted keys.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let sorted: BTreeMap<&String, Value> =
                map.iter().map(|(k, v)| (k, canonical(v))).collect();
            serde_json::json!(sorted)
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// One tool as its server describes it. Every text in it was written by the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDef {
    /// Name without the server's.
    pub name: String,
    /// Display title.
    pub title: Option<String>,
    /// Description; empty when the server gives none.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// JSON Schema of `structuredContent`.
    pub output_schema: Option<Value>,
    /// MCP annotations as sent; `null` when there are none. Never obeyed, only compared.
    pub annotations: Value,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolReply {
    /// Whether it can be read as an answer.
    pub kind: ReplyKind,
    /// The answer as one bounded value (256 KiB of JSON at most).
    pub value: Value,
    /// What of the answer `value` leaves out.
    pub cut: Option<Cut>,
    /// The whole `CallToolResult` as JSON, 16 MiB at most.
    pub body: Vec<u8>,
    /// How many content blocks the server sent. 0 with no structured content is an empty reply.
    pub blocks: usize,
}

/// How much of an answer was left out of the value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Bytes of JSON left out.
    pub bytes: usize,
    /// Content blocks not read.
    pub blocks: usize,
}

/// How an answer reads. Only `Answer` may be taken as what the backend knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyKind {
    /// The backend answered.
    Answer,
    /// The server passed on a failure of its backend without flagging it; the server's words.
    BackendError(String),
    /// Neither success nor failure can be told; why.
    Unknown(String),
}

/// Why there is no answer. Reasons and messages hold words of the server, bounded and on one line, but not trusted:
/// they are for people and logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolFailure {
    /// Nothing of that name is configured; nothing was sent.
    #[error("no server named {server} is configured: add [servers.{server}]")]
    NoSuchServer {
        /// Name asked for.
        server: String,
    },
    /// The server is starting, down or busy; nothing was sent.
    #[error("server {server} is not available: {reason}")]
    Unavailable {
        /// Server.
        server: String,
        /// Why, for a person.
        reason: String,
        /// For how long it has been so.
        since: Option<Duration>,
    },
    /// Sent, and no answer in time.
    #[error(
        "{server}.{tool} gave no answer in {}: see [servers.{server}.limits] call_timeout",
        crate::config::Span(*after)
    )]
    TimedOut {
        /// Server.
        server: String,
        /// Tool, or `tools/list`.
        tool: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// Sent, and the connection ended before the answer.
    #[error("server {server} went away during {tool}: {reason}")]
    Lost {
        /// Server.
        server: String,
        /// Tool, or `tools/list`.
        tool: String,
        /// Why, for a person.
        reason: String,
    },
    /// A JSON-RPC error, or an answer that is not MCP.
    #[error("protocol error {code}: {message}")]
    Protocol {
        /// JSON-RPC code; 0 when the answer itself was not as the protocol has it.
        code: i64,
        /// The server's words, bounded.
        message: String,
    },
    /// The tool says that it failed (`isError`).
    #[error("the tool failed: {message}")]
    ToolError {
        /// The server's words, bounded.
        message: String,
    },
    /// The answer is over the hard cap and was thrown away.
    #[error("the answer of {server}.{tool} is over {limit} bytes: ask for less")]
    TooLarge {
        /// Server.
        server: String,
        /// Tool, or `tools/list`.
        tool: String,
        /// The cap, bytes.
        limit: usize,
    },
}

impl ToolFailure {
    /// Whether the tool may have done its work all the same.
    ///
    /// Real servers report failure after a write that was applied, so a failure the server itself reports counts.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self {
            Self::NoSuchServer { .. } | Self::Unavailable { .. } => false,
            Self::Protocol { code, .. } => *code != METHOD_NOT_FOUND,
            Self::TimedOut { .. }
            | Self::Lost { .. }
            | Self::ToolError { .. }
            | Self::TooLarge { .. } => true,
        }
    }
}

/// JSON-RPC: the server has no such method, so nothing ran.
const METHOD_NOT_FOUND: i64 = -32601;
