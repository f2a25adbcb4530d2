//! Exports the last week that is over, on schedule, and puts it in short for people; what is counted is the room `metrics`'.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::TimeDelta;
use state::store::metrics::MetricsExport;
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::metrics::{Report, Stretch, brief, html, report, write};
use crate::notify;
use crate::notify::card::{Digest, Post};

/// How often the schedule is looked at; it goes by what the store says was exported.
const GLANCE: Duration = Duration::from_secs(30);
/// How long an export that failed is left alone.
const LATER: Duration = Duration::from_secs(10 * 60);

/// A week that was exported.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The folder with its files.
    pub dir: PathBuf,
    /// The week in short, with the whole report as HTML.
    pub digest: Digest,
}

/// Exports on schedule until `stop`.
pub(super) async fn keep(ctx: Arc<Ctx>, stop: CancellationToken) {
    let mut pause = Duration::ZERO;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = GLANCE;
        match export_due(&ctx).await {
            Ok(Some(done)) => tracing::info!(
                week = done.digest.week,
                dir = %done.dir.display(),
                "the week's metrics are exported"
            ),
            Ok(None) => {}
            Err(e) => {
                pause = LATER;
                tracing::error!(
                    error = format!("{e:#}"),
                    "the week's metrics could not be exported; it is tried again"
                );
            }
        }
    }
}

/// Exports the week that was over when the schedule last came round, if it was not exported before. What went by before the
/// first alert does not count; however often it came round while the daemon was down, the last time makes up for all.
///
/// # Errors
/// When the store fails, a file can't be written or the schedule is none: then nothing counts as exported.
pub async fn export_due(ctx: &Ctx) -> anyhow::Result<Option<Exported>> {
    let settings = &ctx.config.people.metrics;
    let schedule = settings.schedule();
    let schedule = schedule.map_err(|why| anyhow::anyhow!("[metrics] at {why}"))?;
    let Some(first) = ctx.store.first_received().await? else {
        return Ok(None);
    };
    let now = ctx.now();
    let mut rounds = schedule.after(&(now + TimeDelta::seconds(1))).rev();
    let Some(due) = rounds.find(|at| *at <= now).filter(|at| *at > first) else {
        return Ok(None);
    };
    let week = Stretch::last_week(due, settings.time_zone)?;
    let last = ctx.store.metrics_exports(1).await?;
    if last.first().is_some_and(|last| last.until >= week.until) {
        return Ok(None);
    }
    let made = report(&ctx.store, settings, &week, now).await?;
    let dir = settings.dir.join(&week.name);
    write(&made, &settings.formats, &dir)?;
    let whole = html(&made).context("the report can't be drawn")?;
    let done = MetricsExport {
        period: week.name,
        since: week.since,
        until: week.until,
        dir: dir.display().to_string(),
        at: now,
    };
    let digest = digest(&made, Some(whole));
    // First the news, which is told once for a week, then the note that the week is done with.
    notify::tell_of(
        ctx,
        &format!("digest:{}", digest.week),
        &Post::Digest(digest.clone()),
    )
    .await?;
    ctx.store.add_metrics_export(&done).await?;
    Ok(Some(Exported { dir, digest }))
}

/// A report as people are told it; `whole` is its HTML, for notifiers that can attach it.
#[must_use]
pub fn digest(report: &Report, whole: Option<String>) -> Digest {
    let brief = brief(report);
    Digest {
        week: brief.week,
        numbers: brief.numbers,
        sections: brief.sections,
        report: whole,
    }
}
