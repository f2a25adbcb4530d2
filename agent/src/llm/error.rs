//! What can go wrong when a model is asked, sorted by what the caller can do; texts are bounded and cleaned here.

use std::time::Duration;

use tokio::time::Instant;

/// Why there is no turn.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LlmError {
    /// No connection, or it broke before an answer came. Tried again already.
    #[error("the model endpoint cannot be reached ({0}); check `model.base_url` and the network")]
    Unreachable(String),
    /// Connected, but no whole answer within the time of one attempt. Tried again already.
    #[error("the model did not answer within {} s; raise `model.timeout` or use a faster model", .after.as_secs_f64())]
    Timeout {
        /// The limit that was hit.
        after: Duration,
    },
    /// Too many requests. Tried again already, or the wait does not fit before the deadline.
    #[error(
        "the model endpoint limits requests; lower `model.max_concurrent` or raise the limit there"
    )]
    RateLimited {
        /// How long the endpoint asks to wait, at most a minute is reported.
        retry_after: Option<Duration>,
    },
    /// The endpoint does not take this request: a matter of configuration.
    #[error(
        "the model endpoint rejects the request with status {status} ({message}); check `[model]`"
    )]
    Rejected {
        /// HTTP status.
        status: u16,
        /// The endpoint's words, bounded.
        message: String,
    },
    /// The key is missing, wrong or not allowed to use this model.
    #[error("the model endpoint refuses the key with status {status}; check `model.api_key`")]
    Unauthorised {
        /// HTTP status.
        status: u16,
    },
    /// An answer nobody understands, or a part of one. A part is never used.
    #[error("the model endpoint sent an answer that cannot be used: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
        /// Its beginning, bounded; untrusted text.
        excerpt: String,
    },
    /// The endpoint's content policy refuses the question itself.
    #[error("the model endpoint's content policy refuses the question: {0}")]
    Refused(String),
    /// Nothing left to spend at the provider.
    #[error(
        "the account at the model endpoint has no quota left; raise it or set another `[model]`"
    )]
    QuotaExhausted,
    /// The endpoint failed: 5xx, 408, 409, or an error object in the place of an answer. Tried again already.
    #[error("the model endpoint failed with status {status}; look at its log")]
    ServerError {
        /// HTTP status, or the code inside the error object.
        status: u16,
    },
    /// The caller's time is up.
    #[error("the time for this question is over; raise the tier's budget of seconds")]
    Deadline,
    /// Nothing was sent: the endpoint failed several times in a row and is left alone for a while.
    #[error("the model endpoint failed several times in a row and is not asked for a while")]
    BreakerOpen {
        /// When it is tried again.
        until: Instant,
    },
}

impl LlmError {
    /// The kind of failure as one word of a closed list.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Timeout { .. } => "timeout",
            Self::RateLimited { .. } => "rate_limited",
            Self::Rejected { .. } => "rejected",
            Self::Unauthorised { .. } => "unauthorised",
            Self::Malformed { .. } => "malformed",
            Self::Refused(_) => "refused",
            Self::QuotaExhausted => "quota",
            Self::ServerError { .. } => "server_error",
            Self::Deadline => "deadline",
            Self::BreakerOpen { .. } => "breaker_open",
        }
    }

    /// Whether another attempt of the same request may end differently.
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Timeout { .. }
                | Self::RateLimited { .. }
                | Self::ServerError { .. }
        )
    }

    /// Whether it says that the endpoint is not well; a refusal comes from a healthy one.
    pub(super) fn blames_endpoint(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Timeout { .. }
                | Self::ServerError { .. }
                | Self::Malformed { .. }
        )
    }

    pub(super) fn malformed(why: impl Into<String>, excerpt: &str) -> Self {
        Self::Malformed {
            why: why.into(),
            excerpt: clean(excerpt, MAX_EXCERPT),
        }
    }
}

/// Most characters of the endpoint's words that are kept.
pub(super) const MAX_EXCERPT: usize = 200;

/// Foreign text on one line: control and invisible formatting characters become blanks, the rest is cut.
pub(super) fn clean(text: &str, max: usize) -> String {
    let shown = |c: char| {
        let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if c.is_control() || invisible { ' ' } else { c }
    };
    let text = text
        .chars()
        .take(max.saturating_mul(4))
        .map(shown)
        .collect::<String>();
    let mut out: String = text.trim().chars().take(max).collect();
    if text.trim().chars().nth(max).is_some() {
        out.push('…');
    }
    out
}
