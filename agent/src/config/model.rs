//! The `[model]` section: where the model is and how it is asked; it reads no secret and opens no connection.

use std::time::Duration;

use mcp_clients::config::{SecretRef, Span};
use serde::Deserialize;

/// An OpenAI-compatible endpoint.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// Address up to and including the version, for instance `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// Where the key is; absent for endpoints that want none.
    #[serde(default)]
    pub api_key: Option<SecretRef>,
    /// Model name as the endpoint knows it.
    pub model: String,
    /// Longest time of one attempt, for instance `60s`.
    #[serde(default = "default_timeout")]
    pub timeout: Span,
    /// Attempts after the first.
    #[serde(default = "default_max_retries")]
    pub max_retries: u32,
    /// Most tokens of one answer.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: u32,
    /// Sampling temperature, 0 to 2; the endpoint's default when absent.
    #[serde(default)]
    pub temperature: Option<f64>,
    /// Whether the answer is read as an event stream.
    #[serde(default)]
    pub stream: Streaming,
    /// US dollars for a million tokens sent.
    #[serde(default)]
    pub price_in: f64,
    /// US dollars for a million tokens written.
    #[serde(default)]
    pub price_out: f64,
    /// Most requests under way at a time.
    #[serde(default = "default_max_concurrent")]
    pub max_concurrent: usize,
    /// Details of the connection and the dialect.
    #[serde(default)]
    pub wire: WireConfig,
}

/// The `[model.wire]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WireConfig {
    /// Longest time to connect.
    pub connect_timeout: Span,
    /// Longest silence once an answer has begun.
    pub idle_timeout: Span,
    /// Name of the field that limits the answer.
    pub token_field: TokenField,
}

/// Whether the answer is read as an event stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Streaming {
    /// One JSON object.
    #[default]
    Off,
    /// Server-sent events: a slow model is told from a dead one by [`WireConfig::idle_timeout`].
    On,
}

/// Name of the request field that limits the answer; endpoints differ and some refuse the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenField {
    /// What local servers know.
    #[default]
    MaxTokens,
    /// What newer hosted models want.
    MaxCompletionTokens,
}

impl Default for WireConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Span(Duration::from_secs(10)),
            idle_timeout: Span(Duration::from_secs(30)),
            token_field: TokenField::default(),
        }
    }
}

impl ModelConfig {
    /// What is wrong with the values, one sentence each, naming the setting; empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, text: &str| {
            if wrong {
                faults.push(text.to_owned());
            }
        };
        match reqwest::Url::parse(&self.base_url) {
            Ok(url) => {
                fault(
                    !matches!(url.scheme(), "http" | "https") || url.host_str().is_none(),
                    "`base_url` must begin with http:// or https:// and name a host",
                );
                fault(
                    !url.username().is_empty() || url.password().is_some(),
                    "`base_url` holds a user name or password; put the key under `api_key`",
                );
                fault(
                    url.query().is_some() || url.fragment().is_some(),
                    "`base_url` must end with the path, for instance /v1",
                );
                fault(
                    url.path()
                        .trim_end_matches('/')
                        .ends_with("/chat/completions"),
                    "`base_url` must leave out /chat/completions",
                );
            }
            Err(_) => fault(
                true,
                "`base_url` is not an address, for instance http://127.0.0.1:8000/v1",
            ),
        }
        fault(
            self.model.trim().is_empty(),
            "`model` is empty; name a model the endpoint serves",
        );
        fault(self.timeout.0.is_zero(), "`timeout` must be longer than 0s");
        fault(self.max_retries > 10, "`max_retries` must be at most 10");
        fault(
            !(16..=200_000).contains(&self.max_tokens),
            "`max_tokens` must be from 16 to 200000",
        );
        fault(
            self.temperature.is_some_and(|t| !(0.0..=2.0).contains(&t)),
            "`temperature` must be from 0 to 2",
        );
        let price = |p: f64| p.is_finite() && p >= 0.0;
        fault(
            !price(self.price_in) || !price(self.price_out),
            "`price_in` and `price_out` must be 0 or more US dollars for a million tokens",
        );
        fault(
            !(1..=256).contains(&self.max_concurrent),
            "`max_concurrent` must be from 1 to 256",
        );
        fault(
            self.wire.connect_timeout.0.is_zero(),
            "`wire.connect_timeout` must be longer than 0s",
        );
        fault(
            self.wire.idle_timeout.0.is_zero(),
            "`wire.idle_timeout` must be longer than 0s",
        );
        faults
    }

    /// US dollars for these tokens.
    #[must_use]
    pub fn cost(&self, tokens_in: u64, tokens_out: u64) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 tokens")]
        let dollars = |tokens: u64, price: f64| tokens as f64 * price / 1_000_000.0;
        dollars(tokens_in, self.price_in) + dollars(tokens_out, self.price_out)
    }
}

fn default_timeout() -> Span {
    Span(Duration::from_secs(60))
}

fn default_max_retries() -> u32 {
    3
}

fn default_max_tokens() -> u32 {
    4_096
}

fn default_max_concurrent() -> usize {
    4
}
