//! Slack's web API: one attempt a call, bounded answers, tokens in the header and nowhere else; what to say is not decided here.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::SetupError;
use super::api_error::ApiError;
use crate::text::oneline;

/// Longest time of one call.
const TIMEOUT: Duration = Duration::from_secs(15);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const MAX_BODY: usize = 1024 * 1024;
/// What is waited after a 429 that names no time, and the longest wait that one can ask for.
const WAIT: Duration = Duration::from_secs(30);
const MAX_WAIT: Duration = Duration::from_secs(600);

/// A method of the web API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Method {
    /// A new message.
    Post,
    /// Another text for a message.
    Update,
    /// A message for one person.
    Ephemeral,
    /// A dialog.
    Open,
    /// Who is in a user group.
    Members,
    /// An address for a socket.
    Connect,
    /// Who the token is.
    Test,
}

impl Method {
    /// Its name at Slack.
    #[must_use]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Post => "chat.postMessage",
            Self::Update => "chat.update",
            Self::Ephemeral => "chat.postEphemeral",
            Self::Open => "views.open",
            Self::Members => "usergroups.users.list",
            Self::Connect => "apps.connections.open",
            Self::Test => "auth.test",
        }
    }
}

/// Whose API it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// Slack's, encrypted.
    Slack,
    /// A test's.
    Loopback,
}

/// A client of the web API.
pub(super) struct Web {
    http: reqwest::Client,
    base: Url,
    bot: HeaderValue,
    app: Option<HeaderValue>,
}

impl Web {
    /// Prepares a client; sends nothing.
    ///
    /// # Errors
    /// A token that is none, or no HTTP client.
    pub(super) fn new(
        api: &str,
        bot: &SecretString,
        app: Option<&SecretString>,
    ) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("nightdesk/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| SetupError(format!("no HTTP client can be made for slack ({e}); check that the system's certificates are installed")))?;
        let base = Url::parse(api)
            .map_err(|e| SetupError(format!("[notify.slack] api is no address: {e}")))?;
        Ok(Self {
            http,
            base,
            bot: bearer(bot, "xoxb-", "bot_token")?,
            app: app.map(|t| bearer(t, "xapp-", "app_token")).transpose()?,
        })
    }

    /// The HTTP client, for the socket.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Whose API it is.
    pub(super) fn home(&self) -> Home {
        match self.base.scheme() {
            "https" => Home::Slack,
            _ => Home::Loopback,
        }
    }

    /// Calls a method once with a JSON body and gives the answer, which says `ok: true`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(super) async fn call(&self, method: Method, body: &Value) -> Result<Value, ApiError> {
        let body = body.to_string();
        self.send(method, ("application/json; charset=utf-8", body))
            .await
    }

    /// The members of a user group, whose id has been checked for its form.
    pub(super) async fn members(&self, group: &str) -> Result<Value, ApiError> {
        // This method takes no JSON.
        let body = format!("usergroup={group}&include_disabled=false");
        self.send(Method::Members, ("application/x-www-form-urlencoded", body))
            .await
    }

    async fn send(&self, method: Method, body: (&'static str, String)) -> Result<Value, ApiError> {
        let name = method.as_str();
        let down = |why: String| ApiError::Down { method: name, why };
        let url = self
            .base
            .join(name)
            .map_err(|e| down(format!("no address: {e}")))?;
        let token = match method {
            Method::Connect => self.app.as_ref().unwrap_or(&self.bot),
            _ => &self.bot,
        };
        let (kind, body) = body;
        let request = self
            .http
            .post(url)
            .header(AUTHORIZATION, token.clone())
            .header(CONTENT_TYPE, kind)
            .body(body);
        let call = async {
            let answer = request.send().await;
            let answer = answer.map_err(|e| down(causes(&e.without_url())))?;
            read(name, answer).await
        };
        tokio::time::timeout(TIMEOUT, call)
            .await
            .map_err(|_| down(format!("nothing came within {} s", TIMEOUT.as_secs())))?
    }
}

/// A token as a header.
fn bearer(token: &SecretString, begins: &str, key: &str) -> Result<HeaderValue, SetupError> {
    let token = token.expose_secret().trim();
    if !token.starts_with(begins) {
        let why = format!(
            "the secret of [notify.slack] {key} does not begin with {begins}: name the right one"
        );
        return Err(SetupError(why));
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
        SetupError(format!(
            "the secret of [notify.slack] {key} holds characters that cannot be sent"
        ))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read(method: &'static str, mut answer: Response) -> Result<Value, ApiError> {
    let down = |why: String| ApiError::Down { method, why };
    let status = answer.status();
    if status.as_u16() == 429 {
        let after = retry_after(answer.headers()).unwrap_or(WAIT);
        return Err(ApiError::Limited { method, after });
    }
    let wait = retry_after(answer.headers());
    let mut body = Vec::new();
    while let Some(piece) = answer
        .chunk()
        .await
        .map_err(|_| down("the answer was cut".to_owned()))?
    {
        if body.len() + piece.len() > MAX_BODY {
            return Err(down(format!(
                "the answer is larger than {} KiB",
                MAX_BODY >> 10
            )));
        }
        body.extend_from_slice(&piece);
    }
    let Ok(value) = serde_json::from_slice::<Value>(&body) else {
        return Err(down(format!("the answer is not JSON (status {status})")));
    };
    match (
        value.get("ok").and_then(Value::as_bool),
        status.is_success(),
    ) {
        (Some(true), true) => Ok(value),
        (Some(false), _) => match value.get("error").and_then(Value::as_str) {
            Some("ratelimited" | "rate_limited") => Err(ApiError::Limited {
                method,
                after: wait.unwrap_or(WAIT),
            }),
            Some(code) => Err(ApiError::said(method, code)),
            None => Err(down(format!(
                "it was refused without a reason (status {status})"
            ))),
        },
        _ => Err(down(format!(
            "the answer is no answer of slack's (status {status})"
        ))),
    }
}

/// `Retry-After`, which Slack gives in seconds; at most [`MAX_WAIT`].
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds: u64 = said.parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

/// The error and its causes in one line, bounded.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let all = std::iter::successors(Some(error), |e| e.source());
    let all = all.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    oneline(&all, 300)
}
