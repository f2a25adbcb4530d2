//! What Slack's refusals mean for a post: come back later, or never again; sending is the client's.

use std::time::Duration;

use crate::notify::PostError;
use crate::text::oneline;

/// How long to leave Slack alone when something has to be set right there by hand.
const BY_HAND: Duration = Duration::from_secs(60);

/// Why a call did not go through.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Too many calls.
    #[error("slack asks to wait {} s before {method} is called again", after.as_secs())]
    Limited {
        /// The call.
        method: &'static str,
        /// How long.
        after: Duration,
    },
    /// No answer, or one that can't be read; the call may have gone through.
    #[error("slack did not answer {method}: {why}")]
    Down {
        /// The call.
        method: &'static str,
        /// What happened.
        why: String,
    },
    /// Slack answered `ok: false`.
    #[error("slack refused {method} with `{code}`{}", hint(code))]
    Said {
        /// The call.
        method: &'static str,
        /// Slack's error word.
        code: String,
    },
}

/// What an error word asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It passes by itself.
    Passes,
    /// Somebody has to set something right, then it goes through.
    ByHand(&'static str),
    /// This very message will never be taken.
    Never,
    /// The message or thread concerned is no longer there.
    Gone,
}

/// Slack's error words that mean more than "this call was wrong". A word that is not here is taken as [`Meaning::Never`]
/// only for calls that say so themselves; a post waits and is tried again.
const WORDS: &[(&str, Meaning)] = &[
    ("ratelimited", Meaning::Passes),
    ("rate_limited", Meaning::Passes),
    ("message_limit_exceeded", Meaning::Passes),
    ("internal_error", Meaning::Passes),
    ("fatal_error", Meaning::Passes),
    ("service_unavailable", Meaning::Passes),
    ("request_timeout", Meaning::Passes),
    ("team_added_to_org", Meaning::Passes),
    ("external_channel_migrating", Meaning::Passes),
    ("too_many_websockets", Meaning::Passes),
    (
        "not_authed",
        Meaning::ByHand("set [notify.slack] bot_token"),
    ),
    (
        "invalid_auth",
        Meaning::ByHand("the token is wrong: set [notify.slack] bot_token"),
    ),
    (
        "account_inactive",
        Meaning::ByHand("the app was removed: install it again"),
    ),
    (
        "token_expired",
        Meaning::ByHand("the token has run out: set a new one"),
    ),
    (
        "token_revoked",
        Meaning::ByHand("the token was revoked: install the app again and set the new token"),
    ),
    (
        "not_allowed_token_type",
        Meaning::ByHand("bot_token must be xoxb-…, app_token xapp-…"),
    ),
    (
        "missing_scope",
        Meaning::ByHand("add the scopes of agent/slack/manifest.json and install the app again"),
    ),
    (
        "no_permission",
        Meaning::ByHand("add the scopes of agent/slack/manifest.json and install the app again"),
    ),
    (
        "ekm_access_denied",
        Meaning::ByHand("the workspace's administrators have suspended posting"),
    ),
    (
        "access_denied",
        Meaning::ByHand("the workspace does not let the app in"),
    ),
    (
        "enterprise_is_restricted",
        Meaning::ByHand("install the app in the workspace itself"),
    ),
    (
        "team_access_not_granted",
        Meaning::ByHand("install the app in the workspace itself"),
    ),
    (
        "team_not_found",
        Meaning::ByHand("install the app in the workspace itself"),
    ),
    (
        "org_login_required",
        Meaning::ByHand("the workspace is being moved to another organisation"),
    ),
    (
        "not_in_channel",
        Meaning::ByHand("invite the app to the channel: /invite @nightdesk"),
    ),
    (
        "channel_not_found",
        Meaning::ByHand(
            "set [notify.slack] channel to an id, and invite the app to a private channel",
        ),
    ),
    (
        "is_archived",
        Meaning::ByHand("the channel is archived: set another [notify.slack] channel"),
    ),
    (
        "restricted_action",
        Meaning::ByHand("the workspace's settings forbid the app to post in the channel"),
    ),
    (
        "restricted_action_read_only_channel",
        Meaning::ByHand("the channel is read only: let the app post, or set another"),
    ),
    (
        "posting_to_general_channel_denied",
        Meaning::ByHand("set another [notify.slack] channel"),
    ),
    ("message_not_found", Meaning::Gone),
    ("thread_not_found", Meaning::Gone),
    ("cannot_reply_to_message", Meaning::Gone),
    ("restricted_action_thread_locked", Meaning::Gone),
    ("restricted_action_non_threadable_channel", Meaning::Gone),
    ("cant_update_message", Meaning::Gone),
    ("edit_window_closed", Meaning::Gone),
    ("msg_too_long", Meaning::Never),
    ("msg_blocks_too_long", Meaning::Never),
    ("invalid_blocks", Meaning::Never),
    ("invalid_blocks_format", Meaning::Never),
    ("block_mismatch", Meaning::Never),
    ("no_text", Meaning::Never),
    ("invalid_arguments", Meaning::Never),
    ("invalid_arg_name", Meaning::Never),
    ("invalid_array_arg", Meaning::Never),
    ("invalid_charset", Meaning::Never),
    ("invalid_form_data", Meaning::Never),
    ("invalid_json", Meaning::Never),
    ("json_not_object", Meaning::Never),
    ("duplicate_message_not_found", Meaning::Never),
    ("slack_connect_blocked_file_type", Meaning::Never),
];

