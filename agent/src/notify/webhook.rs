//! Posts as signed HTTP calls, for whatever takes JSON: Teams, Mattermost, a chat bot, a ticket system; it takes no answers.

use std::time::Duration;

use async_trait::async_trait;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;

use crate::config::{PostKind, WebhookConfig};
use crate::ctx::{Clock, SystemClock};
use crate::data::sha256_hex;

use super::plain::plain;
use super::{At, Notifier, Place, Post, PostError};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One receiver of signed calls.
pub struct Webhook {
    name: String,
    url: String,
    secret: SecretString,
    takes: Vec<PostKind>,
    http: Client,
}

impl Webhook {
    /// A receiver as configured.
    ///
    /// # Errors
    /// When its secret can't be had or no client can be built.
    pub async fn new(config: &WebhookConfig) -> anyhow::Result<Self> {
        let secret = config.secret.resolve().await;
        let place = format!("notify.webhooks.{}", config.name);
        let http = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self {
            name: config.way(),
            url: config.url.clone(),
            secret: secret.map_err(|e| anyhow::anyhow!("[{place}] secret: {e}"))?,
            takes: config.takes.clone(),
            http,
        })
    }

    /// `v1=` and the HMAC-SHA256 of `time.body`, hex.
    fn signature(&self, time: &str, body: &str) -> Result<String, PostError> {
        let key = self.secret.expose_secret().as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|e| refused(e.to_string()))?;
        mac.update(format!("{time}.{body}").as_bytes());
        let bytes = mac.finalize().into_bytes();
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        Ok(format!("v1={hex}"))
    }
}

fn refused(why: String) -> PostError {
    PostError::Refused { why }
}

fn later(why: String, after: Option<Duration>) -> PostError {
    PostError::Later { after, why }
}

#[async_trait]
impl Notifier for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn takes(&self, kind: PostKind) -> bool {
        self.takes.is_empty() || self.takes.contains(&kind)
    }

    async fn post(&self, post: &Post, at: At<'_>) -> Result<Place, PostError> {
        let (title, text) = plain(post);
        let spelled = serde_json::to_value(post).map_err(|e| refused(e.to_string()))?;
        // A later form of the same post has the same id, so that a receiver can replace it.
        let id = match at.earlier.and_then(|p| p.0["id"].as_str()) {
            Some(id) => id.to_owned(),
            None => sha256_hex(spelled.to_string())[..32].to_owned(),
        };
        let body = json!({
            "id": id,
            "update": at.earlier.is_some(),
            "under": at.under.and_then(|p| p.0["id"].as_str()),
            "title": title,
            "text": text,
            "post": spelled,
        });
        let (body, time) = (body.to_string(), SystemClock.now().timestamp().to_string());
        let signature = self.signature(&time, &body)?;
        let sent = self
            .http
            .post(&self.url)
            .header("content-type", "application/json")
            .header("x-nightdesk-timestamp", time)
            .header("x-nightdesk-signature", signature)
            .header("idempotency-key", sha256_hex(&body))
            .body(body)
            .send()
            .await;
        let answer =
            sent.map_err(|e| later(format!("{}: {}", self.name, e.without_url()), None))?;
        let status = answer.status();
        let said = format!("{} answered {status}", self.name);
        match status {
            s if s.is_success() => Ok(Place(json!({"id": id}))),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(later(said, after(&answer)))
            }
            s if s.is_server_error() => Err(later(said, after(&answer))),
            _ => Err(refused(said)),
        }
    }
}

/// How long the other side wants to be left alone.
fn after(answer: &reqwest::Response) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(
        seconds.trim().parse::<u64>().ok()?.min(3_600),
    ))
}
