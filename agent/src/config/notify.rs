//! How people are told: `[notify]`; which person may answer what is in `[approvals]`.

use std::time::Duration;

use chrono::TimeDelta;
use mcp_clients::config::{SecretRef, Span};
use serde::Deserialize;
use state::model::Severity;

use super::SlackConfig;

/// `[notify]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Cards and buttons in a Slack channel.
    pub slack: Option<SlackConfig>,
    /// When people are reminded, and who.
    pub ladder: LadderConfig,
    /// When equal proposed closes become one question.
    pub batch: BatchConfig,
    /// Signed HTTP calls with everything that people are told.
    pub webhooks: Vec<WebhookConfig>,
    /// E-mail.
    pub mail: Option<MailConfig>,
}

/// `[notify.ladder]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LadderConfig {
    /// From rung to rung on critical and fatal cases.
    pub critical: Span,
    /// On high ones.
    pub high: Span,
    /// On all others.
    pub other: Span,
    /// Whom to mention at each rung after the first reminder, which mentions nobody: users and user groups of the notifier.
    pub rungs: Vec<Vec<String>>,
}

impl Default for LadderConfig {
    fn default() -> Self {
        let minutes = |m: u64| Span(Duration::from_secs(m * 60));
        Self {
            critical: minutes(10),
            high: minutes(30),
            other: minutes(240),
            rungs: Vec::new(),
        }
    }
}

impl LadderConfig {
    /// Time from rung to rung on a case of this severity.
    #[must_use]
    pub fn step(&self, severity: Severity) -> TimeDelta {
        let span = match severity {
            Severity::Critical | Severity::Fatal => self.critical,
            Severity::High => self.high,
            _ => self.other,
        };
        TimeDelta::from_std(span.0).unwrap_or_else(|_| TimeDelta::hours(4))
    }
}

/// `[notify.batch]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchConfig {
    /// So many equal proposed closes make one question; 0: never.
    pub from: usize,
    /// How long a proposed close waits for others like it before people are asked.
    pub gather: Span,
    /// Cases of a batch, drawn at random, that are shown whole.
    pub sample: usize,
}

impl Default for BatchConfig {
    fn default() -> Self {
        Self {
            from: 3,
            gather: Span(Duration::from_secs(120)),
            sample: 2,
        }
    }
}

/// `[[notify.webhooks]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Its name in the store and in logs.
    pub name: String,
    /// Where to; https, or http on loopback.
    pub url: String,
    /// Key of the signature.
    pub secret: SecretRef,
    /// What goes there; everything when empty.
    #[serde(default)]
    pub takes: Vec<PostKind>,
}

/// `[notify.mail]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// `smtps://HOST[:PORT]`, `smtp://HOST[:PORT]?tls=required`, or `smtp://` on loopback.
    pub url: String,
    /// Name to log in with.
    #[serde(default)]
    pub user: Option<String>,
    /// Password to log in with.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// What goes there; the week and notices unless set.
    #[serde(default = "of_mail")]
    pub takes: Vec<PostKind>,
}

fn of_mail() -> Vec<PostKind> {
    vec![PostKind::Digest, PostKind::Notice]
}

/// Kinds of things that people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostKind {
    /// A case that needs a person.
    Case,
    /// Equal proposed closes.
    Batch,
    /// A later event of a case.
    Line,
    /// A nudge.
    Reminder,
    /// Something about the daemon itself.
    Notice,
    /// The week in short.
    Digest,
}

impl WebhookConfig {
    /// Name of this way to people.
    #[must_use]
    pub fn way(&self) -> String {
        format!("webhook.{}", self.name)
    }
}

impl NotifyConfig {
    /// Names of the ways to people, as they stand in the store, in logs and in metrics: `slack`, `webhook.NAME`, `mail`.
    #[must_use]
    pub fn ways(&self) -> Vec<String> {
        let slack = self.slack.iter().map(|_| "slack".to_owned());
        let hooks = self.webhooks.iter().map(WebhookConfig::way);
        let mail = self.mail.iter().map(|_| "mail".to_owned());
        slack.chain(hooks).chain(mail).collect()
    }

    /// Settings that can't be meant, one sentence each, with their key.
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let slack = self.slack.iter().flat_map(SlackConfig::faults);
        faults.extend(slack.map(|(key, message)| (format!("notify.slack.{key}"), message)));
        let mut seen = std::collections::BTreeSet::new();
        let mut of_cases = |key: String, takes: &[PostKind]| {
            use PostKind as K;
            let needs = |k: &&PostKind| matches!(k, K::Batch | K::Line | K::Reminder);
            if let Some(kind) = takes.iter().find(needs)
                && !takes.contains(&K::Case)
            {
                let message =
                    format!("names {kind:?} without case, and only what is told of cases has it")
                        .to_lowercase();
                faults.push((key, message));
            }
        };
        for (i, hook) in self.webhooks.iter().enumerate() {
            of_cases(format!("notify.webhooks.{i}.takes"), &hook.takes);
        }
        if let Some(mail) = &self.mail {
            of_cases("notify.mail.takes".to_owned(), &mail.takes);
        }
        for (i, hook) in self.webhooks.iter().enumerate() {
            let key = format!("notify.webhooks.{i}");
            if hook.name.trim().is_empty() || !seen.insert(&hook.name) {
                faults.push((
                    key.clone(),
                    "needs a name of its own: write name = \"…\"".to_owned(),
                ));
            }
            if !is_safe(&hook.url, "https://", "http://") {
                let message = "must be https://, or http:// on loopback".to_owned();
                faults.push((format!("{key}.url"), message));
            }
        }
        for (key, span) in [
            ("critical", self.ladder.critical),
            ("high", self.ladder.high),
            ("other", self.ladder.other),
        ] {
            if span.0 < Duration::from_secs(60) {
                let message = "must be at least 1m".to_owned();
                faults.push((format!("notify.ladder.{key}"), message));
            }
        }
        if self.batch.from == 1 {
            let message = "must be 0 (never) or at least 2".to_owned();
            faults.push(("notify.batch.from".to_owned(), message));
        }
        if let Some(mail) = &self.mail {
            if mail.to.is_empty() {
                faults.push(("notify.mail.to".to_owned(), "names nobody".to_owned()));
            }
            let encrypted = mail.url.starts_with("smtp://") && mail.url.ends_with("?tls=required");
            if !encrypted && !is_safe(&mail.url, "smtps://", "smtp://") {
                let message = "must be smtps://, smtp://…?tls=required, or smtp:// on loopback";
                faults.push(("notify.mail.url".to_owned(), message.to_owned()));
            }
            if mail.user.is_some() != mail.password.is_some() {
                let message = "user and password go together".to_owned();
                faults.push(("notify.mail.user".to_owned(), message));
            }
        }
        faults
    }
}

/// Whether an address is encrypted, or plain on loopback.
fn is_safe(url: &str, encrypted: &str, plain: &str) -> bool {
    let Ok(read) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = read.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    let on_loopback = host == "localhost" || address.is_ok_and(|ip| ip.is_loopback());
    let bare = read.username().is_empty() && read.password().is_none();
    bare && !host.is_empty()
        && (url.starts_with(encrypted) || (url.starts_with(plain) && on_loopback))
}
