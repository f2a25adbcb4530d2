//! The real [`Llm`]: any OpenAI-compatible endpoint, with retries, deadline, breaker and a limit of requests at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_trait::async_trait;
use axum::http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use state::model::Time;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::breaker::Breaker;
use super::http::Sender;
use super::names::Names;
use super::retry::{self, Fault};
use super::wire::{self, Completion};
use super::{Ask, Llm, LlmError, ModelConfig, Streaming, TokenField, Turn};

/// What the edge takes from outside itself, so that a test can fix it.
#[derive(Clone)]
pub struct Surroundings {
    /// The wall clock, for `Retry-After` dates.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// A random number from 0 to 1, for the jitter of retries.
    pub fraction: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl Surroundings {
    /// With a jitter that follows from `seed` (splitmix64); good enough to spread retries, no good for secrets.
    #[must_use]
    pub fn seeded(seed: u64, now: Arc<dyn Fn() -> Time + Send + Sync>) -> Self {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let state = AtomicU64::new(seed);
        let fraction = move || {
            let z = state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
            let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX))
                / f64::from(u32::MAX)
        };
        Self {
            now,
            fraction: Arc::new(fraction),
        }
    }
}

/// Why the endpoint can't be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The settings are wrong.
    #[error("the `[model]` settings are wrong: {0}")]
    Settings(String),
    /// The key can't stand in a header.
    #[error(
        "the model key holds characters that cannot be sent; check that `model.api_key` names the right secret"
    )]
    Key,
    /// No HTTP client.
    #[error(
        "no HTTP client can be made for the model ({0}); check that the system's certificates are installed"
    )]
    Http(String),
}

/// An OpenAI-compatible endpoint.
pub struct OpenAi {
    client: async_openai::Client<Endpoint>,
    name: String,
    dialect: (Streaming, TokenField),
    timeout: Duration,
    max_retries: u32,
    slots: Semaphore,
    breaker: Breaker,
    around: Surroundings,
}

/// The library's configuration. Its own would read `OPENAI_*` from the environment.
#[derive(Clone)]
struct Endpoint {
    base: String,
    key: SecretString,
    headers: HeaderMap,
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }
    fn api_base(&self) -> &str {
        &self.base
    }
    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

impl OpenAi {
    /// Prepares the endpoint; sends nothing. `key` is the resolved secret, absent when the endpoint wants none.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(
        config: &ModelConfig,
        key: Option<SecretString>,
        around: Surroundings,
    ) -> Result<Self, SetupError> {
        let faults = config.faults();
        if !faults.is_empty() {
            return Err(SetupError::Settings(faults.join("; ")));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = &key {
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", key.expose_secret().trim()))
                    .map_err(|_| SetupError::Key)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(config.wire.connect_timeout.0)
            .user_agent(concat!("nightdesk/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| SetupError::Http(e.to_string()))?;
        let key = key.map_or_else(SecretString::default, |k| k.expose_secret().trim().into());
        let sender = Sender {
            http: http.clone(),
            idle: config.wire.idle_timeout.0,
            key: key.clone(),
            around: around.clone(),
        };
        let service = tower::service_fn(move |factory: HttpRequestFactory| {
            let sender = sender.clone();
            async move {
                let sent = sender.send(factory).await;
                sent.map_err(|fault| OpenAIError::Boxed(Box::new(fault)))
            }
        });
        let endpoint = Endpoint {
            base: config.base_url.trim_end_matches('/').to_owned(),
            key,
            headers,
        };
        Ok(Self {
            client: async_openai::Client::build(http, endpoint).with_http_service(service),
            name: config.model.clone(),
            dialect: (config.stream, config.wire.token_field),
            timeout: config.timeout.0,
            max_retries: config.max_retries,
            slots: Semaphore::new(config.max_concurrent),
            breaker: Breaker::new(),
            around,
        })
    }

    /// One attempt, within the limits of requests at a time, of one attempt, and of the caller.
    async fn attempt(&self, request: &Value, deadline: Instant) -> Result<Completion, Fault> {
        let slot = timeout_at(deadline, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else {
            return Err(LlmError::Deadline.into());
        };
        if Instant::now() >= deadline {
            return Err(LlmError::Deadline.into());
        }
        let permit = self
            .breaker
            .admit()
            .map_err(|until| LlmError::BreakerOpen { until })?;
        let limit = Instant::now() + self.timeout;
        let chat = self.client.chat();
        let outcome = match timeout_at(limit.min(deadline), chat.create_byot(request)).await {
            Ok(Ok(completion)) => Ok(completion),
            Ok(Err(error)) => Err(fault(error)),
            // The caller left early: that says nothing about the endpoint, so the permit is given back unused.
            Err(_) if deadline < limit => return Err(LlmError::Deadline.into()),
            Err(_) => Err(LlmError::Timeout {
                after: self.timeout,
            }
            .into()),
        };
        match &outcome {
            Err(fault) if fault.error.blames_endpoint() => permit.failed(),
            _ => permit.worked(),
        }
        outcome
    }
}

/// Our own fault out of the library's error, whose text may hold a body and is never shown.
fn fault(error: OpenAIError) -> Fault {
    let OpenAIError::Boxed(inner) = error else {
        return LlmError::malformed("the client library could not read it", "").into();
    };
    match inner.downcast::<Fault>() {
        Ok(fault) => *fault,
        Err(_) => LlmError::malformed("the client library could not read it", "").into(),
    }
}

#[async_trait]
impl Llm for OpenAi {
    async fn turn(&self, ask: &Ask) -> Result<Turn, LlmError> {
        let names = Names::new(&ask.tools);
        let request = wire::request(ask, &names, self.dialect.0, self.dialect.1);
        let mut last = None;
        for attempt in 1.. {
            let fault = match self.attempt(&request, ask.deadline).await {
                Ok(completion) => return completion.turn(ask, &names, attempt),
                Err(fault) => fault,
            };
            if let LlmError::BreakerOpen { .. } = fault.error {
                return Err(last.unwrap_or(fault.error));
            }
            let wait = retry::wait(&fault, attempt, (self.around.fraction)());
            tracing::debug!(
                attempt,
                ?wait,
                transient = fault.error.is_transient(),
                "the model gave no turn"
            );
            let again = Instant::now() + wait;
            if !fault.error.is_transient() || attempt > self.max_retries || again >= ask.deadline {
                return Err(fault.error);
            }
            last = Some(fault.error);
            tokio::time::sleep_until(again).await;
        }
        Err(LlmError::Deadline)
    }

    fn name(&self) -> &str {
        &self.name
    }
}
