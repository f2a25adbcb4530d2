//! Slack's v0 signature over the raw bytes of a request, and its window of time; replays inside it are told elsewhere.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Header with the time of sending, Unix seconds.
pub const TIMESTAMP: &str = "x-slack-request-timestamp";
/// Header with `v0=` and the HMAC-SHA256 of `v0:timestamp:body`, hex.
pub const SIGNATURE: &str = "x-slack-signature";
/// How far the time of sending may be from ours, seconds, either way.
const TOLERANCE: u64 = 300;

/// Checks a request against the app's signing secret; `now` is in Unix seconds.
///
/// # Errors
/// Why it is not Slack's, in a sentence that tells an attacker nothing.
pub fn verify(
    secret: &SecretString,
    sent: &str,
    given: &str,
    body: &[u8],
    now: i64,
) -> Result<(), &'static str> {
    let digits = !sent.is_empty() && sent.len() <= 12 && sent.bytes().all(|b| b.is_ascii_digit());
    match sent.parse::<i64>() {
        Ok(at) if digits && now.abs_diff(at) <= TOLERANCE => {}
        _ => return Err("the time of sending is not within 300 seconds of the time here"),
    }
    let refused = "the signature does not fit the body";
    let key = secret.expose_secret().as_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| refused)?;
    for part in [b"v0:", sent.as_bytes(), b":", body] {
        mac.update(part);
    }
    let bytes = mac.finalize().into_bytes();
    let wanted: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let hex = given.strip_prefix("v0=").ok_or(refused)?;
    match bool::from(hex.as_bytes().ct_eq(wanted.as_bytes())) {
        true => Ok(()),
        false => Err(refused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Slack's documentation.
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: i64 = 1_531_420_618;
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNED: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn check(sent: &str, given: &str, body: &str, now: i64) -> bool {
        verify(
            &SecretString::from(SECRET),
            sent,
            given,
            body.as_bytes(),
            now,
        )
        .is_ok()
    }

    #[test]
    fn the_known_answer_holds_for_300_seconds_either_way() {
        let sent = AT.to_string();
        for (off, holds) in [
            (0, true),
            (300, true),
            (-300, true),
            (301, false),
            (-301, false),
        ] {
            assert_eq!(check(&sent, SIGNED, BODY, AT + off), holds, "{off}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let sent = AT.to_string();
        let changed = BODY.replacen("roadrunner", "roadrunneR", 1);
        for (sent, given, body) in [
            (sent.as_str(), SIGNED, changed.as_str()),
            (sent.as_str(), &SIGNED.to_uppercase(), BODY),
            (sent.as_str(), &SIGNED[3..], BODY),
            (sent.as_str(), &SIGNED.replacen("v0", "v1", 1), BODY),
            (sent.as_str(), &SIGNED[..SIGNED.len() - 1], BODY),
            (sent.as_str(), "", BODY),
            (&format!("+{sent}"), SIGNED, BODY),
            (&format!(" {sent}"), SIGNED, BODY),
            (&format!("{sent}.0"), SIGNED, BODY),
            ("-1531420618", SIGNED, BODY),
            ("", SIGNED, BODY),
        ] {
            assert!(!check(sent, given, body, AT), "{sent} {given}");
        }
    }
}
