//! Servers that answer what a test gives them and nothing else; which question belongs to which step is told by the playbook's own arguments.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chrono::{NaiveDate, TimeDelta};
use mcp_clients::{ReplyKind, ToolBox, ToolDef, ToolFailure, ToolReply};
use serde_json::{Map, Value, json};
use state::model::NewAlert;

use crate::catalogue::Catalogue;
use crate::config::Config;
use crate::gate::canonical;
use crate::playbook::{Dialect, Entry, Slots, StepTarget};

use super::form::{Given, Rows, Word};

/// What the servers offer and answer in one case.
pub(super) struct Answers {
    tools: BTreeMap<String, Vec<ToolDef>>,
    /// By `server.tool` and canonical arguments.
    given: BTreeMap<(String, String), Given>,
    /// The alert's first event, for rows that repeat it.
    event: Value,
    day: NaiveDate,
}

/// Argument that the gate adds by itself.
const AS_OF: &str = "as_of";

impl Answers {
    /// Answers for the steps of a playbook about one alert.
    ///
    /// # Errors
    /// When an answer is for a step that there is not, or two steps with one question are answered differently.
    pub(super) fn of(
        alert: &NewAlert,
        entry: &Entry,
        answers: &BTreeMap<String, Given>,
        with: (&Dialect, &Config),
    ) -> Result<Self, String> {
        let (dialect, config) = with;
        let playbook = &entry.playbook;
        for step in answers.keys() {
            if playbook.steps.iter().all(|s| s.id != *step) {
                return Err(format!(
                    "answers `{step}`, which is not a step of {}",
                    playbook.id
                ));
            }
        }
        let slots = Slots::of(alert);
        let mut given = BTreeMap::new();
        for step in &playbook.steps {
            let (Some(answer), Ok(filled)) = (answers.get(&step.id), slots.fill(&step.args)) else {
                continue;
            };
            let question = match &step.target {
                StepTarget::Tool(tool) => (tool.clone(), key(filled.arguments)),
                StepTarget::Query(name) => {
                    let as_of = config.run.as_of(alert.time);
                    let asked = dialect.ask(name, &filled.arguments, alert.time, as_of);
                    let asked = asked.map_err(|e| format!("step `{}`: {e}", step.id))?;
                    (config.queries.tool.clone(), key(dialect.arguments(&asked)))
                }
            };
            let other = given.insert(question, answer.clone());
            if other.is_some_and(|other| other != *answer) {
                return Err(format!(
                    "answers `{}` otherwise than a step that asks the same",
                    step.id
                ));
            }
        }
        Ok(Self {
            tools: BTreeMap::new(),
            given,
            event: alert
                .activities
                .first()
                .map_or(Value::Null, |a| a.raw.clone()),
            day: alert.time.date_naive(),
        })
    }

    /// Offers every tool of a catalogue, with arguments as it likes.
    pub(super) fn offering(mut self, catalogue: &Catalogue) -> Self {
        self.tools = offered(catalogue);
        self
    }

    fn rows(&self, rows: &Rows) -> Vec<Value> {
        let again = rows.again_days_before.iter();
        let again = again.map(|days| earlier(&self.event, self.day, *days));
        rows.rows.iter().cloned().chain(again).collect()
    }
}

/// Definitions of all tools of a catalogue.
pub(super) fn offered(catalogue: &Catalogue) -> BTreeMap<String, Vec<ToolDef>> {
    let mut tools: BTreeMap<String, Vec<ToolDef>> = BTreeMap::new();
    for (_, entry) in catalogue.iter() {
        tools
            .entry(entry.server.clone())
            .or_default()
            .push(ToolDef {
                name: entry.tool.clone(),
                title: None,
                description: String::new(),
                input_schema: json!({"type": "object", "patternProperties": {"": {}}}),
                output_schema: None,
                annotations: Value::Null,
            });
    }
    tools
}

fn key(mut arguments: Map<String, Value>) -> String {
    arguments.remove(AS_OF);
    canonical(&Value::Object(arguments)).to_string()
}

/// The event with the alert's day, wherever it stands at the beginning of a text, moved back.
fn earlier(event: &Value, day: NaiveDate, days: u16) -> Value {
    match event {
        Value::String(text) => match text.strip_prefix(&day.to_string()) {
            Some(rest) => json!(format!("{}{rest}", day - TimeDelta::days(days.into()))),
            None => event.clone(),
        },
        Value::Array(items) => items.iter().map(|v| earlier(v, day, days)).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), earlier(v, day, days)))
            .collect(),
        other => other.clone(),
    }
}

#[async_trait]
impl ToolBox for Answers {
    async fn tools(&self, server: &str) -> Result<Vec<ToolDef>, ToolFailure> {
        let found = self.tools.get(server).cloned();
        found.ok_or_else(|| ToolFailure::NoSuchServer {
            server: server.to_owned(),
        })
    }

    async fn call(
        &self,
        server: &str,
        tool: &str,
        arguments: Map<String, Value>,
    ) -> Result<ToolReply, ToolFailure> {
        let question = (format!("{server}.{tool}"), key(arguments));
        let value = match self.given.get(&question) {
            None | Some(Given::Word(Word::Empty)) => json!({"available": true, "results": []}),
            Some(Given::Word(Word::NotHere)) => {
                json!({"available": false, "reason": "the test gives none"})
            }
            Some(Given::Word(Word::Failed)) => {
                return Err(ToolFailure::ToolError {
                    message: "the test lets it fail".to_owned(),
                });
            }
            Some(Given::Rows(rows)) => {
                json!({"available": true, "results": self.rows(rows), "truncated": rows.more})
            }
        };
        let body = json!({"content": [], "structuredContent": value});
        Ok(ToolReply {
            kind: ReplyKind::Answer,
            value,
            cut: None,
            body: body.to_string().into_bytes(),
            blocks: 1,
        })
    }
}
