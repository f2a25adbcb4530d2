//! Opens one WebSocket on the one-use address that Slack gives, over the same HTTP client as everything else, and waits for hello.

use std::time::Duration;

use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::super::Slack;
use super::super::api_error::ApiError;
use super::super::web::{Home, Method, causes};
use super::link::{End, Heard, Link};

/// Longest time from the address to hello.
const TIME: Duration = Duration::from_secs(20);
/// Most bytes of one message.
const MAX_MESSAGE: usize = 2 * super::super::MAX_PAYLOAD;

/// A connection on which Slack has said hello to our app.
pub(super) async fn connect(slack: &Slack) -> Result<Link, End> {
    match tokio::time::timeout(TIME, open(slack)).await {
        Ok(opened) => opened,
        Err(_) => Err(End::lost("slack did not say hello in time")),
    }
}

async fn open(slack: &Slack) -> Result<Link, End> {
    let given = slack
        .web
        .call(Method::Connect, &json!({}))
        .await
        .map_err(refused)?;
    let url = given.get("url").and_then(Value::as_str).unwrap_or_default();
    let url = address(url, slack.web.home())
        .ok_or_else(|| End::lost("slack gave an address that is not wss:// at slack.com"))?;
    let key = generate_key();
    let asked = slack
        .web
        .http()
        .get(url)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .send()
        .await
        // The address is good for whoever knows it.
        .map_err(|e| End::lost(&causes(&e.without_url())))?;
    let accepted = asked.headers().get(SEC_WEBSOCKET_ACCEPT);
    let accepted =
        accepted.is_some_and(|a| a.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
    if asked.status() != StatusCode::SWITCHING_PROTOCOLS || !accepted {
        let crowded = asked.status() == StatusCode::TOO_MANY_REQUESTS;
        let why = format!("slack did not open the socket (status {})", asked.status());
        return Err(End {
            crowded,
            ..End::lost(&why)
        });
    }
    let stream = asked.upgrade().await;
    let stream = stream.map_err(|e| End::lost(&causes(&e.without_url())))?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        .max_write_buffer_size(MAX_MESSAGE);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits)).await;
    greet(Link::new(socket), &slack.app).await
}

/// Waits for hello, which says whose socket it is.
async fn greet(mut link: Link, ours: &str) -> Result<Link, End> {
    loop {
        match link.next().await? {
            Heard::Hello { app } if app == ours => return Ok(link),
            Heard::Hello { .. } => {
                let why =
                    "the app token is of another app: correct [notify.slack] app or app_token";
                return Err(End {
                    crowded: true,
                    ..End::lost(why)
                });
            }
            Heard::Disconnect { reason } => return Err(End::told(&reason)),
            Heard::Envelope(_) | Heard::Other => {}
        }
    }
}

/// The one-use address as HTTP: encrypted and Slack's, unless the API is a test's on loopback.
fn address(given: &str, home: Home) -> Option<Url> {
    let mut url = Url::parse(given).ok()?;
    let host = url.host_str()?.to_owned();
    let theirs = host == "slack.com" || host.ends_with(".slack.com");
    let scheme = match url.scheme() {
        "wss" if theirs => "https",
        "ws" if home == Home::Loopback && host == "127.0.0.1" => "http",
        _ => return None,
    };
    url.set_scheme(scheme).ok()?;
    Some(url)
}

fn refused(error: ApiError) -> End {
    let why = error.to_string();
    let by_hand = matches!(&error, ApiError::Said { .. });
    let after = match error {
        ApiError::Limited { after, .. } => Some(after),
        _ => None,
    };
    End {
        why,
        after,
        crowded: by_hand,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_encrypted_address_of_slack_is_gone_to() {
        for (given, home, good) in [
            (
                "wss://wss-primary.slack.com/link/?ticket=1&app_id=2",
                Home::Slack,
                true,
            ),
            ("wss://slack.com/link", Home::Slack, true),
            ("ws://wss-primary.slack.com/link", Home::Slack, false),
            ("https://wss-primary.slack.com/link", Home::Slack, false),
            ("wss://slack.com.example.org/link", Home::Slack, false),
            ("wss://notslack.com/link", Home::Slack, false),
            ("wss://127.0.0.1/link", Home::Loopback, false),
            ("ws://127.0.0.1:9/link", Home::Slack, false),
            ("ws://127.0.0.1:9/link", Home::Loopback, true),
            ("ws://198.51.100.7/link", Home::Loopback, false),
            ("", Home::Loopback, false),
        ] {
            assert_eq!(address(given, home).is_some(), good, "{given} {home:?}");
        }
    }
}
