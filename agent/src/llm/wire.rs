//! The chat completions protocol as servers really speak it: strict in what is sent, tolerant in what is read.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::clean;
use super::names::Names;
use super::{Ask, Call, Finish, LlmError, MAX_CALLS, Message, ToolChoice, Turn, Usage};
use crate::config::{Streaming, TokenField};

/// An answer after the tolerant reading; the same for a JSON object and for an event stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Completion {
    pub(super) text: Option<String>,
    pub(super) refusal: Option<String>,
    pub(super) calls: Vec<RawCall>,
    pub(super) finish: String,
    pub(super) tokens_in: Option<u64>,
    pub(super) tokens_out: Option<u64>,
}

/// A call as received; every part may be empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RawCall {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// The request body. Sampling stays the endpoint's own unless the question says otherwise.
pub(super) fn request(ask: &Ask, names: &Names, stream: Streaming, field: TokenField) -> Value {
    let mut body = Map::new();
    body.insert("model".into(), json!(ask.model));
    body.insert(
        "messages".into(),
        ask.messages.iter().map(|m| message(m, names)).collect(),
    );
    let field = match field {
        TokenField::MaxTokens => "max_tokens",
        TokenField::MaxCompletionTokens => "max_completion_tokens",
    };
    body.insert(field.into(), json!(ask.max_tokens));
    if let Some(temperature) = ask.temperature {
        body.insert("temperature".into(), json!(temperature));
    }
    if !ask.tools.is_empty() {
        let tool = |t: &super::ToolSpec| {
            json!({"type": "function", "function": {
                "name": names.wire(&t.name), "description": t.description, "parameters": t.parameters,
            }})
        };
        body.insert("tools".into(), ask.tools.iter().map(tool).collect());
        let choice = match &ask.choice {
            ToolChoice::Auto => json!("auto"),
            ToolChoice::None => json!("none"),
            ToolChoice::Must(name) => {
                json!({"type": "function", "function": {"name": names.wire(name)}})
            }
        };
        body.insert("tool_choice".into(), choice);
    }
    // Never left to a default: the client library does not set it for types of our own.
    body.insert("stream".into(), json!(stream == Streaming::On));
    if stream == Streaming::On {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    Value::Object(body)
}

fn message(message: &Message, names: &Names) -> Value {
    match message {
        Message::System(text) => json!({"role": "system", "content": text}),
        Message::User(text) => json!({"role": "user", "content": text}),
        Message::Tool { call_id, content } => {
            json!({"role": "tool", "tool_call_id": call_id, "content": content})
        }
        Message::Assistant { text, calls } if calls.is_empty() => {
            json!({"role": "assistant", "content": text.as_deref().unwrap_or_default()})
        }
        Message::Assistant { text, calls } => {
            let call = |c: &Call| {
                json!({"id": c.id, "type": "function", "function": {
                    "name": names.wire(&c.name), "arguments": sendable(&c.arguments),
                }})
            };
            let calls: Vec<Value> = calls.iter().map(call).collect();
            json!({"role": "assistant", "content": text, "tool_calls": calls})
        }
    }
}

/// Servers parse the arguments of earlier calls again and fail the whole request when they can't.
fn sendable(arguments: &str) -> &str {
    match serde_json::from_str::<Map<String, Value>>(arguments) {
        Ok(_) => arguments,
        Err(_) => "{}",
    }
}

/// Reads a whole answer.
///
/// # Errors
/// What is wrong with its shape.
pub(super) fn completion(answer: &Value) -> Result<Completion, String> {
    let choice = answer
        .get("choices")
        .and_then(Value::as_array)
        .ok_or("it has no `choices`")?
        .first()
        .ok_or("its `choices` are empty")?;
    let message = choice
        .get("message")
        .filter(|m| m.is_object())
        .ok_or("its first choice has no `message`")?;
    let mut out = Completion {
        text: text(message.get("content")),
        refusal: text(message.get("refusal")),
        finish: word(choice.get("finish_reason")),
        ..Completion::default()
    };
    for call in array(message.get("tool_calls")) {
        out.calls.push(raw_call(call));
    }
    if let Some(function) = message.get("function_call").filter(|f| f.is_object()) {
        out.calls.push(raw_call(&json!({ "function": function })));
    }
    out.count(answer.get("usage"));
    Ok(out)
}

pub(super) fn array(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// A call with or without `type`, its arguments a string or an object.
pub(super) fn raw_call(call: &Value) -> RawCall {
    let function = call.get("function").unwrap_or(call);
    RawCall {
        id: word(call.get("id")),
        name: word(function.get("name")),
        arguments: match function.get("arguments") {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(s)) => s.clone(),
            Some(other) => other.to_string(),
        },
    }
}

/// Text that is a string or a list of text parts; nothing when empty.
pub(super) fn text(value: Option<&Value>) -> Option<String> {
    let text = match value? {
        Value::String(s) => s.clone(),
        Value::Array(parts) => {
            let part = |p: &Value| p.get("text").and_then(Value::as_str).map(str::to_owned);
            parts.iter().filter_map(part).collect()
        }
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A word that may be a string or a number.
pub(super) fn word(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Number(n)) => n.to_string(),
        _ => String::new(),
    }
}

impl Completion {
    /// Notes the token counts, when they are plausible.
    pub(super) fn count(&mut self, usage: Option<&Value>) {
        let count = |key| {
            let n = usage?.get(key)?.as_f64()?;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "checked to lie between 1 and a thousand million"
            )]
            (1.0..1e9).contains(&n).then_some(n as u64)
        };
        self.tokens_in = count("prompt_tokens").or(self.tokens_in);
        self.tokens_out = count("completion_tokens").or(self.tokens_out);
    }

    /// The turn as the rest of the daemon knows it.
    pub(super) fn turn(self, ask: &Ask, names: &Names, attempts: u32) -> Result<Turn, LlmError> {
        if self.calls.len() > MAX_CALLS {
            let why = format!("it holds {} calls, more than {MAX_CALLS}", self.calls.len());
            return Err(LlmError::malformed(why, ""));
        }
        let usage = self.usage(ask);
        let mut calls: Vec<Call> = Vec::with_capacity(self.calls.len());
        for (i, call) in self.calls.into_iter().enumerate() {
            let taken = call.id.is_empty() || calls.iter().any(|c| c.id == call.id);
            calls.push(Call {
                id: if taken {
                    format!("call_{}_{i}", ask.messages.len())
                } else {
                    call.id
                },
                name: names.ours(&call.name),
                arguments: call.arguments,
            });
        }
        Ok(Turn {
            text: self.text,
            calls,
            finish: match self.finish.as_str() {
                "stop" => Finish::Stop,
                "tool_calls" | "function_call" => Finish::ToolCalls,
                "length" => Finish::Length,
                "content_filter" => Finish::ContentFilter,
                other => Finish::Other(clean(other, 40)),
            },
            usage,
            refusal: self.refusal,
            attempts,
        })
    }

    fn usage(&self, ask: &Ask) -> Usage {
        let spec = |t: &super::ToolSpec| {
            t.name.len() + t.description.len() + t.parameters.to_string().len()
        };
        let said = |m: &Message| match m {
            Message::System(t) | Message::User(t) | Message::Tool { content: t, .. } => t.len(),
            Message::Assistant { text, calls } => {
                let calls = calls
                    .iter()
                    .map(|c| c.name.len() + c.arguments.len())
                    .sum::<usize>();
                text.as_ref().map_or(0, String::len) + calls
            }
        };
        let sent = ask
            .messages
            .iter()
            .map(said)
            .chain(ask.tools.iter().map(spec))
            .sum::<usize>();
        let words = [&self.text, &self.refusal]
            .into_iter()
            .flatten()
            .map(String::len);
        let called = self.calls.iter().map(|c| c.name.len() + c.arguments.len());
        let written = words.chain(called).sum::<usize>();
        Usage {
            tokens_in: self.tokens_in.unwrap_or(sent as u64 / 4 + 1),
            tokens_out: self.tokens_out.unwrap_or(written as u64 / 4 + 1),
            estimated: self.tokens_in.is_none() || self.tokens_out.is_none(),
        }
    }
}
