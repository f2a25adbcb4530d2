//! Off-pattern: how the alerts of each rule were judged in the last day against the month before; it changes no verdict.
//!
//! A finding is stored, audited and told. One that says more is closed than before keeps the rule's closes with a
//! person until somebody accepts it; what was accepted is where the new baseline begins.

mod compare;

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use state::model::{Deviation, Measure, RuleAt};
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;

/// What is new: a day holds every shift once.
const RECENT: TimeDelta = TimeDelta::hours(24);
/// What it is compared with: a month holds the weekly and most monthly routines.
const BASELINE: TimeDelta = TimeDelta::days(30);
/// How often it is looked.
const EVERY: Duration = Duration::from_secs(3600);

/// Looks every hour until `stop`.
pub(super) async fn keep(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut beat = tokio::time::interval(EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {}
        }
        if let Err(e) = look(&ctx).await {
            tracing::error!(
                error = format!("{e:#}"),
                "patterns could not be compared; it is tried again in an hour"
            );
        }
    }
}

/// Compares every rule that was judged in the last day with its own past; gives the ids of new findings.
///
/// # Errors
/// When the store fails.
pub async fn look(ctx: &Ctx) -> anyhow::Result<Vec<i64>> {
    let now = ctx.now();
    let mut ids = Vec::new();
    for of in ctx.store.rules_judged_since(now - RECENT).await? {
        for found in deviations(ctx, &of).await? {
            if let Some(id) = ctx.store.add_finding(&found, now).await? {
                tracing::warn!(finding = id, source = of.source, rule = of.rule, measure = %found.measure,
                    holds_closing = found.holds_closing, what = found.what, "off-pattern");
                ids.push(id);
            }
        }
    }
    Ok(ids)
}

async fn deviations(ctx: &Ctx, of: &RuleAt) -> anyhow::Result<Vec<Deviation>> {
    let now = ctx.now();
    let since = now - RECENT;
    let recent = ctx.store.pattern(of, since, now).await?;
    let month = ctx.store.pattern(of, since - BASELINE, since).await?;
    let accepted = ctx.store.accepted_of(of).await?;
    let mut found = Vec::new();
    for measure in Measure::ALL {
        let accepted = accepted.iter().find(|f| f.deviation.measure == *measure);
        let own = match accepted.map(|f| f.deviation.recent_since) {
            Some(from) if from > since - BASELINE => ctx.store.pattern(of, from, since).await?,
            _ => month.clone(),
        };
        let Some(change) = compare::compare(*measure, &own, &recent) else {
            continue;
        };
        found.push(Deviation {
            of: of.clone(),
            measure: *measure,
            baseline: change.baseline,
            recent: change.recent,
            recent_since: since,
            holds_closing: change.holds_closing,
            what: change.what,
        });
    }
    Ok(found)
}
