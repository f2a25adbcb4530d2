//! Room `claim`: queue to a case with a lease and a fencing token, kept alive while it is worked.

use chrono::TimeDelta;
use state::model::Case;
use state::store::Claim;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ctx::Ctx;

/// A case in our hands.
pub struct Held {
    /// Proof that it is ours.
    pub claim: Claim,
    /// The case.
    pub case: Case,
    /// Cancelled when the lease is lost: all work on the case must stop.
    pub lost: CancellationToken,
    _keeper: DropGuard,
}

/// Takes the next case from the queue, if there is one, and keeps its lease alive until the result is dropped.
///
/// # Errors
/// When the store fails.
pub async fn claim(ctx: &std::sync::Arc<Ctx>) -> anyhow::Result<Option<Held>> {
    let lease = ctx.config.run.lease.0;
    let Some((claim, case)) = ctx.store.claim(&ctx.owner, ctx.now(), lease).await? else {
        return Ok(None);
    };
    let stop = CancellationToken::new();
    let lost = CancellationToken::new();
    let keeper = (ctx.clone(), claim.clone(), stop.clone(), lost.clone());
    tokio::spawn(async move {
        let (ctx, claim, stop, lost) = keeper;
        let mut beat = tokio::time::interval(lease / 3);
        beat.tick().await;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beat.tick() => {}
            }
            let until = TimeDelta::from_std(lease).map_or_else(|_| ctx.now(), |l| ctx.now() + l);
            if let Err(e) = ctx.store.renew(&claim, until).await
                && !e.is_retryable()
            {
                tracing::warn!(case = %claim.case, error = %e, "the lease could not be renewed");
                lost.cancel();
                return;
            }
        }
    });
    Ok(Some(Held {
        claim,
        case,
        lost,
        _keeper: stop.drop_guard(),
    }))
}
