//! Works the queue until it is empty, with several workers; used by `run --once` and `demo`.

use std::sync::Arc;

use mcp_clients::sources::AlertSource;
use state::model::CaseId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::ctx::Ctx;
use crate::pipeline::{self, Polled};
use crate::triage;

/// What the caller is told while the queue is worked.
pub trait Progress: Send {
    /// A source was read to its end.
    fn polled(&mut self, source: &str, polled: &Polled);
    /// A case has come to its end for now.
    fn worked(&mut self, case: CaseId) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// Reads every source to its end, takes the alerts in and works all cases.
///
/// # Errors
/// When the store fails, or a source fails: what was read before is stored and is worked next time.
pub async fn work_until_empty(
    ctx: &Arc<Ctx>,
    sources: Vec<Box<dyn AlertSource>>,
    progress: &mut impl Progress,
) -> anyhow::Result<()> {
    for mut source in sources {
        let mut all = Polled::default();
        loop {
            let polled = pipeline::poll(ctx, source.as_mut()).await?;
            all.new += polled.new;
            all.known += polled.known;
            all.rejected += polled.rejected;
            if !polled.more {
                break;
            }
        }
        progress.polled(source.name(), &all);
    }
    while triage::take_in(ctx).await? > 0 {}
    drain(ctx, progress).await
}

async fn drain(ctx: &Arc<Ctx>, progress: &mut impl Progress) -> anyhow::Result<()> {
    let (done, mut finished) = mpsc::channel(64);
    let mut workers = JoinSet::new();
    for _ in 0..ctx.config.run.workers {
        let (ctx, done) = (ctx.clone(), done.clone());
        workers.spawn(async move {
            while let Some(case) = triage::work_next(&ctx).await? {
                if done.send(case).await.is_err() {
                    break;
                }
            }
            anyhow::Ok(())
        });
    }
    drop(done);
    while let Some(case) = finished.recv().await {
        progress.worked(case).await?;
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}
