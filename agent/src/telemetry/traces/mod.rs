//! The spans of a case's work as OpenTelemetry spans: collected as they end, and handed to the exporter; log lines are
//! not its matter, and a trace that can't be sent holds up no work.
//!
//! The opentelemetry crates are left out on purpose: three that move in lock-step, and a batch thread without a runtime
//! on which our HTTP client can't be driven, for three kinds of span.

mod export;
mod layer;
mod otlp;

use std::sync::{Arc, OnceLock};

use state::model::Time;
use tokio::sync::mpsc;

pub use export::{Destination, Exporter};
pub(super) use layer::Collect;
use otlp::Done;

/// Spans that wait to be sent; beyond it they are counted and lost.
const WAITING: usize = 4096;

/// Where ended spans go, once somebody has opened it.
struct Sink {
    sender: mpsc::Sender<Done>,
    now: Box<dyn Fn() -> Time + Send + Sync>,
    lost: Box<dyn Fn(u64) + Send + Sync>,
}

/// Traces are off until they are opened; clones are the same.
#[derive(Clone, Default)]
pub struct Traces(Arc<OnceLock<Sink>>);

impl Traces {
    /// Sends what ends from now on. `lost` is told how many spans could not be sent.
    ///
    /// # Errors
    /// When they are open already, or the client can't be built.
    pub fn open(
        &self,
        to: Destination,
        now: impl Fn() -> Time + Send + Sync + 'static,
        lost: impl Fn(u64) + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Exporter> {
        let (sender, waiting) = mpsc::channel(WAITING);
        let exporter = Exporter::start(to, waiting, Box::new(lost.clone()))?;
        let sink = Sink {
            sender,
            now: Box::new(now),
            lost: Box::new(lost),
        };
        anyhow::ensure!(self.0.set(sink).is_ok(), "traces are open already");
        Ok(exporter)
    }

    fn sink(&self) -> Option<&Sink> {
        self.0.get()
    }
}
