//! The lines of `nightdesk check` about ways to people: whether Slack's tokens work and are the workspace's; it posts nothing.

use std::sync::Arc;

use super::Lines;
use crate::config::Config;
use crate::ctx::{Dice, SystemClock};
use crate::notify::slack::Slack;

/// Asks Slack, if it is configured, and names the ways that can be tried by a message only.
pub(super) async fn line(config: &Config, lines: &mut Lines) {
    let notify = &config.people.notify;
    let hooks = notify.webhooks.iter();
    let hooks = hooks.map(|w| format!("webhook {}", w.name));
    for way in hooks.chain(notify.mail.iter().map(|_| "mail".to_owned())) {
        lines.good(way, "not asked: `nightdesk notify test` sends a message");
    }
    let Some(slack) = &notify.slack else {
        return;
    };
    let slack = match Slack::new(slack, Arc::new(SystemClock), Dice::unforeseen()).await {
        Ok(slack) => slack,
        Err(e) => return lines.bad("slack", e.to_string()),
    };
    match slack.check().await {
        Ok(who) => lines.good("slack", who),
        Err(why) => lines.bad("slack", why),
    }
}
