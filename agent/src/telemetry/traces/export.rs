//! Sends ended spans to the collector in batches; what can't be sent after some tries is counted and dropped.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode, Url};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::otlp::{self, Done};

/// Most spans of a batch.
const BATCH: usize = 256;
/// How long a span waits for company.
const GATHER: Duration = Duration::from_secs(1);
/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a batch is tried.
const TRIES: u32 = 3;
/// How long the end waits for what is still to be sent.
const DRAIN: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are looked at.
const MAX_ANSWER: usize = 64 << 10;

/// Where spans are sent, and whom they are told to come from.
#[derive(Debug, Clone)]
pub struct Destination {
    /// Whole address.
    pub url: Url,
    /// `service.name`.
    pub service: String,
    /// `service.instance.id`.
    pub instance: String,
}

/// The task that sends.
pub struct Exporter {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Exporter {
    pub(super) fn start(
        to: Destination,
        waiting: mpsc::Receiver<Done>,
        lost: Box<dyn Fn(u64) + Send + Sync>,
    ) -> anyhow::Result<Self> {
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let stop = CancellationToken::new();
        let sender = Sender { client, to, lost };
        let task = tokio::spawn(sender.keep(waiting, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Sends what has ended, within a few seconds, and ends.
    pub async fn finish(self) {
        self.stop.cancel();
        let abort = self.task.abort_handle();
        if timeout(DRAIN, self.task).await.is_err() {
            abort.abort();
            tracing::warn!("the last spans could not be sent in time");
        }
    }
}

struct Sender {
    client: Client,
    to: Destination,
    lost: Box<dyn Fn(u64) + Send + Sync>,
}

impl Sender {
    async fn keep(self, mut waiting: mpsc::Receiver<Done>, stop: CancellationToken) {
        let mut well = true;
        loop {
            let batch = gather(&mut waiting, &stop).await;
            if batch.is_empty() {
                return;
            }
            let sent = self.send(&batch).await;
            match &sent {
                Ok(0) => {}
                Ok(rejected) => (self.lost)(*rejected),
                Err(_) => (self.lost)(batch.len() as u64),
            }
            // Said once, not for every batch.
            if let (Err(why), true) = (&sent, well) {
                tracing::warn!(%why, "spans can't be sent to [run.traces] endpoint and are lost");
            }
            well = sent.is_ok();
        }
    }

    /// Sends a batch; gives how many of its spans the collector did not take.
    async fn send(&self, batch: &[Done]) -> Result<u64, String> {
        let body = otlp::request(&self.to.service, &self.to.instance, batch).to_string();
        let mut wait = Duration::from_millis(250);
        let mut why = String::new();
        for attempt in 1..=TRIES {
            let request = self
                .client
                .post(self.to.url.clone())
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(rejected(answer).await),
                Ok(answer) => {
                    why = format!("the collector answers {}", answer.status().as_u16());
                    if !may_pass(answer.status()) {
                        return Err(why);
                    }
                }
                Err(e) if e.is_timeout() => "it does not answer in time".clone_into(&mut why),
                Err(_) => "it can't be reached".clone_into(&mut why),
            }
            if attempt < TRIES {
                sleep(wait).await;
                wait *= 4;
            }
        }
        Err(why)
    }
}

/// Whether the protocol lets the same batch be sent again.
fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// `partialSuccess.rejectedSpans` of an answer; none in one that can't be read.
async fn rejected(mut answer: Response) -> u64 {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = answer.chunk().await {
        if body.len() + piece.len() > MAX_ANSWER {
            return 0;
        }
        body.extend_from_slice(&piece);
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let n = &said["partialSuccess"]["rejectedSpans"];
    n.as_u64()
        .or_else(|| n.as_str()?.parse().ok())
        .unwrap_or_default()
}

/// The next batch; an empty one when it is time to stop and nothing waits.
async fn gather(waiting: &mut mpsc::Receiver<Done>, stop: &CancellationToken) -> Vec<Done> {
    let mut batch = Vec::new();
    let first = tokio::select! {
        biased;
        first = waiting.recv() => first,
        () = stop.cancelled() => None,
    };
    let Some(first) = first else { return batch };
    batch.push(first);
    let full = Instant::now() + GATHER;
    while batch.len() < BATCH {
        let next = tokio::select! {
            biased;
            next = timeout_at(full, waiting.recv()) => next.ok().flatten(),
            () = stop.cancelled() => waiting.try_recv().ok(),
        };
        match next {
            Some(done) => batch.push(done),
            None => break,
        }
    }
    batch
}
