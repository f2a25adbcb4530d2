//! One connection: what Slack says on it, acknowledged before it is worked on; opening and replacing it is the manager's.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::Upgraded;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;

use super::super::clicks::{Ack, Clicks};
use crate::text::oneline;

/// After this much silence Slack is asked whether it is there, and after as much again the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);
/// Longest time that sending may take.
const SEND_TIME: Duration = Duration::from_secs(5);
/// How long a connection that is let go may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    pub(super) why: String,
    /// Slack said how long to wait.
    pub(super) after: Option<Duration>,
    /// Coming back soon makes it worse or helps nothing.
    pub(super) crowded: bool,
}

impl End {
    pub(super) fn lost(why: &str) -> Self {
        Self {
            why: oneline(why, 300),
            after: None,
            crowded: false,
        }
    }

    /// Slack said why it ends.
    pub(super) fn told(reason: &str) -> Self {
        Self {
            crowded: matches!(reason, "too_many_websockets" | "link_disabled"),
            ..Self::lost(&format!("slack ended it: {}", oneline(reason, 60)))
        }
    }
}

/// What Slack says.
#[derive(Debug)]
pub(super) enum Heard {
    /// It is ready, for this app.
    Hello { app: String },
    /// Another connection is to be opened.
    Disconnect { reason: String },
    /// Something to acknowledge.
    Envelope(Envelope),
    /// Nothing to do.
    Other,
}

#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) id: String,
    /// An interaction; none for what the app has not asked for.
    pub(super) payload: Option<Value>,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type", default)]
    kind: String,
    envelope_id: Option<String>,
    payload: Option<Value>,
    #[serde(default)]
    reason: String,
    connection_info: Option<ConnectionInfo>,
}

#[derive(Deserialize)]
struct ConnectionInfo {
    #[serde(default)]
    app_id: String,
}

/// A connection.
pub(super) struct Link {
    socket: WebSocketStream<Upgraded>,
    asked: bool,
}

impl Link {
    pub(super) fn new(socket: WebSocketStream<Upgraded>) -> Self {
        Self {
            socket,
            asked: false,
        }
    }

    /// The next thing that Slack says.
    pub(super) async fn next(&mut self) -> Result<Heard, End> {
        loop {
            let message = match tokio::time::timeout(SILENCE, self.socket.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(Error::Capacity(_)))) => {
                    return Err(End::lost("slack sent more than fits"));
                }
                Ok(Some(Err(e))) => return Err(End::lost(&e.to_string())),
                Ok(None) => return Err(End::lost("slack closed it")),
                Err(_) if self.asked => return Err(End::lost("slack has fallen silent")),
                Err(_) => {
                    self.asked = true;
                    self.send(Message::Ping(Vec::new().into())).await?;
                    continue;
                }
            };
            self.asked = false;
            match message {
                Message::Text(text) => return Ok(read(text.as_str())),
                Message::Close(_) => return Err(End::lost("slack closed it")),
                // The library answers a ping with the next thing that is read or written.
                Message::Ping(_) => self.flush().await?,
                Message::Pong(_) | Message::Binary(_) | Message::Frame(_) => {}
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match tokio::time::timeout(SEND_TIME, self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(End::lost(&e.to_string())),
            Err(_) => Err(End::lost("slack takes nothing any more")),
        }
    }

    async fn flush(&mut self) -> Result<(), End> {
        match tokio::time::timeout(SEND_TIME, self.socket.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(e)) => Err(End::lost(&e.to_string())),
            Err(_) => Err(End::lost("slack takes nothing any more")),
        }
    }

    async fn acknowledge(&mut self, id: &str, ack: Ack) -> Result<(), End> {
        let body = match ack {
            Ack::Received => json!({"envelope_id": id}),
            Ack::Errors(errors) => {
                json!({"envelope_id": id, "payload": {"response_action": "errors", "errors": errors}})
            }
        };
        self.send(Message::Text(body.to_string().into())).await
    }
}

/// What a message means; one that can't be read means nothing.
fn read(text: &str) -> Heard {
    let Ok(frame) = serde_json::from_str::<Frame>(text) else {
        tracing::warn!("slack sent a message that is not one of socket mode");
        return Heard::Other;
    };
    match (frame.kind.as_str(), frame.envelope_id) {
        ("hello", _) => Heard::Hello {
            app: frame.connection_info.map(|c| c.app_id).unwrap_or_default(),
        },
        ("disconnect", _) => Heard::Disconnect {
            reason: frame.reason,
        },
        (kind, Some(id)) if id.len() <= 200 => Heard::Envelope(Envelope {
            id,
            payload: frame.payload.filter(|_| kind == "interactive"),
        }),
        _ => Heard::Other,
    }
}

/// Takes what comes until the connection ends or `stop`. Sets `leave` when Slack wants another to be opened.
pub(super) async fn tend(
    mut link: Link,
    clicks: Arc<Clicks>,
    stop: CancellationToken,
    leave: CancellationToken,
) -> End {
    loop {
        let heard = tokio::select! {
            heard = link.next() => heard,
            () = stop.cancelled() => break,
        };
        let handled = match heard {
            Ok(Heard::Envelope(envelope)) => handle(&mut link, &clicks, envelope).await,
            Ok(Heard::Disconnect { reason }) if End::told(&reason).crowded => {
                Err(End::told(&reason))
            }
            Ok(Heard::Disconnect { .. }) => {
                leave.cancel();
                Ok(())
            }
            Ok(Heard::Hello { .. } | Heard::Other) => Ok(()),
            Err(end) => Err(end),
        };
        if let Err(end) = handled {
            return end;
        }
    }
    let _ = tokio::time::timeout(GOODBYE, link.socket.close(None)).await;
    End::lost("it was let go")
}

/// Acknowledges, then works. Where too much is under way Slack sends it again.
async fn handle(link: &mut Link, clicks: &Arc<Clicks>, envelope: Envelope) -> Result<(), End> {
    let Some(payload) = envelope.payload else {
        return link.acknowledge(&envelope.id, Ack::Received).await;
    };
    let Ok((ack, work)) = clicks.take(payload) else {
        tracing::warn!("too many clicks at once; one was not acknowledged");
        return Ok(());
    };
    let told = link.acknowledge(&envelope.id, ack).await;
    // Should the acknowledgement be lost Slack sends it again, and it counts once.
    clicks.start(work);
    told
}
