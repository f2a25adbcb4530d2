//! Slack behind the [`Notifier`] edge: cards out, clicks in; who may answer what, and what follows, is decided elsewhere.

mod answers;
mod api_error;
mod block;
mod click;
mod clicks;
mod draw;
mod groups;
mod http;
mod modal;
mod pace;
mod paper;
mod seen;
mod signature;
mod socket;
mod spot;
mod web;

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};

pub use answers::{Answered, Answers, Asked, Given, Refusal, Wish};
pub use api_error::ApiError;
pub use click::{Click, Interaction, MAX_PAYLOAD, MAX_REASON, Press, Subject, Submission, Who};
pub use clicks::Clicks;
pub use http::{PATH, router};
pub use modal::{FEEDBACK, NOTE, REASON, VERDICT};
pub use paper::Drawn;
pub use signature::{SIGNATURE, TIMESTAMP, verify};
pub use socket::{SocketState, run as listen};
pub use spot::Spot;

use crate::config::{PostKind, SlackConfig, SlackMode};
use crate::ctx::{Clock, Dice};
use crate::notify::{At, Notifier, Place, Post, PostError};
use draw::Mentions;
use groups::Groups;
use pace::Pace;
use web::{Method, Web};

/// Why Slack can't be set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetupError(pub String);

/// One app in one workspace, telling one channel.
pub struct Slack {
    web: Web,
    team: String,
    app: String,
    channel: String,
    mentions: Mentions,
    mode: SlackMode,
    signing_secret: Option<SecretString>,
    pace: Pace,
    groups: Groups,
    clock: Arc<dyn Clock>,
    dice: Dice,
}

impl Slack {
    /// Fetches the secrets and prepares a client; sends nothing.
    ///
    /// # Errors
    /// A secret that can't be had or is of the wrong kind, naming its setting.
    pub async fn new(
        config: &SlackConfig,
        clock: Arc<dyn Clock>,
        dice: Dice,
    ) -> Result<Self, SetupError> {
        let secret = async |key: &str, from: &Option<mcp_clients::config::SecretRef>| match from {
            Some(from) => from
                .resolve()
                .await
                .map(Some)
                .map_err(|e| SetupError(format!("[notify.slack] {key}: {e}"))),
            None => Ok(None),
        };
        let bot = secret("bot_token", &config.bot_token).await?;
        let bot =
            bot.ok_or_else(|| SetupError("[notify.slack] bot_token is missing".to_owned()))?;
        let app = secret("app_token", &config.app_token).await?;
        let signing_secret = secret("signing_secret", &config.signing_secret).await?;
        Ok(Self {
            web: Web::new(&config.api, &bot, app.as_ref())?,
            team: config.team.clone(),
            app: config.app.clone(),
            channel: config.channel.clone(),
            mentions: Mentions::of(config),
            mode: config.mode,
            signing_secret,
            pace: Pace::new(config.pace.0),
            groups: Groups::default(),
            clock,
            dice,
        })
    }

    /// Asks Slack whose the tokens are; gives one line for people.
    ///
    /// # Errors
    /// A token that does not work, or that is another workspace's, with the fix.
    pub async fn check(&self) -> Result<String, String> {
        let who = self.web.call(Method::Test, &json!({})).await;
        let who = who.map_err(|e| e.to_string())?;
        let text = |key: &str| {
            let text = who.get(key).and_then(Value::as_str).unwrap_or_default();
            crate::text::oneline(text, 60)
        };
        let team = text("team_id");
        if team != self.team {
            let ours = &self.team;
            return Err(format!(
                "the bot token is of workspace {team}, [notify.slack] team is {ours}: correct one of them"
            ));
        }
        if text("bot_id").is_empty() {
            return Err("the token is no bot's: use the Bot User OAuth Token".to_owned());
        }
        let way = match self.mode {
            SlackMode::Socket => {
                // The address that it gives is not gone to and runs out by itself.
                let opened = self.web.call(Method::Connect, &json!({})).await;
                opened.map_err(|e| e.to_string())?;
                "over a socket".to_owned()
            }
            SlackMode::Http => format!("at {PATH}"),
        };
        let (user, name) = (text("user"), text("team"));
        Ok(format!("{user} in {name} ({team}), clicks {way}"))
    }

