//! The WebSocket side of the fake: one-use addresses, hello, envelopes out and acknowledgements in.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::{APP, Shared};

/// Something to say on a connection.
#[derive(Debug, Clone)]
pub enum Say {
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// Are you there?
    Ping,
    /// The connection breaks.
    Cut,
}

/// Connections.
pub(crate) struct Sockets {
    pub(crate) address: SocketAddr,
    lines: Mutex<Vec<(usize, mpsc::UnboundedSender<Say>)>>,
    numbered: AtomicUsize,
    most: AtomicUsize,
    hello: Mutex<String>,
}

impl Sockets {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            lines: Mutex::default(),
            numbered: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            hello: Mutex::new(APP.to_owned()),
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn hello_as(&self, app: &str) {
        app.clone_into(&mut self.hello.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Says it on the newest connection.
    pub(crate) fn send(&self, say: Say) {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, line)) = lines.last() {
            // A connection that has just ended hears nothing.
            let _ = line.send(say);
        }
    }

    fn add(&self, line: mpsc::UnboundedSender<Say>) -> usize {
        let number = self.numbered.fetch_add(1, Ordering::SeqCst);
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.push((number, line));
        self.most.fetch_max(lines.len(), Ordering::SeqCst);
        number
    }

    fn remove(&self, number: usize) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.retain(|(n, _)| *n != number);
    }
}

pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, Arc::clone(&shared)));
    }
}

#[allow(clippy::result_large_err, reason = "the library's own type")]
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let check = |request: &Request, response: Response| {
        let asked = request.uri().path_and_query().map(ToString::to_string);
        let mut inner = shared.lock();
        let at = inner.tickets.iter().position(|t| Some(t) == asked.as_ref());
        match at {
            Some(at) => {
                inner.tickets.remove(at);
                Ok(response)
            }
            None => {
                inner
                    .violations
                    .push("a socket address was used twice".to_owned());
                let mut refused = ErrorResponse::new(None);
                *refused.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::FORBIDDEN;
                Err(refused)
            }
        }
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, check).await else {
        return;
    };
    let app = shared
        .sockets
        .hello
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let hello = json!({"type": "hello", "num_connections": 1, "connection_info": {"app_id": app},
        "debug_info": {"host": "fake"}});
    let hello = Message::Text(hello.to_string().into());
    if socket.send(hello).await.is_err() {
        return;
    }
    let (line, mut to_say) = mpsc::unbounded_channel();
    let number = shared.sockets.add(line);
    loop {
        let done = tokio::select! {
            say = to_say.recv() => match say {
                Some(Say::Text(text)) => socket.send(Message::Text(text.into())).await.is_err(),
                Some(Say::Binary(bytes)) => socket.send(Message::Binary(bytes.into())).await.is_err(),
                Some(Say::Ping) => socket.send(Message::Ping(b"there?".to_vec().into())).await.is_err(),
                Some(Say::Cut) | None => true,
            },
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    hear(&shared, text.as_str());
                    false
                }
                Some(Ok(Message::Pong(_))) => {
                    shared.lock().calls.push(("pong".to_owned(), Value::Null));
                    false
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => true,
                Some(Ok(_)) => false,
            },
        };
        if done {
            break;
        }
    }
    shared.sockets.remove(number);
}

fn hear(shared: &Shared, text: &str) {
    let ack: Value = serde_json::from_str(text).unwrap_or_default();
    let mut inner = shared.lock();
    match ack["envelope_id"].as_str() {
        Some(id) => inner
            .acks
            .entry(id.to_owned())
            .or_default()
            .push(ack.clone()),
        None => inner
            .violations
            .push(format!("not an acknowledgement: {text}")),
    }
}
