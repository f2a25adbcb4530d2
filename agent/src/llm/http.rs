//! One HTTP attempt: sends the request, bounds and understands whatever comes back, and hands the client library
//! only answers it can read, so that it never logs a body. It does not try again.

use std::time::Duration;

use async_openai::middleware::HttpRequestFactory;
use axum::http::{HeaderValue, StatusCode, header};
use eventsource_stream::{EventStreamError, Eventsource};
use futures::{Stream, StreamExt, stream};
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::error::{MAX_EXCERPT, clean};
use super::openai::Surroundings;
use super::retry::{Fault, retry_after};
use super::sse::Assembly;
use super::{LlmError, wire};

/// Most bytes of an answer.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Most bytes of an error's body that are looked at.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// What one attempt needs.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) http: reqwest::Client,
    pub(super) idle: Duration,
    pub(super) key: SecretString,
    pub(super) around: Surroundings,
}

/// Why a body could not be read to its end.
enum Broken {
    TooLarge,
    Silent(Duration),
    Cut,
}

impl Sender {
    /// Sends one request. A success is a JSON object in the shape of [`wire::Completion`].
    pub(super) async fn send(self, factory: HttpRequestFactory) -> Result<Response, Fault> {
        let mut request = factory
            .build()
            .await
            .map_err(|_| LlmError::Unreachable("the request could not be built".to_owned()))?;
        if let Some(key) = request.headers_mut().get_mut(header::AUTHORIZATION) {
            key.set_sensitive(true);
        }
        let response = self
            .http
            .execute(request)
            .await
            .map_err(|e| LlmError::Unreachable(self.clean(&causes(&e.without_url()))))?;
        let status = response.status().as_u16();
        if !response.status().is_success() {
            let wait = retry_after(response.headers(), (self.around.now)());
            let says = self.error_body(response).await;
            return Err(self.classify(status, &says, wait));
        }
        let completion = if is_event_stream(&response) {
            self.read_stream(response).await?
        } else {
            self.read_json(response).await?
        };
        let body = serde_json::to_vec(&completion)
            .map_err(|e| LlmError::malformed(format!("it cannot be passed on: {e}"), ""))?;
        let mut answer = axum::http::Response::new(body);
        *answer.status_mut() = StatusCode::OK;
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(answer.into())
    }

