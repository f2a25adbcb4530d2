//! One Slack app in one workspace: `[notify.slack]`; it reads no secret and opens no connection.

use std::net::SocketAddr;
use std::time::Duration;

use mcp_clients::config::{SecretRef, Span};
use serde::Deserialize;
use state::model::Severity;

/// `[notify.slack]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlackConfig {
    /// How clicks reach the daemon.
    #[serde(default)]
    pub mode: SlackMode,
    /// The app's bot token, `xoxb-…`; always needed.
    #[serde(default)]
    pub bot_token: Option<SecretRef>,
    /// App-level token with the scope `connections:write`, `xapp-…`; needed by `socket`.
    #[serde(default)]
    pub app_token: Option<SecretRef>,
    /// The app's signing secret; needed by `http`.
    #[serde(default)]
    pub signing_secret: Option<SecretRef>,
    /// Address of a listener that takes clicks and nothing else; needed by `http`. Only it has to be reachable for Slack.
    #[serde(default)]
    pub listen: Option<SocketAddr>,
    /// The one workspace whose clicks count, `T…`.
    #[serde(default)]
    pub team: String,
    /// The one app whose clicks count, `A…`.
    #[serde(default)]
    pub app: String,
    /// Channel that is told, `C…` or `G…`.
    #[serde(default)]
    pub channel: String,
    /// Who is mentioned on cards that wait: users (`U…`), user groups (`S…`), or `here`.
    #[serde(default)]
    pub on_call: Vec<String>,
    /// The least severity of such a card.
    #[serde(default = "default_on_call_from")]
    pub on_call_from: Severity,
    /// Least time between two messages in the channel; Slack allows one a second.
    #[serde(default = "default_pace")]
    pub pace: Span,
    /// Slack's API; only a test has another, on loopback.
    #[serde(default = "default_api")]
    pub api: String,
}

/// How clicks reach the daemon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlackMode {
    /// Over a connection that the daemon opens; nothing listens.
    #[default]
    Socket,
    /// Slack calls a listener of the daemon's that does nothing else, signed.
    Http,
}

fn default_on_call_from() -> Severity {
    Severity::High
}

fn default_pace() -> Span {
    Span(Duration::from_secs(1))
}

fn default_api() -> String {
    "https://slack.com/api/".to_owned()
}

impl SlackConfig {
    /// What is wrong with the values: the setting and one sentence with the fix; empty when all is well.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, key: &'static str, text: &str| {
            if wrong {
                faults.push((key, text.to_owned()));
            }
        };
        fault(
            self.bot_token.is_none(),
            "bot_token",
            "is needed: it stands under OAuth & Permissions of the app; name it, for instance { env = \"SLACK_BOT_TOKEN\" }",
        );
        fault(
            self.mode == SlackMode::Socket && self.app_token.is_none(),
            "app_token",
            "is needed for mode \"socket\": make an app-level token with connections:write and name it, for instance { env = \"SLACK_APP_TOKEN\" }",
        );
        fault(
            self.mode == SlackMode::Http && self.signing_secret.is_none(),
            "signing_secret",
            "is needed for mode \"http\": it stands under Basic Information of the app; name it, for instance { env = \"SLACK_SIGNING_SECRET\" }",
        );
        fault(
            self.mode == SlackMode::Http && self.listen.is_none(),
            "listen",
            "is needed for mode \"http\": name an address of its own, for instance \"127.0.0.1:9465\", and let a proxy or tunnel lead there alone",
        );
        fault(
            self.mode == SlackMode::Socket && self.listen.is_some(),
            "listen",
            "is for mode \"http\": over a socket nothing listens; leave it out",
        );
        fault(
            !is_id(&self.team, "T"),
            "team",
            "is no workspace id: it begins with T and stands in the address of the workspace's web page",
        );
        fault(
            !is_id(&self.app, "A"),
            "app",
            "is no app id: it begins with A and stands under Basic Information of the app",
        );
        fault(
            !is_id(&self.channel, "CG"),
            "channel",
            "is no channel id: it begins with C or G and stands at the end of the channel's details; a name is not enough",
        );
        fault(
            self.on_call
                .iter()
                .any(|who| who != "here" && !is_id(who, "UWS")),
            "on_call",
            "holds something that is neither a user id (U…), a user group id (S…) nor \"here\"",
        );
        fault(
            self.on_call.len() > 10,
            "on_call",
            "names more than 10; make them a user group",
        );
        fault(
            self.pace.0 > Duration::from_secs(10),
            "pace",
            "must lie between 0s and 10s; Slack allows one message a second",
        );
        fault(
            !is_api(&self.api),
            "api",
            "must be https://slack.com/api/; leave it out",
        );
        faults
    }
}

/// Whether a text is an id of Slack's that begins with one of `kinds`.
#[must_use]
pub fn is_id(text: &str, kinds: &str) -> bool {
    (7..=24).contains(&text.len())
        && text.starts_with(|c| kinds.contains(c))
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Slack's own address, or loopback.
fn is_api(api: &str) -> bool {
    if api == default_api() {
        return true;
    }
    let Ok(url) = reqwest::Url::parse(api) else {
        return false;
    };
    let loopback = url
        .host_str()
        .and_then(|h| h.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok())
        .is_some_and(|ip| ip.is_loopback());
    url.scheme() == "http"
        && loopback
        && url.path().ends_with('/')
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
}
