//! Makes baselines anew on schedule, some a minute; how one is made is `pipeline::baseline`'s.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use state::model::{BaselineOf, Time};
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::pipeline::{self, Renewed};

/// How often the schedule is looked at, and a share of a round asked.
const GLANCE: Duration = Duration::from_secs(60);
/// How long what nobody asks for any more is kept, beside the window.
const FORGOTTEN: TimeDelta = TimeDelta::days(14);

/// A round under way.
#[derive(Debug, Default)]
pub struct Round {
    /// When it was due.
    due: Option<Time>,
    /// What is still to be asked.
    left: VecDeque<BaselineOf>,
}

/// How a share of a round ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Answers that are kept now.
    pub kept: usize,
    /// Questions that got no whole answer.
    pub stale: usize,
    /// Questions that wait for their turn.
    pub left: usize,
}

/// Keeps baselines fresh until `stop`, unless they are switched off.
pub(super) async fn keep(ctx: Arc<Ctx>, stop: CancellationToken) {
    if !ctx.config.queries.baselines.enabled {
        return;
    }
    let mut beat = tokio::time::interval(GLANCE);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut round = Round::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {}
        }
        match round.go_on(&ctx).await {
            Ok(share) if share != Share::default() => tracing::info!(
                kept = share.kept,
                stale = share.stale,
                left = share.left,
                "baselines are made anew"
            ),
            Ok(_) => {}
            Err(e) => tracing::error!(
                error = format!("{e:#}"),
                "baselines could not be made anew; it is tried again"
            ),
        }
    }
}

impl Round {
    /// Begins a round when the schedule has come round since the last one, and asks the next share of it. What the schedule
    /// asked for before the first alert came does not count.
    ///
    /// # Errors
    /// When the store fails or the schedule is none.
    pub async fn go_on(&mut self, ctx: &Arc<Ctx>) -> anyhow::Result<Share> {
        if let Some(due) = due(ctx).await?
            && self.due.is_none_or(|last| last < due)
        {
            self.left = asked_since(ctx, due).await?;
            self.due = Some(due);
            let before = ctx.now() - FORGOTTEN - window(ctx);
            ctx.store.forget_baselines(before).await?;
        }
        let mut share = Share::default();
        for _ in 0..ctx.config.queries.baselines.per_minute {
            let Some(of) = self.left.pop_front() else {
                break;
            };
            match pipeline::renew(ctx, &of).await? {
                Renewed::Kept(_) => share.kept += 1,
                Renewed::Stale(why) => {
                    share.stale += 1;
                    tracing::warn!(query = of.query, why, "a baseline stays as it was");
                }
                Renewed::Later(_) => {
                    self.left.push_front(of);
                    break;
                }
            }
        }
        share.left = self.left.len();
        Ok(share)
    }
}

/// When the schedule came round last, if that was after the first alert.
async fn due(ctx: &Ctx) -> anyhow::Result<Option<Time>> {
    let schedule = ctx.config.queries.baselines.schedule();
    let schedule = schedule.map_err(|why| anyhow::anyhow!("[baselines] at {why}"))?;
    let Some(first) = ctx.store.first_received().await? else {
        return Ok(None);
    };
    let now = ctx.now();
    let mut rounds = schedule.after(&(now + TimeDelta::seconds(1))).rev();
    Ok(rounds.find(|at| *at <= now).filter(|at| *at > first))
}

/// What has not been asked since then: after a restart a round goes on where it was.
async fn asked_since(ctx: &Ctx, due: Time) -> anyhow::Result<VecDeque<BaselineOf>> {
    let mut left = VecDeque::new();
    for of in pipeline::questions(ctx).await? {
        let known = ctx.store.baseline(&of).await?;
        if known.is_none_or(|b| b.tried < due) {
            left.push_back(of);
        }
    }
    Ok(left)
}

fn window(ctx: &Ctx) -> TimeDelta {
    TimeDelta::from_std(ctx.config.queries.baselines.window.0).unwrap_or_default()
}