fn meaning(code: &str) -> Meaning {
    let known = WORDS.iter().find(|(word, _)| *word == code);
    known.map_or(
        Meaning::ByHand("look the word up in Slack's API documentation"),
        |(_, meaning)| *meaning,
    )
}

fn hint(code: &str) -> String {
    match meaning(code) {
        Meaning::ByHand(fix) => format!("; {fix}"),
        _ => String::new(),
    }
}

impl ApiError {
    /// An error word as Slack sent it; bounded, since it goes into logs.
    pub(super) fn said(method: &'static str, code: &str) -> Self {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let code = oneline(code, 80).replace(|c| !word(c), "");
        Self::Said { method, code }
    }

    /// Whether the message or thread that was named is no longer there.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Said { code, .. } if meaning(code) == Meaning::Gone)
    }
}

impl From<ApiError> for PostError {
    fn from(error: ApiError) -> Self {
        let why = error.to_string();
        match &error {
            ApiError::Limited { after, .. } => Self::Later {
                after: Some(*after),
                why,
            },
            ApiError::Down { .. } => Self::Later { after: None, why },
            ApiError::Said { code, .. } => match meaning(code) {
                Meaning::Passes => Self::Later { after: None, why },
                Meaning::ByHand(_) => Self::Later {
                    after: Some(BY_HAND),
                    why,
                },
                Meaning::Never | Meaning::Gone => Self::Refused { why },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_that_is_wrong_in_itself_is_given_up() {
        for (code, given_up) in [
            ("invalid_blocks", true),
            ("msg_blocks_too_long", true),
            ("message_not_found", true),
            ("token_revoked", false),
            ("not_in_channel", false),
            ("internal_error", false),
            ("a_word_of_next_year", false),
        ] {
            let error = PostError::from(ApiError::said("chat.postMessage", code));
            assert_eq!(
                matches!(error, PostError::Refused { .. }),
                given_up,
                "{code}"
            );
        }
    }

    #[test]
    fn a_word_of_theirs_is_bounded_and_says_the_fix() {
        let error = ApiError::said("chat.postMessage", "not_in_channel\n\u{1b}[31m");
        assert_eq!(
            error.to_string(),
            "slack refused chat.postMessage with `not_in_channel31m`; look the word up in Slack's API documentation"
        );
        let error = ApiError::said("chat.postMessage", "not_in_channel");
        assert!(error.to_string().ends_with("/invite @nightdesk"));
    }

    #[test]
    fn words_are_said_once() {
        let mut words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
