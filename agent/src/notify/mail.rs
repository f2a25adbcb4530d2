//! Posts as e-mail over SMTP; the week comes with its report. It takes no answers, and what was mailed is not mailed again when it changes.

use anyhow::Context as _;
use async_trait::async_trait;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::config::{MailConfig, PostKind};

use super::plain::plain;
use super::{At, Notifier, Place, Post, PostError};

/// `Auto-Submitted: auto-generated` (RFC 3834), so that mailers answer nothing by themselves.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Mail to fixed people.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    takes: Vec<PostKind>,
}

impl Mail {
    /// Mail as configured; nothing is sent yet.
    ///
    /// # Errors
    /// When an address can't be read or the password can't be had.
    pub async fn new(config: &MailConfig) -> anyhow::Result<Self> {
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.url)
            .context("[notify.mail] url")?
            .timeout(Some(std::time::Duration::from_secs(20)));
        if let Some((user, password)) = config.user.as_ref().zip(config.password.as_ref()) {
            let password = password.resolve().await;
            let password = password.context("[notify.mail] password can't be had")?;
            let secret = password.expose_secret().to_owned();
            transport = transport.credentials(Credentials::new(user.clone(), secret));
        }
        let address = |text: &String| {
            let read = text.parse::<Mailbox>();
            read.with_context(|| format!("[notify.mail] `{text}` is no address"))
        };
        Ok(Self {
            transport: transport.build(),
            from: address(&config.from)?,
            to: config.to.iter().map(address).collect::<Result<_, _>>()?,
            takes: config.takes.clone(),
        })
    }

    fn message(&self, post: &Post) -> Result<Message, lettre::error::Error> {
        let (subject, text) = plain(post);
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .header(AutoSubmitted);
        for to in &self.to {
            message = message.to(to.clone());
        }
        let report = match post {
            Post::Digest(digest) => digest.report.as_ref().map(|html| (&digest.week, html)),
            _ => None,
        };
        match report {
            None => message.singlepart(SinglePart::plain(text)),
            Some((week, html)) => {
                let attached = Attachment::new(format!("nightdesk-{week}.html"))
                    .body(html.clone(), ContentType::TEXT_HTML);
                let shown = MultiPart::alternative_plain_html(text, html.clone());
                message.multipart(MultiPart::mixed().multipart(shown).singlepart(attached))
            }
        }
    }
}

#[async_trait]
impl Notifier for Mail {
    fn name(&self) -> &str {
        "mail"
    }

    fn takes(&self, kind: PostKind) -> bool {
        self.takes.contains(&kind)
    }

    async fn post(&self, post: &Post, at: At<'_>) -> Result<Place, PostError> {
        if let Some(earlier) = at.earlier {
            return Ok(earlier.clone());
        }
        let message = self.message(post).map_err(|e| PostError::Refused {
            why: format!("the mail can't be written: {e}"),
        })?;
        match self.transport.send(message).await {
            Ok(_) => Ok(Place(json!({"mailed": true}))),
            Err(e) if e.is_permanent() => Err(PostError::Refused {
                why: format!("the mail server refuses it: {e}"),
            }),
            Err(e) => Err(PostError::Later {
                after: None,
                why: format!("the mail server: {e}"),
            }),
        }
    }
}
