//! When to try again and how long to wait first; it does not send anything.

use std::time::Duration;

use axum::http::{HeaderMap, header};
use chrono::DateTime;
use state::model::Time;

use super::LlmError;

/// Longest wait an endpoint can ask for.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(60);
const FIRST_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(16);

/// How one attempt failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{error}")]
pub(super) struct Fault {
    pub(super) error: LlmError,
    /// What the endpoint asked to wait, capped.
    pub(super) wait: Option<Duration>,
}

impl From<LlmError> for Fault {
    fn from(error: LlmError) -> Self {
        Self { error, wait: None }
    }
}

/// The wait before attempt `done + 1`: what the endpoint asked for, else exponential backoff with full jitter.
///
/// `fraction` is a random number from 0 to 1.
pub(super) fn wait(fault: &Fault, done: u32, fraction: f64) -> Duration {
    let backoff = FIRST_BACKOFF
        .saturating_mul(2_u32.saturating_pow(done.saturating_sub(1)))
        .min(MAX_BACKOFF);
    fault
        .wait
        .unwrap_or_else(|| backoff.mul_f64(fraction.clamp(0.0, 1.0)))
}

/// `Retry-After` as seconds (a fraction is allowed) or as a date, at most [`MAX_WAIT`].
///
/// A date is read against the endpoint's own `Date`, so that a clock that is off does no harm; else against `now`.
pub(super) fn retry_after(headers: &HeaderMap, now: Time) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |s: &str| DateTime::parse_from_rfc2822(s).ok().map(|t| t.to_utc());
    let said = text(header::RETRY_AFTER)?;
    if let Ok(seconds) = said.parse::<f64>() {
        let seconds = (seconds.is_finite() && seconds >= 0.0).then_some(seconds)?;
        return Some(Duration::from_secs_f64(seconds.min(MAX_WAIT.as_secs_f64())));
    }
    let from = text(header::DATE).and_then(date).unwrap_or(now);
    let wait = (date(said)? - from).to_std().unwrap_or_default();
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn reads_both_forms() {
        let now = DateTime::parse_from_rfc3339("2026-11-21T10:00:00Z")
            .unwrap()
            .to_utc();
        let ms = |n| Some(Duration::from_millis(n));
        for (said, date, expected) in [
            ("2", None, ms(2_000)),
            (" 1.5 ", None, ms(1_500)),
            ("0", None, ms(0)),
            ("86400", None, ms(60_000)),
            ("1e300", None, ms(60_000)),
            ("-1", None, None),
            ("NaN", None, None),
            ("inf", None, None),
            ("soon", None, None),
            ("Sat, 21 Nov 2026 10:00:07 GMT", None, ms(7_000)),
            ("Sat, 21 Nov 2026 09:00:00 GMT", None, ms(0)),
            ("Sun, 22 Nov 2026 10:00:00 GMT", None, ms(60_000)),
            (
                "Sat, 21 Nov 2026 12:00:03 GMT",
                Some("Sat, 21 Nov 2026 12:00:00 GMT"),
                ms(3_000),
            ),
            ("Sat, 99 Nov 2026 12:00:03 GMT", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, said.parse().unwrap());
            if let Some(date) = date {
                headers.insert(header::DATE, date.parse().unwrap());
            }
            assert_eq!(retry_after(&headers, now), expected, "{said}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn backs_off_with_full_jitter_unless_told() {
        let fault = Fault::from(LlmError::ServerError { status: 503 });
        let waits: Vec<u128> = [1, 2, 3, 6, 40]
            .map(|n| wait(&fault, n, 1.0).as_millis())
            .to_vec();
        assert_eq!(waits, [500, 1_000, 2_000, 16_000, 16_000]);
        assert_eq!(wait(&fault, 3, 0.25), Duration::from_millis(500));
        assert_eq!(wait(&fault, 3, 0.0), Duration::ZERO);
        let told = Fault {
            wait: Some(Duration::from_secs(7)),
            ..fault
        };
        assert_eq!(wait(&told, 3, 0.5), Duration::from_secs(7));
    }
}
