//! A Slack of our own on loopback, HTTP and WebSocket: it keeps what is posted, checks it as Slack does, and fails on demand; it
//! knows nothing of cases and approvals.

mod api;
pub mod attacks;
pub mod desk;
pub mod forge;
mod limits;
mod sockets;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub use limits::faults as limit_faults;

/// The one workspace, app and channel.
pub const TEAM: &str = "T0000TEAM";
/// The app.
pub const APP: &str = "A00000APP";
/// The channel.
pub const CHANNEL: &str = "C00CHANNEL";
/// Signing secret of the app.
pub const SIGNING_SECRET: &str = "fake-signing-secret-0001";
/// Bot token.
pub const BOT: &str = "xoxb-fake-bot-token";
/// App-level token.
pub const APP_TOKEN: &str = "xapp-fake-app-token";

/// A message as it stands.
#[derive(Debug, Clone)]
pub struct Message {
    /// Channel.
    pub channel: String,
    /// Time stamp.
    pub ts: String,
    /// The message it stands under.
    pub thread: Option<String>,
    /// Fallback text.
    pub text: String,
    /// Blocks.
    pub blocks: Value,
    /// How often it was written.
    pub written: usize,
}

/// What goes wrong with one call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// 429 with this `Retry-After`.
    Limited(u64),
    /// `ok: false` with this word.
    Says(&'static str),
    /// A status and a page of HTML.
    Status(u16),
    /// It is done, and the answer never arrives.
    DoneAndCut,
    /// It is not done, and the connection breaks.
    Cut,
    /// It is done after this long.
    Slow(Duration),
    /// 200 and not JSON.
    Garbage,
    /// An answer larger than any of Slack's.
    Huge,
}

/// What the fake knows.
#[derive(Debug, Default)]
pub struct Inner {
    /// Messages, the oldest first.
    pub messages: Vec<Message>,
    /// Messages for one person: who and the body.
    pub ephemerals: Vec<(String, Value)>,
    /// Dialogs that were opened: trigger and view.
    pub views: Vec<(String, Value)>,
    /// Members of user groups.
    pub groups: BTreeMap<String, Vec<String>>,
    /// Every call: method and body.
    pub calls: Vec<(String, Value)>,
    /// Faults to come, by method.
    pub faults: VecDeque<(String, Fault)>,
    /// What Slack would have refused, or a message that could do harm.
    pub violations: Vec<String>,
    /// Acknowledgements by envelope.
    pub acks: BTreeMap<String, Vec<Value>>,
    /// Addresses that were given and not used.
    pub tickets: Vec<String>,
    /// Numbers that were given out.
    pub counter: u64,
}

pub(crate) struct Shared {
    inner: Mutex<Inner>,
    pub(crate) sockets: sockets::Sockets,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that was not given before.
    pub(crate) fn next(&self) -> u64 {
        let mut inner = self.lock();
        inner.counter += 1;
        inner.counter
    }
}

/// The fake; it stops when dropped.
pub struct FakeSlack {
    /// Address of the web API.
    pub api: String,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for FakeSlack {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl FakeSlack {
    /// Starts one on ports of its own.
    ///
    /// # Errors
    /// No port.
    pub async fn start() -> anyhow::Result<Self> {
        let http = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port for the fake slack")?;
        let ws = TcpListener::bind("127.0.0.1:0")
            .await
            .context("no port for the fake slack")?;
        let api = format!("http://{}/api/", http.local_addr()?);
        let shared = Arc::new(Shared {
            inner: Mutex::default(),
            sockets: sockets::Sockets::new(ws.local_addr()?),
        });
        let router = api::router(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            // Ends only with the task.
            let _ = axum::serve(http, router).await;
        });
        let accepting = tokio::spawn(sockets::accept(ws, Arc::clone(&shared)));
        Ok(Self {
            api,
            shared,
            tasks: vec![serving, accepting],
        })
    }

    /// `[notify.slack]` for a daemon that is to use this fake.
    #[must_use]
    pub fn settings(&self, mode: &str) -> String {
        let secret = |text: &str| format!("{{ command = \"printf %s {text}\" }}");
        let listen = match mode {
            "http" => "listen = \"127.0.0.1:0\"\n",
            _ => "",
        };
        format!(
            "[notify.slack]\n{listen}mode = \"{mode}\"\nbot_token = {}\napp_token = {}\nsigning_secret = {}\n\
             team = \"{TEAM}\"\napp = \"{APP}\"\nchannel = \"{CHANNEL}\"\non_call = [\"S00ONCALL1\"]\npace = \"0s\"\napi = \"{}\"\n",
            secret(BOT),
            secret(APP_TOKEN),
            secret(SIGNING_SECRET),
            self.api,
        )
    }

    /// What it knows, to look at or to change.
    pub fn look(&self) -> MutexGuard<'_, Inner> {
        self.shared.lock()
    }

