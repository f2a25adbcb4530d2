//! Times as products write them; anything that is not plainly a time is none.

use chrono::{DateTime, Datelike, NaiveDateTime, TimeZone, Utc};
use state::model::Time;

const ZONED: [&str; 3] = [
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%d/%b/%Y:%H:%M:%S %z",
];
const UTC: [&str; 3] = [
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M:%S%.f",
];

/// Reads RFC 3339, RFC 2822, offsets without colon, local form taken as UTC, and the epoch in
/// seconds, milliseconds, microseconds or nanoseconds, told apart by their size.
pub(crate) fn parse(text: &str) -> Option<Time> {
    let text = text.trim();
    let plausible = |t: &Time| (1980..2200).contains(&t.year());
    if let Some(time) = epoch(text) {
        return Some(time).filter(plausible);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.to_utc()).filter(plausible);
    }
    let spaced = text.replacen(" +", "+", 1);
    for form in ZONED {
        for spelling in [text, spaced.as_str()] {
            if let Ok(time) = DateTime::parse_from_str(spelling, form) {
                return Some(time.to_utc()).filter(plausible);
            }
        }
    }
    let bare = text.trim_end_matches("UTC").trim_end_matches('Z').trim();
    for form in UTC {
        if let Ok(time) = NaiveDateTime::parse_from_str(bare, form) {
            return Some(time.and_utc()).filter(plausible);
        }
    }
    let time = DateTime::parse_from_rfc2822(text).ok()?;
    Some(time.to_utc()).filter(plausible)
}

fn epoch(text: &str) -> Option<Time> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() < 9
        || !(whole.to_owned() + part)
            .bytes()
            .all(|b| b.is_ascii_digit())
    {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let micros = match whole.len() {
        ..=11 => {
            let digits: String = part.chars().chain("000000".chars()).take(6).collect();
            number.checked_mul(1_000_000)? + digits.parse::<i64>().ok()?
        }
        12..=14 => number.checked_mul(1_000)?,
        15..=17 => number,
        _ => number / 1_000,
    };
    Utc.timestamp_micros(micros).single()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::parse;

    #[test]
    fn every_spelling_of_one_instant_is_that_instant() {
        for text in [
            "2026-03-04T05:06:07.250Z",
            "2026-03-04T05:06:07.250+00:00",
            "2026-03-04T06:06:07.250+0100",
            "2026-03-04T05:06:07.2500000Z",
            "2026-03-04 05:06:07.250",
            "2026-03-04 05:06:07.250 UTC",
            "2026-03-04 05:06:07.250 +0000",
            "2026/03/04 05:06:07.250",
            "1772600767250",
            "1772600767.25",
            "1772600767250000",
            "1772600767250000000",
        ] {
            let time = parse(text).unwrap();
            assert_eq!(time.timestamp_millis(), 1_772_600_767_250, "{text}");
        }
        assert_eq!(
            parse("04/Mar/2026:05:06:07 +0000").unwrap(),
            parse("Wed, 04 Mar 2026 05:06:07 +0000").unwrap()
        );
        for text in [
            "",
            "yesterday",
            "12",
            "0",
            "2026-13-04T05:06:07Z",
            "999999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
