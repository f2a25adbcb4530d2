//! The line of `nightdesk check` about Slack: whether the tokens work and are the workspace's; it posts nothing.

use std::sync::Arc;

use super::Lines;
use crate::config::Config;
use crate::ctx::{Dice, SystemClock};
use crate::notify::slack::Slack;

/// Asks Slack, if it is configured.
pub(super) async fn line(config: &Config, lines: &mut Lines) {
    let Some(slack) = &config.people.notify.slack else {
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