    /// Writes a message, new or instead of an earlier one; gives where it stands.
    async fn write(&self, drawn: &Drawn, at: Target<'_>) -> Result<String, ApiError> {
        let mut body = json!({
            "channel": at.channel,
            "text": drawn.text,
            "blocks": drawn.blocks,
            "parse": "none",
            "link_names": false,
        });
        let method = match at.ts {
            Some(ts) => {
                body["ts"] = json!(ts);
                Method::Update
            }
            None => {
                for key in ["unfurl_links", "unfurl_media", "mrkdwn"] {
                    body[key] = json!(false);
                }
                if let Some(thread) = at.thread {
                    body["thread_ts"] = json!(thread);
                }
                Method::Post
            }
        };
        let limited = |after| ApiError::Limited {
            method: method.as_str(),
            after,
        };
        self.pace.turn(at.channel).await.map_err(limited)?;
        let answer = self.web.call(method, &body).await.inspect_err(|error| {
            if let ApiError::Limited { after, .. } = error {
                self.pace.hold(at.channel, *after);
            }
        })?;
        let ts = answer.get("ts").and_then(Value::as_str);
        ts.map(str::to_owned).ok_or_else(|| ApiError::Down {
            method: method.as_str(),
            why: "the answer does not say where the message stands".to_owned(),
        })
    }

    /// Puts what did not fit in the thread of its card; gives where the card stands.
    async fn write_rest(&self, drawn: &Drawn, mut spot: Spot) -> Result<Place, PostError> {
        let digest = spot::digest(&drawn.rest);
        if spot.rest == digest {
            return Ok(spot.place());
        }
        for page in &drawn.rest {
            let at = Target::under(&spot.channel, &spot.ts);
            if let Err(error) = self.write(page, at).await {
                return Err(PostError::Partly {
                    place: spot.place(),
                    why: format!("what does not fit on the card is not under it: {error}"),
                });
            }
        }
        spot.rest = digest;
        Ok(spot.place())
    }
}

/// Where a message goes.
#[derive(Debug, Clone, Copy)]
struct Target<'a> {
    channel: &'a str,
    /// The message that it replaces.
    ts: Option<&'a str>,
    /// The message that it stands under.
    thread: Option<&'a str>,
}

impl<'a> Target<'a> {
    fn under(channel: &'a str, thread: &'a str) -> Self {
        Self {
            channel,
            ts: None,
            thread: Some(thread),
        }
    }
}

#[async_trait]
impl crate::rights::Groups for Slack {
    async fn members(&self, group: &str) -> Result<Vec<String>, String> {
        self.groups.members(&self.web, group).await
    }
}

#[async_trait]
impl Notifier for Slack {
    fn name(&self) -> &str {
        "slack"
    }

    fn takes(&self, _: PostKind) -> bool {
        true
    }

    async fn post(&self, post: &Post, at: At<'_>) -> Result<Place, PostError> {
        let earlier = at.earlier.and_then(Spot::of);
        let rev = earlier
            .as_ref()
            .map_or(1, |spot| spot.rev.saturating_add(1));
        let drawn = draw::draw(post, rev, &self.mentions);
        if let Some(mut spot) = earlier {
            let target = Target {
                channel: &spot.channel,
                ts: Some(&spot.ts),
                thread: None,
            };
            match self.write(&drawn, target).await {
                Ok(_) => {
                    spot.rev = rev;
                    return self.write_rest(&drawn, spot).await;
                }
                // Somebody has deleted it: people are told anew.
                Err(error) if error.is_gone() => tracing::warn!(%error, "a card is written anew"),
                Err(error) => return Err(error.into()),
            }
        }
        let under = at.under.and_then(Spot::of);
        let mut target = Target {
            channel: under.as_ref().map_or(&self.channel, |spot| &spot.channel),
            ts: None,
            thread: under.as_ref().map(|spot| spot.ts.as_str()),
        };
        let ts = match self.write(&drawn, target).await {
            Err(error) if target.thread.is_some() && error.is_gone() => {
                target.thread = None;
                self.write(&drawn, target).await?
            }
            written => written?,
        };
        let spot = Spot {
            channel: target.channel.to_owned(),
            ts,
            rev,
            rest: None,
        };
        self.write_rest(&drawn, spot).await
    }
}
