//! Sends outside effects as they become due, beside the workers; deciding and sending are the gate's.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::gate::{self, Carried};
use crate::pipeline;

/// How soon an approved effect is seen.
const BEAT: Duration = Duration::from_secs(2);

/// Looks up what an earlier run left open, once; only for who has the store to itself.
///
/// # Errors
/// When the store fails.
pub async fn take_stock(ctx: &Ctx) -> anyhow::Result<()> {
    tell(&gate::take_stock(ctx).await?);
    Ok(())
}

/// Proposes what is to be told of cases, sends what is due now, and reads back what was sent.
///
/// # Errors
/// When the store fails.
pub async fn carry_out(ctx: &Ctx) -> anyhow::Result<()> {
    gate::propose_again(ctx).await?;
    pipeline::tell(ctx).await?;
    tell(&gate::carry_out(ctx).await?);
    gate::verify(ctx).await?;
    Ok(())
}

/// Sends what becomes due, until `stop`; an effect that was begun is ended first.
pub(super) async fn keep_carrying_out(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {}
        }
        if let Err(e) = carry_out(&ctx).await {
            tracing::error!(
                error = format!("{e:#}"),
                "outside effects could not be carried out; what was begun is not repeated"
            );
        }
    }
}

fn tell(carried: &[Carried]) {
    for one in carried {
        tracing::warn!(effect = one.effect, decision = %one.decision, reason = %one.reason, "outside effect");
    }
}
