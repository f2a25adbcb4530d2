//! The daemon's life: poll on schedule, take in, work with N workers, stop on a signal; finished or parked, never lost.

use std::sync::Arc;
use std::time::Duration;

use state::store::Reclaim;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ctx::Ctx;
use crate::{pipeline, triage};

use super::sources::{Pollable, pollable, webhook};
use super::telling::Silence;
use super::watch::Watch;
use super::{People, baselines, canary, effects, off_pattern, weekly};

/// How long a worker rests when the queue is empty and nobody wakes it.
const IDLE: Duration = Duration::from_secs(5);

/// Runs until `stop` is cancelled, then drains: cases in work are finished within `run.drain`, the others go back to the queue.
///
/// # Errors
/// When sources can't be built or the webhook can't listen.
pub async fn run(
    ctx: Arc<Ctx>,
    watch: Arc<Watch>,
    people: People,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    watch.look().await;
    let back = ctx.store.reclaim(ctx.now(), Reclaim::All).await?;
    if !back.is_empty() {
        tracing::info!(
            cases = back.len(),
            "cases of an interrupted run are back in the queue"
        );
    }
    effects::take_stock(&ctx).await?;
    watch.anchor().await;
    let (arrived, wake) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let tasks = TaskTracker::new();
    for source in pollable(&ctx)? {
        tasks.spawn(poll_on_schedule(
            ctx.clone(),
            source,
            arrived.clone(),
            stop.clone(),
        ));
    }
    for serving in webhook(&ctx, &arrived, &stop).await? {
        tasks.spawn(serving);
    }
    arrived.notify_one();
    if ctx.config.closing.canary.enabled {
        tasks.spawn(canary::keep(ctx.clone(), arrived.clone(), stop.clone()));
    }
    people.spawn(&ctx, &tasks, &stop);
    if ctx.config.people.metrics.enabled {
        tasks.spawn(weekly::keep(ctx.clone(), stop.clone()));
    }
    tasks.spawn(baselines::keep(ctx.clone(), stop.clone()));
    tasks.spawn(effects::keep_acting(ctx.clone(), stop.clone()));
    tasks.spawn(effects::keep_telling(ctx.clone(), stop.clone()));
    tasks.spawn(off_pattern::keep(ctx.clone(), stop.clone()));
    tasks.spawn(take_in_arrivals(
        ctx.clone(),
        (arrived, wake.clone()),
        stop.clone(),
    ));
    tasks.spawn(watch.clone().keep(stop.clone()));
    tasks.spawn(keep_house(ctx.clone(), wake.clone(), stop.clone()));
    let mut workers = JoinSet::new();
    for _ in 0..ctx.config.run.workers {
        workers.spawn(work(ctx.clone(), wake.clone(), stop.clone()));
    }
    tracing::info!(workers = ctx.config.run.workers, "nightdesk is at work");
    stop.cancelled().await;
    tracing::info!(drain = %ctx.config.run.drain, "stopping: cases in work are finished or parked");
    wake.notify_waiters();
    tasks.close();
    let drained = async {
        while workers.join_next().await.is_some() {}
        tasks.wait().await;
    };
    if tokio::time::timeout(ctx.config.run.drain.0, drained)
        .await
        .is_err()
    {
        workers.shutdown().await;
        let parked = ctx.store.reclaim(ctx.now(), Reclaim::All).await?;
        tracing::warn!(
            parked = parked.len(),
            "cases that did not finish in time are parked"
        );
    }
    watch.anchor().await;
    Ok(())
}

/// Takes stored alerts into cases, one at a time, so that two of one story never open two cases.
async fn take_in_arrivals(
    ctx: Arc<Ctx>,
    bells: (Arc<Notify>, Arc<Notify>),
    stop: CancellationToken,
) {
    let (arrived, wake) = bells;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = arrived.notified() => {}
            () = tokio::time::sleep(IDLE) => {}
        }
        match triage::take_in(&ctx).await {
            Ok(0) => {}
            Ok(_) => wake.notify_waiters(),
            Err(e) => tracing::error!(
                error = format!("{e:#}"),
                "alerts could not be taken in; they are tried again"
            ),
        }
    }
}

async fn poll_on_schedule(
    ctx: Arc<Ctx>,
    mut source: Pollable,
    arrived: Arc<Notify>,
    stop: CancellationToken,
) {
    let mut beat = tokio::time::interval(source.every);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut silence = Silence::of(source.source.name());
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {}
        }
        loop {
            match pipeline::poll(&ctx, source.source.as_mut()).await {
                Ok(polled) => {
                    silence.ended();
                    if polled.new > 0 {
                        tracing::info!(
                            source = source.source.name(),
                            new = polled.new,
                            "alerts stored"
                        );
                        arrived.notify_one();
                    }
                    if !polled.more || stop.is_cancelled() {
                        break;
                    }
                }
                Err(e) => {
                    tracing::error!(
                        source = source.source.name(),
                        error = format!("{e:#}"),
                        "poll failed; the cursor stays"
                    );
                    silence.failed(&ctx, &format!("{e:#}")).await;
                    break;
                }
            }
        }
    }
}

/// Gives back cases whose lease has run out.
async fn keep_house(ctx: Arc<Ctx>, wake: Arc<Notify>, stop: CancellationToken) {
    let mut beat = tokio::time::interval(ctx.config.run.lease.0 / 2);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {}
        }
        match ctx.store.reclaim(ctx.now(), Reclaim::Expired).await {
            Ok(back) if !back.is_empty() => wake.notify_waiters(),
            Ok(_) => {}
            Err(e) => tracing::error!(error = %e, "expired leases could not be taken back"),
        }
        if let Err(e) = ctx.store.expire_approvals(ctx.now()).await {
            tracing::error!(error = %e, "approvals that ran out could not be marked");
        }
    }
}

async fn work(ctx: Arc<Ctx>, wake: Arc<Notify>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let woken = wake.notified();
        match triage::work_next(&ctx).await {
            Ok(Some(_)) => continue,
            Ok(None) => {}
            Err(e) => tracing::error!(error = format!("{e:#}"), "the queue could not be worked"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = woken => {}
            () = tokio::time::sleep(IDLE) => {}
        }
    }
}
