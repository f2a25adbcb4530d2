//! Room `poll`: source and cursor to alerts; alerts, rejects and the new cursor are one transaction.

use anyhow::Context as _;
use chrono::TimeDelta;
use mcp_clients::mappings::Rejected;
use mcp_clients::sources::{AlertSource, Origin};
use serde_json::Value;
use state::model::{Cursor, NewAlert};
use state::store::{DeadLetter, Received};

use crate::ctx::Ctx;

/// What one poll brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Polled {
    /// Alerts not seen before.
    pub new: usize,
    /// Alerts seen before.
    pub known: usize,
    /// Alerts that nobody could read, kept aside.
    pub rejected: usize,
    /// Whether the source has more right now.
    pub more: bool,
}

/// Asks a source once and stores what it gave.
///
/// # Errors
/// When the source or the store fails: then the cursor has not moved.
pub async fn poll(ctx: &Ctx, source: &mut dyn AlertSource) -> anyhow::Result<Polled> {
    let name = source.name().to_owned();
    let cursor = ctx.store.cursor(&name).await?;
    let position = cursor.map_or(Value::Null, |c| c.position);
    let polled = source.poll(&position).await;
    let batch = polled
        .inspect_err(|_| ctx.guard.meters.poll_failed(&name))
        .with_context(|| format!("source {name} could not be polled"))?;
    let moved = Cursor {
        source: name.clone(),
        position: batch.position,
    };
    let more = batch.more;
    let received = store(ctx, &name, &batch.alerts, batch.rejected, Some(&moved)).await?;
    ctx.store
        .polled(&name, patience(ctx, &name), ctx.now())
        .await?;
    Ok(Polled { more, ..received.1 })
}

/// Notes which polled sources are configured: one that never answers is silent from now on.
///
/// # Errors
/// When the store fails.
pub async fn know_sources(ctx: &Ctx) -> anyhow::Result<()> {
    let polled = ctx.config.sources.iter();
    let polled = polled.filter(|s| !matches!(s.origin, Origin::Webhook(_)));
    let known = polled.map(|s| (s.name.clone(), patience(ctx, &s.name)));
    let known: Vec<_> = known.collect();
    let noted = ctx.store.know_sources(&known, ctx.now()).await;
    noted.context("the configured sources could not be noted")
}

/// How long a source may go without a successful poll before the metrics call it a gap: three of its rounds, at least two
/// minutes.
fn patience(ctx: &Ctx, name: &str) -> TimeDelta {
    let source = ctx.config.sources.iter().find(|s| s.name == name);
    let rounds = source.and_then(|s| TimeDelta::from_std(s.every.0).ok()?.checked_mul(3));
    rounds.unwrap_or_default().max(TimeDelta::minutes(2))
}

/// Stores alerts that were pushed rather than polled.
///
/// # Errors
/// When the store fails: then nothing was accepted.
pub async fn accept(
    ctx: &Ctx,
    source: &str,
    alerts: &[NewAlert],
    rejected: Vec<Rejected>,
) -> anyhow::Result<Vec<Received>> {
    Ok(store(ctx, source, alerts, rejected, None).await?.0)
}

async fn store(
    ctx: &Ctx,
    source: &str,
    alerts: &[NewAlert],
    rejected: Vec<Rejected>,
    cursor: Option<&Cursor>,
) -> anyhow::Result<(Vec<Received>, Polled)> {
    let dead: Vec<DeadLetter> = rejected
        .into_iter()
        .map(|r| {
            tracing::warn!(source, reason = %r.reason, "an alert could not be read and is kept as a dead letter");
            DeadLetter {
                source: source.to_owned(),
                raw: r.raw.into_bytes(),
                reason: r.reason,
            }
        })
        .collect();
    let received = ctx
        .store
        .store_alerts(alerts, &dead, cursor, ctx.now())
        .await?;
    let new = received.iter().filter(|r| r.new).count();
    ctx.guard.meters.received(source, new, ctx.now());
    let polled = Polled {
        new,
        known: received.len() - new,
        rejected: dead.len(),
        more: false,
    };
    Ok((received, polled))
}
