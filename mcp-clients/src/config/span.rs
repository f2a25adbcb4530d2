//! A length of time as people write it: `250ms`, `30s`, `5m`, `2h`, `1d`; not a point in time.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A length of time, in files a string of a whole number and a unit.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a length of time: write 250ms, 30s, 5m, 2h or 1d")]
pub struct NotASpan(String);

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = &text[digits.len()..];
        let number: Option<u64> = digits.parse().ok().filter(|_| !digits.starts_with('+'));
        let millis = UNITS.iter().find(|(name, _)| *name == unit);
        match (number, millis) {
            (Some(n), Some((_, per))) => n
                .checked_mul(*per)
                .map(|ms| Self(Duration::from_millis(ms)))
                .ok_or_else(|| NotASpan(text.to_owned())),
            _ => Err(NotASpan(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = NotASpan;
    fn try_from(text: String) -> Result<Self, NotASpan> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Self {
        span.0
    }
}

impl fmt::Display for Span {
    /// The largest unit that leaves nothing over.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let fits = UNITS
            .iter()
            .rev()
            .find(|(_, per)| ms >= *per && ms.is_multiple_of(*per));
        match fits {
            Some((unit, per)) => write!(f, "{}{unit}", ms / per),
            None => write!(f, "{ms}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn spans_read_back_as_written_and_nonsense_is_refused() {
        for text in ["250ms", "30s", "5m", "2h", "1d", "1500ms", "0ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "30",
            "s",
            "-5s",
            "+5s",
            "1.5s",
            "5 s",
            "5min",
            "99999999999999999999s",
            "999999999999999d",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
