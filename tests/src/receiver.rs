//! A receiver of signed calls on loopback: keeps what came with a good signature and answers as it is told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::sender::signature;

/// Key of the signatures.
pub const SECRET: &str = "receiver-secret";

#[derive(Debug, Default)]
struct Kept {
    calls: Vec<Value>,
    forged: usize,
    answers: VecDeque<u16>,
}

/// A receiver; it ends with the runtime of the test.
#[derive(Debug, Clone)]
pub struct Receiver {
    kept: Arc<Mutex<Kept>>,
    /// Where it listens.
    pub url: String,
}

impl Receiver {
    /// Listens on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/told", listener.local_addr()?);
        let kept = Arc::new(Mutex::new(Kept::default()));
        let router = Router::new()
            .route("/told", post(take))
            .with_state(kept.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { kept, url })
    }

    /// The next calls are answered with these, and not kept; later ones with 200.
    pub fn answer(&self, answers: &[u16]) {
        self.with(|kept| kept.answers.extend(answers));
    }

    /// The calls that were kept, in order.
    pub fn calls(&self) -> Vec<Value> {
        self.with(|kept| kept.calls.clone())
    }

    /// Calls whose signature did not fit.
    pub fn forged(&self) -> usize {
        self.with(|kept| kept.forged)
    }

    /// Answers that were not given yet.
    pub fn left(&self) -> usize {
        self.with(|kept| kept.answers.len())
    }

    fn with<T>(&self, of: impl FnOnce(&mut Kept) -> T) -> T {
        of(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(status) = kept.answers.pop_front() {
        return StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let at = header("x-nightdesk-timestamp").parse().unwrap_or_default();
    let text = String::from_utf8_lossy(&body).into_owned();
    let fits = signature(SECRET, at, &text).is_ok_and(|s| s == header("x-nightdesk-signature"));
    match (fits, serde_json::from_str(&text)) {
        (true, Ok(call)) => {
            kept.calls.push(call);
            StatusCode::OK
        }
        _ => {
            kept.forged += 1;
            StatusCode::UNAUTHORIZED
        }
    }
}
