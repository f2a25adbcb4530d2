//! Asking one open session: bounded in time and number, every way it can fail named; nothing is retried.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResponse, PaginatedRequestParams, Tool};
use rmcp::service::{Peer, RoleClient, ServiceError};
use serde_json::{Map, Value};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;

use super::frames::{MAX_LINE, OVERSIZED};
use super::questions::Questions;
use crate::config::{Limits, ReplyRules, ServerSpec};
use crate::result;
use crate::toolbox::{Answer, Heard, ToolDef, ToolFailure, ToolReply};
use crate::words::one_line;

/// Most tools and pages taken from one server.
const MAX_TOOLS: usize = 2_000;
const MAX_PAGES: usize = 200;
/// Longest part of a server's error message that is passed on, characters.
const MAX_MESSAGE: usize = 1_000;
/// So many timeouts with no answer between them and the server counts as hung.
const HUNG_AFTER: u32 = 3;

/// The way to one session's tools; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    server: Arc<str>,
    peer: Peer<RoleClient>,
    places: Arc<Semaphore>,
    limits: Limits,
    reply: Arc<ReplyRules>,
    health: Arc<Health>,
    questions: Questions,
}

/// What calls find out about the session's health.
#[derive(Debug, Default)]
struct Health {
    timeouts: AtomicU32,
    sick: Notify,
}

impl Calls {
    pub(super) fn new(
        server: &str,
        (peer, questions): (Peer<RoleClient>, Questions),
        spec: &ServerSpec,
    ) -> Self {
        Self {
            server: server.into(),
            peer,
            places: Arc::new(Semaphore::new(spec.limits.in_flight)),
            limits: spec.limits,
            reply: Arc::new(spec.reply.clone()),
            health: Arc::default(),
            questions,
        }
    }

    /// Waits until calls have shown that the session is of no more use, and says why.
    pub(crate) async fn sick(&self) -> String {
        self.health.sick.notified().await;
        if self.health.timeouts.load(Ordering::Relaxed) >= HUNG_AFTER {
            format!("it hung: {HUNG_AFTER} calls in a row had no answer")
        } else {
            "it could not be reached".to_owned()
        }
    }

    /// All pages of `tools/list`.
    pub(crate) async fn list(&self) -> Result<Vec<ToolDef>, ToolFailure> {
        self.within(self.limits.list, "tools/list", 1, self.pages())
            .await
    }

