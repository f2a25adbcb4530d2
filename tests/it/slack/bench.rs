//! A daemon's Slack side at work against the fake: listening, with a stand-in for the store behind it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use agent::notify::card::ReasonFor;
use agent::notify::slack::{Clicks, PATH, Slack, SocketState, Subject, listen, router};
use agent::notify::{At, Notifier, Place, Post};
use serde_json::Value;
use tests::slack::attacks::Shot;
use tests::slack::desk::FakeDesk;
use tests::slack::forge::click;
use tests::slack::{FakeSlack, Message};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{case, question, slack};

/// Somebody who may approve.
pub(super) const ANA: &str = "U00000ANA";
/// Somebody of the workspace who may not.
pub(super) const EVE: &str = "U00000EVE";

/// How clicks reach the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Socket,
    Http,
}

pub(super) struct Bench {
    pub(super) fake: FakeSlack,
    pub(super) slack: Arc<Slack>,
    pub(super) desk: Arc<FakeDesk>,
    pub(super) clicks: Arc<Clicks>,
    pub(super) state: watch::Receiver<SocketState>,
    mode: Mode,
    url: String,
    client: reqwest::Client,
    next: AtomicI64,
    clicked: AtomicU64,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Bench {
    pub(super) async fn new(mode: Mode) -> Self {
        let fake = FakeSlack::start().await.unwrap();
        let slack = slack(
            &fake,
            if mode == Mode::Socket {
                "socket"
            } else {
                "http"
            },
        )
        .await;
        let desk = Arc::new(FakeDesk::default());
        desk.look().allowed.insert(ANA.to_owned());
        desk.groups_from(Arc::clone(&slack));
        let clicks = Clicks::new(Arc::clone(&slack), Arc::clone(&desk) as _);
        let stop = CancellationToken::new();
        let (said, state) = watch::channel(SocketState::Starting);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        let task = match mode {
            Mode::Socket => tokio::spawn(listen(Arc::clone(&clicks), said, stop.clone())),
            Mode::Http => {
                let router = router(Arc::clone(&clicks));
                tokio::spawn(async move { axum::serve(listener, router).await.unwrap() })
            }
        };
        let client = reqwest::Client::builder().build().unwrap();
        Self {
            fake,
            slack,
            desk,
            clicks,
            state,
            mode,
            url,
            client,
            next: AtomicI64::new(100),
            clicked: AtomicU64::new(1),
            stop,
            task,
        }
    }

    /// Posts a card with one question and has the desk ask it.
    pub(super) async fn asked(&self, reason: ReasonFor) -> (Subject, Place, Message) {
        let id = self.next.fetch_add(1, Ordering::SeqCst);
        let mut ask = question(id);
        ask.reason = reason;
        let post = Post::Case(Box::new(case(vec![ask])));
        let place = self.slack.post(&post, At::default()).await.unwrap();
        let subject = Subject::Approval(id);
        self.desk.ask(subject, reason, Some(place.clone()));
        (subject, place, self.fake.messages().pop().unwrap())
    }

    /// Writes the card of a question anew; gives the message as it is then.
    pub(super) async fn rewritten(&self, subject: Subject, place: &Place) -> Message {
        let post = Post::Case(Box::new(case(vec![question(subject.id())])));
        let at = At {
            earlier: Some(place),
            under: None,
        };
        let place = self.slack.post(&post, at).await.unwrap();
        self.desk.place(subject, place);
        self.fake
            .messages()
            .into_iter()
            .find(|m| m.blocks.to_string().contains(&subject.block_id(2)))
            .unwrap()
    }

    /// A click as Slack sends it, different from any before.
    pub(super) fn click(&self, message: &Message, action: &str, user: &str) -> Value {
        let n = self.clicked.fetch_add(1, Ordering::SeqCst);
        click(message, action, user, n).unwrap()
    }

    /// Sends an interaction; gives what Slack is told, null when it is told nothing.
    pub(super) async fn send(&self, payload: &Value) -> Value {
        self.shoot(&Shot::good(payload.clone()), Told::Awaited)
            .await
    }

    /// Sends what may be forged; over the socket the acknowledgement is waited for only when there will be one.
    pub(super) async fn shoot(&self, shot: &Shot, told: Told) -> Value {
        let mut answer = Value::Null;
        for _ in 0..shot.times {
            answer = match self.mode {
                Mode::Socket => self.say(shot, told).await,
                Mode::Http => self.request(shot).await,
            };
        }
        answer
    }

    async fn say(&self, shot: &Shot, told: Told) -> Value {
        let id = format!("shot-{}", self.clicked.fetch_add(1, Ordering::SeqCst));
        self.fake.send_raw(shot.frame(&id)).await.unwrap();
        match told {
            Told::Awaited => self.fake.acked(&id).await.unwrap()["payload"].clone(),
            Told::Perhaps => Value::Null,
        }
    }

    async fn request(&self, shot: &Shot) -> Value {
        let (headers, body) = shot.request(chrono::Utc::now().timestamp()).unwrap();
        let mut request = self.client.post(&self.url).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // A body that is too large may be refused before it is sent whole.
        let Ok(answer) = request.send().await else {
            return Value::Null;
        };
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap_or_default();
        serde_json::from_str(&body).unwrap_or(serde_json::json!({ "status": status }))
    }

    /// Waits until the desk has what is looked for.
    pub(super) async fn until(
        &self,
        what: &str,
        holds: impl Fn(&tests::slack::desk::Inner) -> bool,
    ) {
        self.fake
            .until(what, |_| holds(&self.desk.look()))
            .await
            .unwrap();
    }

    /// Stops, once everything that came in has been worked on.
    pub(super) async fn done(self) -> (FakeSlack, Arc<FakeDesk>) {
        self.stop.cancel();
        match self.mode {
            Mode::Socket => self.task.await.unwrap(),
            Mode::Http => {
                self.clicks.drain().await;
                self.task.abort();
            }
        }
        assert_eq!(self.fake.look().violations, Vec::<String>::new());
        (self.fake, self.desk)
    }

    /// How often each subject was decided.
    pub(super) fn decided(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for given in &self.desk.look().decided {
            *counts.entry(format!("{:?}", given.subject)).or_default() += 1;
        }
        counts
    }
}

/// Whether an acknowledgement is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Awaited,
    Perhaps,
}
