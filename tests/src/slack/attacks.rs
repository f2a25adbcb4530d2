//! Attacks on the way of clicks into the daemon, as data: each is a good click or dialog with one thing forged. That none has an
//! effect is the tests' to say.

mod table;

use serde_json::Value;

use super::SIGNING_SECRET;
use super::forge::{form, signature};

pub use table::ATTACKS;

/// What must be so before an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// A question is open, and the payload is a click on Approve by somebody who may.
    Open,
    /// The same, and the question has been denied.
    Denied,
    /// The same, and the question has run out.
    Expired,
    /// The same, and the card has been written anew since.
    Rewritten,
    /// The same, and the payload is of somebody who may by a user group alone, which Slack can't say now.
    GroupDown,
    /// The question needs a reason, and the payload is the submission of the dialog that Approve has opened.
    Dialog,
}

/// Over which way an attack goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both.
    Any,
    /// The HTTP address only.
    Http,
    /// The socket only.
    Socket,
}

/// Names and values of headers.
pub type Headers = Vec<(String, String)>;

/// What is sent: at first as Slack would, then forged.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The interaction.
    pub payload: Value,
    /// The interaction as text, where it is to be no JSON of ours.
    pub text: Option<String>,
    /// Body of the request, where it is no form of the payload.
    pub body: Option<Vec<u8>>,
    /// Signing secret.
    pub secret: String,
    /// Time of signing against the time now, seconds.
    pub off: i64,
    /// Type of the request's body.
    pub content_type: String,
    /// Changes the headers of a signed request: name and value.
    pub headers: fn(&mut Headers),
    /// Type of the envelope on the socket.
    pub envelope: String,
    /// How often it is sent.
    pub times: usize,
}

/// What an attacker knows beside the payload.
#[derive(Debug, Clone)]
pub struct Loot {
    /// Number of another open question, whose card stands elsewhere.
    pub other: i64,
    /// A person of the workspace who may not approve.
    pub stranger: String,
}

/// One kind of attack.
pub struct Attack {
    /// Name.
    pub name: &'static str,
    /// Over which way.
    pub way: Way,
    /// What must be so before.
    pub before: Before,
    /// What is forged.
    pub forge: fn(&mut Shot, &Loot),
}

impl Shot {
    /// A payload as Slack sends it.
    #[must_use]
    pub fn good(payload: Value) -> Self {
        Self {
            payload,
            text: None,
            body: None,
            secret: SIGNING_SECRET.to_owned(),
            off: 0,
            content_type: "application/x-www-form-urlencoded".to_owned(),
            headers: |_| {},
            envelope: "interactive".to_owned(),
            times: 1,
        }
    }

    fn text(&self) -> String {
        self.text
            .clone()
            .unwrap_or_else(|| self.payload.to_string())
    }

    /// The message on the socket.
    #[must_use]
    pub fn frame(&self, id: &str) -> String {
        let text = self.text();
        format!(
            "{{\"type\":\"{}\",\"envelope_id\":\"{id}\",\"accepts_response_payload\":true,\"payload\":{text}}}",
            self.envelope
        )
    }

    /// Headers and body of the request; `now` is in Unix seconds.
    ///
    /// # Errors
    /// None for any secret.
    pub fn request(&self, now: i64) -> anyhow::Result<(Headers, Vec<u8>)> {
        let body = self.body.clone().unwrap_or_else(|| form(&self.text()));
        let at = now + self.off;
        let mut headers = vec![
            ("content-type".to_owned(), self.content_type.clone()),
            ("x-slack-request-timestamp".to_owned(), at.to_string()),
            (
                "x-slack-signature".to_owned(),
                signature(&self.secret, at, &body)?,
            ),
        ];
        (self.headers)(&mut headers);
        Ok((headers, body))
    }

    fn action(&mut self) -> &mut Value {
        &mut self.payload["actions"][0]
    }
}
