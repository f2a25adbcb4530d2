//! Keeps people told: fills and empties the outbox of every notifier until the daemon stops; a notifier that is down holds up no other.

use std::sync::Arc;
use std::time::Duration;

use state::model::{Severity, Time};
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::notify::card::Notice;
use crate::notify::{self, Looked, Marks, Notifier};
use crate::text::oneline;

/// How soon people are told of something.
const BEAT: Duration = Duration::from_secs(2);

/// Tells people through one notifier until `stop`.
pub(super) async fn keep(ctx: Arc<Ctx>, notifier: Arc<dyn Notifier>, stop: CancellationToken) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut marks = Marks::default();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = beat.tick() => {}
        }
        loop {
            match tell_on(&ctx, &*notifier, &mut marks).await {
                // There may be more.
                Ok(told) if told.sent > 0 && !stop.is_cancelled() => {}
                Ok(_) => break,
                Err(e) => {
                    tracing::error!(
                        notifier = notifier.name(),
                        error = format!("{e:#}"),
                        "the outbox could not be worked; it is tried again"
                    );
                    break;
                }
            }
        }
    }
}

/// Tells people once what they are to be told now, looking at everything.
///
/// # Errors
/// When the store fails.
pub async fn tell(ctx: &Ctx, notifier: &dyn Notifier) -> anyhow::Result<usize> {
    let told = tell_on(ctx, notifier, &mut Marks::default()).await?;
    Ok(told.sent)
}

/// What a round has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Posts that people see since.
    pub sent: usize,
    /// What it has looked at.
    pub looked: Looked,
}

/// Tells people once what has changed since the round before, which left these marks, and what has come due.
///
/// # Errors
/// When the store fails; the next round makes up for it.
pub async fn tell_on(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    marks: &mut Marks,
) -> anyhow::Result<Told> {
    notify::notice_watches(ctx).await?;
    let looked = notify::compose(ctx, notifier, marks).await?;
    let sent = notify::deliver(ctx, notifier, marks).await?;
    Ok(Told { sent, looked })
}

/// Failed polls in a row after which people are told: a source that says nothing looks like a quiet day.
const SILENT: u32 = 3;

/// How long one source has not answered.
pub(super) struct Silence {
    source: String,
    failed: u32,
    since: Option<Time>,
}

impl Silence {
    pub(super) fn of(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            failed: 0,
            since: None,
        }
    }

    /// It answered.
    pub(super) fn ended(&mut self) {
        (self.failed, self.since) = (0, None);
    }

    /// It did not; people are told once of a silence.
    pub(super) async fn failed(&mut self, ctx: &Ctx, why: &str) {
        self.failed += 1;
        let since = *self.since.get_or_insert_with(|| ctx.now());
        if self.failed < SILENT {
            return;
        }
        let notice = Notice {
            severity: Severity::High,
            title: format!("source {} does not answer", self.source),
            text: format!(
                "No alerts have come from it since {}: {}. The cursor stays, nothing is lost; `nightdesk check` tries it.",
                since.format("%Y-%m-%d %H:%M:%SZ"),
                oneline(why, 300)
            ),
        };
        let key = format!("silence:{}:{}", self.source, since.timestamp());
        if let Err(e) = notify::note(ctx, &key, notice).await {
            tracing::error!(
                source = self.source,
                error = format!("{e:#}"),
                "the notice of a silent source could not be stored"
            );
        }
    }
}
