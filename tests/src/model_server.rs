//! A scripted model behind real HTTP on loopback, speaking the OpenAI chat completions protocol; it understands nothing.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Scripted {
    /// An assistant's message, streamed when the request asks for it.
    Say(Reply),
    /// A status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// Status 200 with this content type and body.
    Body(&'static str, String),
    /// Status 200 with these events, as they are; nothing is added.
    Events(Vec<String>),
    /// Half an answer, then the connection breaks.
    Cut,
    /// Half an answer, then silence.
    Stall,
    /// An answer that never ends, some bytes at a time.
    Drip,
    /// Nothing, ever.
    Hang,
    /// The connection breaks before any answer.
    HangUp,
    /// A body of this many bytes.
    Huge(usize),
}

/// An assistant's message. `{{last}}` in its text and arguments is the text of the request's last message.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Text.
    pub text: Option<String>,
    /// Name and arguments of each call.
    pub calls: Vec<(String, Value)>,
    /// `finish_reason`.
    pub finish: String,
    /// Refusal.
    pub refusal: Option<String>,
    /// Tokens in and out; none leaves `usage` out.
    pub usage: Option<(u64, u64)>,
}

impl Scripted {
    /// An answer in words.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Say(Reply {
            text: Some(text.to_owned()),
            calls: Vec::new(),
            finish: "stop".to_owned(),
            refusal: None,
            usage: Some((100, 20)),
        })
    }

    /// An answer that calls one function.
    #[must_use]
    pub fn call(name: &str, arguments: Value) -> Self {
        Self::calls(vec![(name, arguments)])
    }

    /// An answer that calls several functions.
    #[must_use]
    pub fn calls(calls: Vec<(&str, Value)>) -> Self {
        Self::Say(Reply {
            text: None,
            calls: calls.into_iter().map(|(n, a)| (n.to_owned(), a)).collect(),
            finish: "tool_calls".to_owned(),
            refusal: None,
            usage: Some((100, 20)),
        })
    }

    /// The same answer, changed; faults stay as they are.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Reply)) -> Self {
        if let Self::Say(reply) = &mut self {
            change(reply);
        }
        self
    }

    /// A status with a JSON body.
    #[must_use]
    pub fn error(status: u16, body: &Value) -> Self {
        let kind = ("content-type", "application/json".to_owned());
        Self::Status(status, vec![kind], body.to_string())
    }

    /// 429 with this `Retry-After`.
    #[must_use]
    pub fn limited(retry_after: &str) -> Self {
        Self::Status(
            429,
            vec![("retry-after", retry_after.to_owned())],
            "slow down".to_owned(),
        )
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Path.
    pub path: String,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; null when it was not JSON.
    pub body: Value,
}

type Script = dyn Fn(&Value, usize) -> Scripted + Send + Sync;

struct Shared {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server; it stops when dropped.
pub struct ModelServer {
    base_url: String,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ModelServer {
    /// Answers by the entries in turn; a request after the last one gets 400.
    ///
    /// # Errors
    /// No port.
    pub async fn start(script: Vec<Scripted>) -> anyhow::Result<Self> {
        Self::with(move |_, n| {
            let over =
                || Scripted::error(400, &json!({"error": {"message": "the script is over"}}));
            script.get(n).cloned().unwrap_or_else(over)
        })
        .await
    }

    /// Answers by a function of the request's body and its number, from 0.
    ///
    /// # Errors
    /// No port.
    pub async fn with(
        script: impl Fn(&Value, usize) -> Scripted + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            script: Box::new(script),
            seen: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port for the model server")?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move {
            // Ends only with the task.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self {
            base_url,
            shared,
            task,
        })
    }

    /// What stands as `base_url` under `[model]`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen().clone()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let number = {
        let mut seen = shared.seen();
        seen.push(Seen {
            path: uri.path().to_owned(),
            headers,
            body: body.clone(),
        });
        seen.len() - 1
    };
    let streamed = body["stream"] == json!(true);
    let kind = if streamed {
        "text/event-stream"
    } else {
        "application/json"
    };
    let reply = match &Scripted::text("a half answer that nobody may use") {
        Scripted::Say(reply) if streamed => events(reply, &body).concat(),
        Scripted::Say(reply) => whole(reply, &body).to_string(),
        _ => String::new(),
    };
    let half = Bytes::from(reply[..reply.len() / 2].to_owned());
    match (shared.script)(&body, number) {
        Scripted::Say(reply) if streamed => response(200, kind, pieces(events(&reply, &body))),
        Scripted::Say(reply) => response(200, kind, Body::from(whole(&reply, &body).to_string())),
        Scripted::Body(kind, body) => response(200, kind, Body::from(body)),
        Scripted::Events(events) => response(200, "text/event-stream", pieces(events)),
        Scripted::Cut => response(200, kind, then_break(half)),
        Scripted::Stall => {
            let forever = stream::iter([Ok::<_, Infallible>(half)]).chain(stream::pending());
            response(200, kind, Body::from_stream(forever))
        }
        Scripted::Drip if streamed => response(200, kind, Body::from_stream(drip(": wait\n\n"))),
        Scripted::Drip => response(200, kind, Body::from_stream(drip(" "))),
        Scripted::HangUp => response(200, kind, break_now()),
        Scripted::Hang => std::future::pending().await,
        Scripted::Huge(bytes) => response(200, kind, Body::from(vec![b' '; bytes])),
        Scripted::Status(status, headers, body) => {
            let mut out = response(status, "text/html", Body::from(body));
            for (name, value) in headers {
                if let Ok(value) = value.parse() {
                    out.headers_mut().insert(name, value);
                }
            }
            out
        }
    }
}