    async fn read_json(&self, response: Response) -> Result<wire::Completion, Fault> {
        let kind = content_type(&response);
        let mut body = Vec::new();
        let mut pieces = std::pin::pin!(self.pieces(response, MAX_BODY));
        while let Some(piece) = pieces.next().await {
            body.extend_from_slice(&piece.map_err(|b| b.error())?);
        }
        let shown = self.clean(&String::from_utf8_lossy(
            &body[..body.len().min(4 * MAX_EXCERPT)],
        ));
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|_| LlmError::malformed(format!("it is not JSON but {kind}"), &shown))?;
        if let Some(says) = Says::instead_of_answer(&answer) {
            return Err(self.classify(says.status.unwrap_or(200), &says, None));
        }
        wire::completion(&answer).map_err(|why| LlmError::malformed(why, &shown).into())
    }

    async fn read_stream(&self, response: Response) -> Result<wire::Completion, Fault> {
        let mut assembly = Assembly::default();
        let mut events = std::pin::pin!(self.pieces(response, MAX_BODY).eventsource());
        loop {
            let event = match events.next().await {
                Some(Ok(event)) if event.data.trim() == "[DONE]" => break,
                Some(Ok(event)) => event,
                _ if assembly.is_finished() => break,
                Some(Err(EventStreamError::Transport(broken))) => {
                    return Err(broken.error().into());
                }
                Some(Err(_)) => {
                    return Err(LlmError::malformed("its stream is not text", "").into());
                }
                None => return Err(Broken::Cut.error().into()),
            };
            let Ok(chunk) = serde_json::from_str::<Value>(&event.data) else {
                let shown = self.clean(&event.data);
                return Err(LlmError::malformed("a part of its stream is not JSON", &shown).into());
            };
            let says = Says::instead_of_answer(&chunk)
                .or_else(|| (event.event == "error").then(|| Says::read(&chunk)));
            if let Some(says) = says {
                return Err(self.classify(says.status.unwrap_or(200), &says, None));
            }
            assembly.take(&chunk);
        }
        assembly
            .done()
            .map_err(|why| LlmError::malformed(why, "").into())
    }

    /// The body in pieces, until it is too large, silent for too long, or breaks.
    fn pieces(
        &self,
        response: Response,
        max: usize,
    ) -> impl Stream<Item = Result<Vec<u8>, Broken>> + use<> {
        let idle = self.idle;
        let start = (Box::pin(response.bytes_stream()), 0_usize, false);
        stream::unfold(start, move |(mut body, mut size, over)| async move {
            if over {
                return None;
            }
            // Before the first byte the model may think as long as the attempt allows.
            let next = if size == 0 {
                Ok(body.next().await)
            } else {
                tokio::time::timeout(idle, body.next()).await
            };
            let piece = match next {
                Err(_) => Err(Broken::Silent(idle)),
                Ok(None) => return None,
                Ok(Some(Err(_))) => Err(Broken::Cut),
                Ok(Some(Ok(piece))) => {
                    size += piece.len();
                    if size > max {
                        Err(Broken::TooLarge)
                    } else {
                        Ok(piece.to_vec())
                    }
                }
            };
            let over = piece.is_err();
            Some((piece, (body, size, over)))
        })
    }

    /// What an error's body says; a body that can't be read says nothing.
    async fn error_body(&self, response: Response) -> Says {
        let mut body = Vec::new();
        let mut pieces = std::pin::pin!(self.pieces(response, MAX_ERROR_BODY));
        while let Some(Ok(piece)) = pieces.next().await {
            body.extend_from_slice(&piece);
        }
        match serde_json::from_slice::<Value>(&body) {
            Ok(value) => Says::read(&value),
            Err(_) => Says::default(),
        }
    }

    fn classify(&self, status: u16, says: &Says, wait: Option<Duration>) -> Fault {
        let has = |word: &str| says.code.contains(word) || says.kind.contains(word);
        let message = || match says.message.as_str() {
            "" if (300..400).contains(&status) => "it redirects; set the final address".to_owned(),
            "" => "no message".to_owned(),
            said => self.clean(said),
        };
        let error = match status {
            _ if status == 402 || has("insufficient_quota") || has("billing_hard_limit") => {
                LlmError::QuotaExhausted
            }
            _ if has("content_filter") || has("content_policy") => LlmError::Refused(message()),
            401 | 403 => LlmError::Unauthorised { status },
            429 => LlmError::RateLimited { retry_after: wait },
            408 | 409 | 500.. | 200..300 => LlmError::ServerError { status },
            _ => LlmError::Rejected {
                status,
                message: message(),
            },
        };
        Fault { error, wait }
    }

    /// Foreign text, bounded, without control characters and without our key, should the endpoint repeat it.
    fn clean(&self, text: &str) -> String {
        let key = self.key.expose_secret();
        if key.len() >= 4 {
            clean(&text.replace(key, "[key]"), MAX_EXCERPT)
        } else {
            clean(text, MAX_EXCERPT)
        }
    }
}

impl Broken {
    fn error(self) -> LlmError {
        match self {
            Self::TooLarge => {
                LlmError::malformed(format!("it is larger than {} MiB", MAX_BODY >> 20), "")
            }
            Self::Silent(after) => LlmError::Timeout { after },
            Self::Cut => LlmError::malformed("it was cut before its end", ""),
        }
    }
}

/// What an endpoint says about an error, in any of the shapes seen.
#[derive(Debug, Default)]
struct Says {
    status: Option<u16>,
    code: String,
    kind: String,
    message: String,
}

impl Says {
    /// `{"error": {…}}`, `{"error": "…"}`, `{"object": "error", "message": …, "code": 400}` or `{"detail": …}`.
    fn read(value: &Value) -> Self {
        let inner = value.get("error").filter(|e| !e.is_null()).unwrap_or(value);
        let message = match inner {
            Value::String(s) => s.clone(),
            _ => ["message", "detail", "msg"]
                .iter()
                .find_map(|key| inner.get(key))
                .map(|m| m.as_str().map_or_else(|| m.to_string(), str::to_owned))
                .unwrap_or_default(),
        };
        let code = wire::word(inner.get("code"));
        Self {
            status: code.parse().ok().filter(|n| (300..600).contains(n)),
            code,
            kind: wire::word(inner.get("type")),
            message,
        }
    }

    /// An error object that came with a success status.
    fn instead_of_answer(value: &Value) -> Option<Self> {
        let error = value.get("error").is_some_and(|e| !e.is_null())
            || value.get("object").and_then(Value::as_str) == Some("error");
        error.then(|| Self::read(value))
    }
}

fn content_type(response: &Response) -> String {
    let value = response.headers().get(header::CONTENT_TYPE);
    let kind = value.and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = clean(kind.split(';').next().unwrap_or_default(), 60);
    if kind.is_empty() {
        "of unknown type".to_owned()
    } else {
        kind
    }
}

fn is_event_stream(response: &Response) -> bool {
    content_type(response).eq_ignore_ascii_case("text/event-stream")
}

/// The innermost causes in one line; the library's own message names none.
fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |e| e.source());
    all.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
