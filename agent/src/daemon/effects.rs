//! Sends outside effects as they become due, beside the workers; deciding and sending are the gate's.

use std::sync::Arc;
use std::time::Duration;

use state::model::Severity;
use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::gate::{self, Carried, Lane};
use crate::notify::{self, card::Notice};
use crate::pipeline::{self, Stuck};
use crate::text::oneline;

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

/// Sends what is due now, what people approved first, then proposes what is to be told of cases and sends it, and reads
/// back what was sent. A step that fails holds up no other.
///
/// # Errors
/// The first failure, when all steps were gone.
pub async fn carry_out(ctx: &Ctx) -> anyhow::Result<()> {
    let approved = send(ctx, Lane::Approved).await;
    let again = gate::propose_again(ctx).await;
    let told = stuck(ctx, pipeline::tell(ctx).await).await;
    let said = send(ctx, Lane::Said).await;
    let verified = gate::verify(ctx).await;
    approved?;
    again?;
    told?;
    said?;
    verified?;
    Ok(())
}

async fn send(ctx: &Ctx, lane: Lane) -> anyhow::Result<()> {
    tell(&gate::carry_out_of(ctx, lane).await?);
    Ok(())
}

/// Does what people approved as soon as it is due, until `stop`; an effect that was begun is ended first.
pub(super) async fn keep_acting(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut beat = beat();
    while next(&mut beat, &stop).await {
        noted("acting", send(&ctx, Lane::Approved).await);
    }
}

/// Proposes what is to be told, says it and reads back what was sent, a bounded share a beat, until `stop`. However slow
/// those who are told are, what was approved waits for none of it.
pub(super) async fn keep_telling(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut beat = beat();
    while next(&mut beat, &stop).await {
        let again = gate::propose_again(&ctx).await;
        noted("proposing again", again.map_err(Into::into));
        let told = pipeline::tell_some(&ctx).await;
        noted("telling", stuck(&ctx, told).await);
        noted("saying", send(&ctx, Lane::Said).await);
        let verified = gate::verify(&ctx).await;
        noted("reading back", verified.map(drop).map_err(Into::into));
    }
}

/// Tells people of cases that could not be told outside for long, once for each change of theirs.
async fn stuck(ctx: &Ctx, told: anyhow::Result<Vec<Stuck>>) -> anyhow::Result<()> {
    for Stuck { untold, why } in told? {
        let notice = Notice {
            severity: Severity::Medium,
            title: format!(
                "{} is not told at its sources or in its ticket",
                untold.case
            ),
            text: format!(
                "{}. It is tried again, every half an hour at the latest.",
                oneline(&why, 300)
            ),
        };
        let key = format!("untold:{}:{}", untold.case, untold.rev);
        notify::note(ctx, &key, notice).await?;
    }
    Ok(())
}

fn beat() -> Interval {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// Waits for the next beat; not so when it is to stop.
async fn next(beat: &mut Interval, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        _ = beat.tick() => true,
    }
}

fn noted(step: &str, done: anyhow::Result<()>) {
    if let Err(e) = done {
        tracing::error!(
            step,
            error = format!("{e:#}"),
            "outside effects: a step failed; the others go on, and what was begun is not repeated"
        );
    }
}

fn tell(carried: &[Carried]) {
    for one in carried {
        tracing::warn!(effect = one.effect, decision = %one.decision, reason = %one.reason, "outside effect");
    }
}