fn response(status: u16, kind: &'static str, body: Body) -> Response {
    let mut out = Response::new(body);
    *out.status_mut() = status.try_into().unwrap_or_default();
    out.headers_mut()
        .insert("content-type", axum::http::HeaderValue::from_static(kind));
    out
}

fn pieces(events: Vec<String>) -> Body {
    Body::from_stream(stream::iter(events.into_iter().map(Ok::<_, Infallible>)))
}

/// The HTTP layer writes what it has when the body is not ready: without that pause nothing of the answer is sent.
fn then_break(first: Bytes) -> Body {
    let pause = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(stream::iter([Ok(first)]).chain(pause))
}

fn break_now() -> Body {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionAborted);
    Body::from_stream(stream::iter([Err::<Bytes, _>(broken)]))
}

fn drip(what: &'static str) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(
        tokio::time::interval(Duration::from_millis(10)),
        move |mut clock| async move {
            clock.tick().await;
            Some((Ok(Bytes::from_static(what.as_bytes())), clock))
        },
    )
}

/// Fills in the placeholder.
fn filled(text: &str, request: &Value) -> String {
    let last = request["messages"].as_array().and_then(|m| m.last());
    let last = last.and_then(|m| m["content"].as_str()).unwrap_or_default();
    text.replace("{{last}}", last)
}

fn arguments(arguments: &Value, request: &Value) -> String {
    let escaped = |s: &str| json!(s).to_string().trim_matches('"').to_owned();
    let last = escaped(&filled("{{last}}", request));
    arguments.to_string().replace("{{last}}", &last)
}

fn usage(reply: &Reply) -> Option<Value> {
    let (sent, written) = reply.usage?;
    Some(
        json!({"prompt_tokens": sent, "completion_tokens": written, "total_tokens": sent + written}),
    )
}

/// The answer in one object.
fn whole(reply: &Reply, request: &Value) -> Value {
    let call = |(i, (name, args)): (usize, &(String, Value))| {
        json!({"id": format!("call-{i}"), "type": "function",
            "function": {"name": name, "arguments": arguments(args, request)}})
    };
    let calls: Vec<Value> = reply.calls.iter().enumerate().map(call).collect();
    let mut message =
        json!({"role": "assistant", "content": reply.text.as_ref().map(|t| filled(t, request))});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    if let Some(refusal) = &reply.refusal {
        message["refusal"] = json!(refusal);
    }
    let mut out = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}]});
    if let Some(usage) = usage(reply) {
        out["usage"] = usage;
    }
    out
}

/// The answer in events, cut small: text by three characters, arguments in the middle.
fn events(reply: &Reply, request: &Value) -> Vec<String> {
    let chunk = |delta: Value, finish: Option<&str>| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": request["model"],
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut out = vec![chunk(json!({"role": "assistant", "content": ""}), None)];
    let text: Vec<char> = reply
        .text
        .iter()
        .flat_map(|t| filled(t, request).chars().collect::<Vec<_>>())
        .collect();
    for piece in text.chunks(3) {
        out.push(chunk(
            json!({"content": piece.iter().collect::<String>()}),
            None,
        ));
    }
    if let Some(refusal) = &reply.refusal {
        out.push(chunk(json!({"refusal": refusal}), None));
    }
    for (i, (name, args)) in reply.calls.iter().enumerate() {
        let args: Vec<char> = arguments(args, request).chars().collect();
        let (first, second) = args.split_at(args.len() / 2);
        let piece = |s: &[char]| s.iter().collect::<String>();
        out.push(chunk(
            json!({"tool_calls": [{"index": i, "id": format!("call-{i}"), "type": "function",
            "function": {"name": name, "arguments": piece(first)}}]}),
            None,
        ));
        out.push(chunk(
            json!({"tool_calls": [{"index": i, "function": {"arguments": piece(second)}}]}),
            None,
        ));
    }
    out.push(chunk(json!({}), Some(&reply.finish)));
    if let Some(usage) =
        usage(reply).filter(|_| request["stream_options"]["include_usage"] == json!(true))
    {
        let last = json!({"id": "chatcmpl-1", "choices": [], "usage": usage});
        out.push(format!("data: {last}\n\n"));
    }
    out.push("data: [DONE]\n\n".to_owned());
    out
}