    /// The next call of a method goes wrong.
    pub fn fail(&self, method: &str, fault: Fault) {
        self.look().faults.push_back((method.to_owned(), fault));
    }

    /// The messages so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.look().messages.clone()
    }

    /// How often a method was called.
    #[must_use]
    pub fn calls(&self, method: &str) -> usize {
        self.look()
            .calls
            .iter()
            .filter(|(m, _)| m == method)
            .count()
    }

    /// The texts for one person, as one text each.
    #[must_use]
    pub fn told(&self, user: &str) -> Vec<String> {
        let inner = self.look();
        let theirs = inner.ephemerals.iter().filter(|(u, _)| u == user);
        theirs
            .map(|(_, body)| forge::words(&body["blocks"]))
            .collect()
    }

    /// Sends an interaction over the socket; gives the envelope's id. Waits until there is a connection.
    ///
    /// # Errors
    /// None came in time.
    pub async fn send(&self, payload: &Value) -> anyhow::Result<String> {
        let id = format!("envelope-{}", self.shared.next());
        let envelope = serde_json::json!({"type": "interactive", "envelope_id": id,
            "accepts_response_payload": true, "payload": payload});
        self.send_raw(envelope.to_string()).await?;
        Ok(id)
    }

    /// Sends an interaction again and again, as Slack does, until it is acknowledged; gives the acknowledgement.
    ///
    /// # Errors
    /// None came within `patience`.
    pub async fn deliver(&self, payload: &Value, patience: Duration) -> anyhow::Result<Value> {
        let id = format!("envelope-{}", self.shared.next());
        let envelope = serde_json::json!({"type": "interactive", "envelope_id": id,
            "accepts_response_payload": true, "payload": payload})
        .to_string();
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            self.shared
                .sockets
                .send(sockets::Say::Text(envelope.clone()));
            let again = Instant::now() + Duration::from_millis(500);
            while Instant::now() < again.min(deadline) {
                if let Some(ack) = self.look().acks.get(&id).and_then(|acks| acks.first()) {
                    return Ok(ack.clone());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        anyhow::bail!("an interaction was not acknowledged in time")
    }

    /// Sends a text over the socket as it is.
    ///
    /// # Errors
    /// No connection came in time.
    pub async fn send_raw(&self, text: String) -> anyhow::Result<()> {
        self.until("a connection", |_| self.shared.sockets.open() > 0)
            .await?;
        self.shared.sockets.send(sockets::Say::Text(text));
        Ok(())
    }

    /// Says on the newest connection that it is to be replaced.
    pub fn disconnect(&self, reason: &str) {
        let text = serde_json::json!({"type": "disconnect", "reason": reason}).to_string();
        self.shared.sockets.send(sockets::Say::Text(text));
    }

    /// Sends something else than a text on the newest connection.
    pub fn say(&self, say: Say) {
        self.shared.sockets.send(say);
    }

    /// Connections now, and the most there ever were at a time.
    #[must_use]
    pub fn connections(&self) -> (usize, usize) {
        (self.shared.sockets.open(), self.shared.sockets.most())
    }

    /// Hello on the next connections names this app.
    pub fn hello_as(&self, app: &str) {
        self.shared.sockets.hello_as(app);
    }

    /// Waits for the acknowledgement of an envelope.
    ///
    /// # Errors
    /// None came in time.
    pub async fn acked(&self, id: &str) -> anyhow::Result<Value> {
        self.until("an acknowledgement", |inner| inner.acks.contains_key(id))
            .await?;
        let acks = self.look().acks.get(id).cloned().unwrap_or_default();
        acks.into_iter().next().context("no acknowledgement")
    }

    /// Waits until something holds, for ten seconds.
    ///
    /// # Errors
    /// It did not.
    pub async fn until(&self, what: &str, holds: impl Fn(&Inner) -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            if holds(&self.look()) {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "{what} did not come in time");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub use sockets::Say;
