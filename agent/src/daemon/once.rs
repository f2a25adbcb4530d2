//! Works the queue until it is empty, with several workers; used by `run --once` and `demo`.

use std::sync::Arc;

use mcp_clients::sources::AlertSource;
use state::model::CaseId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::ctx::Ctx;
use crate::pipeline::{self, Polled};
use crate::triage;

use super::effects;

/// What the caller is told while the queue is worked.
pub trait Progress: Send {
    /// A source was read to its end.
    fn polled(&mut self, source: &str, polled: &Polled);
    /// A case has come to its end for now.
    fn worked(&mut self, case: CaseId) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Reads every source to its end, takes the alerts in and works all cases. A source that fails holds up no other.
///
/// # Errors
/// When the store fails; at the end, when a source failed or a case could not be worked.
pub async fn work_until_empty(
    ctx: &Arc<Ctx>,
    sources: Vec<Box<dyn AlertSource>>,
    progress: &mut impl Progress,
) -> anyhow::Result<()> {
    let mut failed = Vec::new();
    for mut source in sources {
        match read_to_end(ctx, source.as_mut()).await {
            Ok(polled) => progress.polled(source.name(), &polled),
            Err(e) => {
                tracing::error!(
                    source = source.name(),
                    error = format!("{e:#}"),
                    "poll failed; the cursor stays"
                );
                failed.push(format!("{e:#}"));
            }
        }
    }
    effects::take_stock(ctx).await?;
    while triage::take_in(ctx).await? > 0 {}
    failed.extend(drain(ctx, progress).await?);
    effects::carry_out(ctx).await?;
    anyhow::ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

async fn read_to_end(ctx: &Ctx, source: &mut dyn AlertSource) -> anyhow::Result<Polled> {
    let mut all = Polled::default();
    loop {
        let polled = pipeline::poll(ctx, source).await?;
        all.new += polled.new;
        all.known += polled.known;
        all.rejected += polled.rejected;
        if !polled.more {
            return Ok(all);
        }
    }
}

/// Failures in a row after which a worker believes that nothing will succeed.
const GIVE_UP: usize = 10;

/// Works all cases; gives what could not be worked.
async fn drain(ctx: &Arc<Ctx>, progress: &mut impl Progress) -> anyhow::Result<Vec<String>> {
    let (done, mut finished) = mpsc::channel(64);
    let mut workers = JoinSet::new();
    for _ in 0..ctx.config.run.workers {
        workers.spawn(worker(ctx.clone(), done.clone()));
    }
    drop(done);
    let mut told = Ok(());
    while let Some(case) = finished.recv().await {
        if told.is_ok() {
            told = progress.worked(case).await;
        }
    }
    let mut failed = Vec::new();
    while let Some(ended) = workers.join_next().await {
        failed.extend(ended?);
    }
    told?;
    failed.sort();
    failed.dedup();
    Ok(failed)
}

/// Works cases until the queue is empty; a case that failed is tried again until a person gets it.
async fn worker(ctx: Arc<Ctx>, done: mpsc::Sender<CaseId>) -> Option<String> {
    let mut in_a_row = 0;
    loop {
        match triage::work_next(&ctx).await {
            Ok(None) => return None,
            Ok(Some(case)) => {
                in_a_row = 0;
                // Nobody listens any more: the work goes on all the same.
                let _ = done.send(case).await;
            }
            Err(e) => {
                tracing::error!(error = format!("{e:#}"), "a case could not be worked");
                in_a_row += 1;
                if in_a_row >= GIVE_UP {
                    return Some(format!("{e:#}"));
                }
            }
        }
    }
}
