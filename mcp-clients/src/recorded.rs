//! A toolbox that answers from what was recorded, for replays: no server is started or asked.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use rmcp::model::CallToolResult;
use serde_json::{Map, Value, json};

use crate::config::{ReplyRules, ServerSpec};
use crate::result::{self, Refused};
use crate::toolbox::{ToolBox, ToolDef, ToolFailure, ToolReply};

/// A call as it was made and answered.
#[derive(Debug, Clone)]
pub struct RecordedCall {
    /// Server.
    pub server: String,
    /// Tool at the server.
    pub tool: String,
    /// Arguments as they were sent.
    pub arguments: Map<String, Value>,
    /// How it ended.
    pub end: Ended,
}

/// How a recorded call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With this `CallToolResult` as JSON.
    Answered(Vec<u8>),
    /// Without an answer, and why.
    Failed(String),
    /// It was not let through for what the tool was, and why: it says nothing of the tool's arguments.
    Refused(String),
    /// Nobody knows: it was not sent, broke off, or its answer is kept no longer.
    Unknown,
}

/// Answers a call as an equal one was answered; one that was not made then fails as unavailable.
#[derive(Debug, Default)]
pub struct Recorded {
    calls: BTreeMap<(String, String, String), Result<Vec<u8>, String>>,
    arguments: BTreeMap<(String, String), BTreeSet<String>>,
    rules: BTreeMap<String, ReplyRules>,
}

impl Recorded {
    /// Of calls to these servers; of equal calls the last one counts.
    #[must_use]
    pub fn of(servers: &BTreeMap<String, ServerSpec>, calls: Vec<RecordedCall>) -> Self {
        let mut recorded = Self {
            rules: servers
                .iter()
                .map(|(name, spec)| (name.clone(), spec.reply.clone()))
                .collect(),
            ..Self::default()
        };
        for call in calls {
            let key = key(&call.server, &call.tool, &call.arguments);
            if !matches!(call.end, Ended::Refused(_)) {
                let names = recorded.arguments.entry((call.server, call.tool));
                let names = names.or_default();
                names.extend(call.arguments.keys().cloned());
            }
            match call.end {
                Ended::Answered(body) => drop(recorded.calls.insert(key, Ok(body))),
                Ended::Failed(why) => drop(recorded.calls.insert(key, Err(why))),
                Ended::Refused(why) => drop(recorded.calls.entry(key).or_insert(Err(why))),
                Ended::Unknown => {}
            }
        }
        recorded
    }

    /// Whether it is on record how such a call ended.
    #[must_use]
    pub fn knows(&self, server: &str, tool: &str, arguments: &Map<String, Value>) -> bool {
        self.calls.contains_key(&key(server, tool, arguments))
    }

    /// The definition of a recorded tool: its name, and any value for the arguments it was called with.
    #[must_use]
    pub fn definition(&self, server: &str, tool: &str) -> Option<ToolDef> {
        let key = (server.to_owned(), tool.to_owned());
        let names = self.arguments.get(&key)?;
        let properties: Map<String, Value> =
            names.iter().map(|name| (name.clone(), json!({}))).collect();
        Some(ToolDef {
            name: tool.to_owned(),
            title: None,
            description: String::new(),
            input_schema: json!({"type": "object", "properties": properties}),
            output_schema: None,
            annotations: Value::Null,
        })
    }
}

fn key(server: &str, tool: &str, arguments: &Map<String, Value>) -> (String, String, String) {
    (server.to_owned(), tool.to_owned(), canonical(arguments))
}

/// The arguments with sorted keys: serde keeps the order of writing.
fn canonical(arguments: &Map<String, Value>) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let sorted: BTreeMap<&String, Value> =
                    map.iter().map(|(k, v)| (k, sorted(v))).collect();
                json!(sorted)
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            scalar => scalar.clone(),
        }
    }
    sorted(&Value::Object(arguments.clone())).to_string()
}

#[async_trait]
impl ToolBox for Recorded {
    async fn tools(&self, server: &str) -> Result<Vec<ToolDef>, ToolFailure> {
        let tools = self.arguments.keys().filter(|(s, _)| s == server);
        Ok(tools
            .filter_map(|(server, tool)| self.definition(server, tool))
            .collect())
    }

    async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure> {
        let unavailable = |reason: String| ToolFailure::Unavailable {
            server: server.to_owned(),
            reason,
            since: None,
        };
        let body = match self.calls.get(&key(server, tool, &arguments)) {
            Some(Ok(body)) => body,
            Some(Err(why)) => return Err(unavailable(why.clone())),
            None => {
                let why = "such a call is not recorded, and a replay asks no server";
                return Err(unavailable(why.to_owned()));
            }
        };
        let answer: CallToolResult = serde_json::from_slice(body)
            .map_err(|e| unavailable(format!("the recorded answer can't be read: {e}")))?;
        let rules = self.rules.get(server).cloned().unwrap_or_default();
        result::read(answer, &rules).map_err(|refused| match refused {
            Refused::Failed(message) => ToolFailure::ToolError { message },
            Refused::TooLarge(limit) => ToolFailure::TooLarge {
                server: server.to_owned(),
                tool: tool.to_owned(),
                limit,
            },
        })
    }
}