    /// One `tools/call`.
    pub(crate) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let once = self.peer.call_tool_once(params);
        let response = self.within(self.limits.call, tool, 1, async {
            once.await.map_err(|e| self.failure(tool, e))
        });
        self.read(tool, response.await?)
    }

    /// One `tools/call` with the session to itself, so that what is asked meanwhile is asked about it.
    pub(crate) async fn call_heard(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        answer: Option<Answer>,
    ) -> Heard {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let mut heard = Default::default();
        let all = self.limits.in_flight;
        let response = self.within(self.limits.call, tool, all, async {
            let listening = self.questions.begin(answer);
            let response = self.rounds(tool, params).await;
            heard = listening.heard();
            response
        });
        let reply = match response.await {
            Ok(response) => self.read(tool, response),
            Err(failure) => Err(failure),
        };
        Heard {
            reply,
            declined: heard.asked,
            answered: heard.answered,
        }
    }

    /// The call; one that comes back with a question that a person has answered is made once more with the answer.
    async fn rounds(
        &self,
        tool: &str,
        params: CallToolRequestParams,
    ) -> Result<CallToolResponse, ToolFailure> {
        let once = self.peer.call_tool_once(params.clone()).await;
        let response = once.map_err(|e| self.failure(tool, e))?;
        let CallToolResponse::InputRequired(required) = &response else {
            return Ok(response);
        };
        let Some(requests) = required.input_requests.as_ref() else {
            return Ok(response);
        };
        let mut answers = BTreeMap::new();
        for (name, request) in requests {
            if let Some(answer) = self.questions.decide_required(request) {
                answers.insert(name.clone(), answer);
            }
        }
        if answers.is_empty() || answers.len() < requests.len() {
            return Ok(response);
        }
        let mut again = params.with_input_responses(answers);
        again.request_state.clone_from(&required.request_state);
        let once = self.peer.call_tool_once(again).await;
        once.map_err(|e| self.failure(tool, e))
    }

    fn read(&self, tool: &str, response: CallToolResponse) -> Result<ToolReply, ToolFailure> {
        match response {
            CallToolResponse::Complete(answer) => {
                result::read(answer, &self.reply).map_err(|over| match over {
                    result::Refused::Failed(message) => ToolFailure::ToolError {
                        message: one_line(&message, MAX_MESSAGE),
                    },
                    result::Refused::TooLarge(limit) => self.too_large(tool, limit),
                })
            }
            CallToolResponse::InputRequired(_) => Err(ToolFailure::ToolError {
                message: "the server asked for input or consent, which is always declined"
                    .to_owned(),
            }),
            _ => Err(ToolFailure::Protocol {
                code: 0,
                message: "the server made a background task of the call, which is not supported"
                    .to_owned(),
            }),
        }
    }

    async fn pages(&self) -> Result<Vec<ToolDef>, ToolFailure> {
        let mut tools = Vec::new();
        let mut cursor = None;
        for _ in 0..MAX_PAGES {
            let params = PaginatedRequestParams::default().with_cursor(cursor.clone());
            let page = self.peer.list_tools(Some(params)).await;
            let page = page.map_err(|e| self.failure("tools/list", e))?;
            tools.extend(page.tools.into_iter().map(definition));
            match page.next_cursor {
                None if tools.len() <= MAX_TOOLS => return Ok(tools),
                next if tools.len() <= MAX_TOOLS && next != cursor => cursor = next,
                _ => break,
            }
        }
        Err(ToolFailure::Protocol {
            code: 0,
            message: format!("tools/list does not end, or names over {MAX_TOOLS} tools"),
        })
    }

    /// Waits for so many free places, then for the answer; both within `limit`.
    async fn within<T>(
        &self,
        limit: Duration,
        what: &str,
        places: usize,
        sent: impl Future<Output = Result<T, ToolFailure>>,
    ) -> Result<T, ToolFailure> {
        let until = tokio::time::Instant::now() + limit;
        let places = self
            .places
            .acquire_many(u32::try_from(places).unwrap_or(u32::MAX));
        let place = tokio::time::timeout_at(until, places).await;
        let Ok(Ok(_place)) = place else {
            return Err(ToolFailure::Unavailable {
                server: self.server.to_string(),
                reason: format!("busy: all {} places were taken", self.limits.in_flight),
                since: None,
            });
        };
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        match timeout(left, sent).await {
            Ok(answer) => {
                self.health.timeouts.store(0, Ordering::Relaxed);
                answer
            }
            Err(_) => {
                let timeouts = self.health.timeouts.fetch_add(1, Ordering::Relaxed) + 1;
                if timeouts >= HUNG_AFTER {
                    self.health.sick.notify_one();
                }
                Err(ToolFailure::TimedOut {
                    server: self.server.to_string(),
                    tool: what.to_owned(),
                    after: limit,
                })
            }
        }
    }

    fn failure(&self, tool: &str, error: ServiceError) -> ToolFailure {
        let lost = |reason: String| ToolFailure::Lost {
            server: self.server.to_string(),
            tool: tool.to_owned(),
            reason,
        };
        match error {
            ServiceError::McpError(e) if e.code.0 == OVERSIZED => self.too_large(tool, MAX_LINE),
            ServiceError::McpError(e) => ToolFailure::Protocol {
                code: e.code.0.into(),
                message: one_line(&e.message, MAX_MESSAGE),
            },
            ServiceError::TransportClosed if self.peer.is_transport_closed() => {
                lost("the connection was closed".to_owned())
            }
            ServiceError::TransportClosed => {
                lost(format!("the answer broke off, or is over {MAX_LINE} bytes"))
            }
            ServiceError::TransportSend(e) => {
                self.health.sick.notify_one();
                lost(one_line(&causes(e.error.as_ref()), MAX_MESSAGE))
            }
            ServiceError::UnexpectedResponse => ToolFailure::Protocol {
                code: 0,
                message: "the answer is not one MCP has for this request".to_owned(),
            },
            other => lost(one_line(&other.to_string(), MAX_MESSAGE)),
        }
    }

    fn too_large(&self, tool: &str, limit: usize) -> ToolFailure {
        ToolFailure::TooLarge {
            server: self.server.to_string(),
            tool: tool.to_owned(),
            limit,
        }
    }
}

/// An error with what caused it.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

fn definition(tool: Tool) -> ToolDef {
    let annotations = tool.annotations.and_then(|a| serde_json::to_value(a).ok());
    ToolDef {
        name: tool.name.into_owned(),
        title: tool.title,
        description: tool.description.map(Into::into).unwrap_or_default(),
        input_schema: Value::Object(tool.input_schema.as_ref().clone()),
        output_schema: tool
            .output_schema
            .map(|s| Value::Object(s.as_ref().clone())),
        annotations: annotations.unwrap_or(Value::Null),
    }
}
