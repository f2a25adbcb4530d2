//! The edge to language models: one question, one turn. Tiers, budgets and what a turn may lead to are decided elsewhere.

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

mod breaker;
mod error;
mod http;
mod names;
mod openai;
mod retry;
pub mod schema;
mod sse;
mod wire;

pub use crate::config::{ModelConfig, Streaming, TokenField, WireConfig};
pub use error::LlmError;
pub use openai::{OpenAi, SetupError, Surroundings};

/// A model that can be asked for one turn of a conversation.
///
/// Every implementation keeps the deadline, retries by itself, and never returns a turn that was cut.
#[async_trait]
pub trait Llm: Send + Sync {
    /// Asks for the next turn.
    ///
    /// # Errors
    /// [`LlmError`], by what the caller can do.
    async fn turn(&self, ask: &Ask) -> Result<Turn, LlmError>;

    /// What people call this model; stands in verdicts and reports.
    fn name(&self) -> &str;
}

/// One question.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Model name as the endpoint knows it.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Functions the model may call.
    pub tools: Vec<ToolSpec>,
    /// Whether it may, must or must not call one.
    pub choice: ToolChoice,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 2; the endpoint's default when absent.
    pub temperature: Option<f64>,
    /// When the caller stops waiting, all attempts together.
    pub deadline: Instant,
}

/// A function the model may call. The name may be any text: the edge turns it into what the protocol allows and back.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Name, for instance `siem.query_logs`.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: Value,
}

/// Whether the model may, must or must not call a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it likes.
    Auto,
    /// It must call this one.
    Must(String),
    /// It must answer in text.
    None,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The operator's standing orders.
    System(String),
    /// The daemon's words.
    User(String),
    /// An earlier turn of the model.
    Assistant {
        /// What it wrote.
        text: Option<String>,
        /// What it called.
        calls: Vec<Call>,
    },
    /// The answer to a call.
    Tool {
        /// [`Call::id`] of the call.
        call_id: String,
        /// The answer.
        content: String,
    },
}

/// A function call the model asks for. Nothing has checked it: name and arguments are untrusted text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Unique in its turn, never empty.
    pub id: String,
    /// Name of the function; may be one that was never offered.
    pub name: String,
    /// Arguments, meant to be a JSON object; may be anything.
    pub arguments: String,
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// What it wrote.
    pub text: Option<String>,
    /// What it wants called, in order; at most [`MAX_CALLS`].
    pub calls: Vec<Call>,
    /// Why it stopped.
    pub finish: Finish,
    /// What it cost.
    pub usage: Usage,
    /// The model's own refusal, when it wrote one.
    pub refusal: Option<String>,
    /// Requests sent, the last one included.
    pub attempts: u32,
}

/// Most calls of one turn; more is a malformed answer.
pub const MAX_CALLS: usize = 64;

/// Why the model stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It was done.
    Stop,
    /// It waits for the answers to its calls.
    ToolCalls,
    /// It ran out of tokens: what it wrote is incomplete.
    Length,
    /// The endpoint cut it.
    ContentFilter,
    /// Any other word, bounded; empty when the endpoint gave none.
    Other(String),
}

/// Tokens of the attempt that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens sent.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// Whether a number was missing and four characters were counted as one token.
    pub estimated: bool,
}
