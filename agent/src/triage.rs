//! The way of an alert: the rooms in order, and nothing else.

mod desk;

use std::sync::Arc;
use std::time::Instant;

use tokio_util::task::AbortOnDropHandle;
use tracing::{Instrument, Span};

use state::model::{
    Alert, CANARY_SOURCE, CaseId, Outcome, StepState, TimelineEvent, TimelineKind, Verdict,
};
use state::store::Recorded;

use crate::ctx::Ctx;
use crate::gate::{self, Subject};
use crate::pipeline::{self, Held};
use crate::telemetry::{Given, spans};

/// Most alerts that are taken in, and so correlated, at once.
const MOST_AT_ONCE: i64 = 1000;

/// Puts every alert that has none into a case; returns how many there were. One that can't be taken in holds up no other.
///
/// # Errors
/// When none could be taken in although there are some.
pub async fn take_in(ctx: &Ctx) -> anyhow::Result<usize> {
    let (mut taken, mut failed) = (0, None);
    let alerts = ctx.store.alerts_without_case(MOST_AT_ONCE).await?;
    let done = pipeline::intake(ctx, &alerts).await?;
    for (alert, done) in alerts.iter().zip(done) {
        match done {
            Ok(_) => taken += 1,
            Err(e) => {
                tracing::error!(
                    alert = alert.id.0,
                    error = format!("{e:#}"),
                    "an alert could not be taken in; it is tried again"
                );
                failed = Some(e);
            }
        }
    }
    match failed {
        Some(e) if taken == 0 => Err(e),
        _ => Ok(taken),
    }
}

/// Takes the next case from the queue and works it to its end; none when the queue is empty.
///
/// # Errors
/// When the case could not be worked; it is then back in the queue or with a person.
pub async fn work_next(ctx: &Arc<Ctx>) -> anyhow::Result<Option<CaseId>> {
    let Some(held) = pipeline::claim(ctx).await? else {
        return Ok(None);
    };
    let trace = ctx.config.run.traces.as_ref();
    let trace = trace.map(|_| ctx.dice.word()[..32].to_owned());
    let span = spans::case(held.case.id, trace.as_deref());
    work_held(ctx, held).instrument(span).await.map(Some)
}

/// Works a case that is ours; every log line from here names it.
async fn work_held(ctx: &Arc<Ctx>, held: Held) -> anyhow::Result<CaseId> {
    let (case, held) = (held.case.id, Arc::new(held));
    // A task of its own: a panic over one case ends that case's work and no worker.
    let task = tokio::spawn({
        let (ctx, held) = (ctx.clone(), held.clone());
        async move { work(&ctx, &held).await }.in_current_span()
    });
    let task = AbortOnDropHandle::new(task);
    let worked = tokio::select! {
        ended = task => ended.unwrap_or_else(|e| Err(anyhow::anyhow!("the work broke off: {e}"))),
        () = held.lost.cancelled() => Err(anyhow::anyhow!("the lease on {case} was lost")),
    };
    if let Err(e) = worked {
        Span::current().record("error.type", "not_worked");
        put_back(ctx, &held, &e).await?;
        return Err(e.context(format!(
            "{case} could not be worked and is back in the queue"
        )));
    }
    Ok(case)
}

async fn work(ctx: &Ctx, held: &Held) -> anyhow::Result<()> {
    let (case, began) = (&held.case, Instant::now());
    gate::end_interrupted(ctx, case.id).await?;
    if case.attempts > ctx.config.run.max_attempts {
        let why = format!(
            "a person has to look: {} attempts did not come to an end",
            case.attempts - 1
        );
        pipeline::give_up(ctx, held, &why).await?;
        return Ok(());
    }
    if may_have_acted(ctx, case.id).await? {
        let why = "a person has to look: a step that may have changed something was interrupted";
        pipeline::give_up(ctx, held, why).await?;
        return Ok(());
    }
    let alerts = ctx.store.alerts_of(case.id).await?;
    let entities = ctx.store.entities_of(case.id).await?;
    let known = ctx.store.current_verdicts(case.id).await?;
    let judged = |a: &&Alert| known.iter().all(|v| v.alert != a.id);
    let open: Vec<Alert> = alerts.iter().filter(judged).cloned().collect();
    let (verdicts, spent) = desk::judge(ctx, case, (&alerts, &known), &open, &entities).await?;
    let all: Vec<Verdict> = known.into_iter().chain(verdicts.iter().cloned()).collect();
    let subject = Subject::read(&ctx.store, case.id).await?;
    let acted = pipeline::act(ctx, &subject, &alerts, &all).await?;
    let given: Vec<Given> = verdicts
        .iter()
        .map(|v| (v.kind, v.provenance.tier, v.provenance.analyst))
        .collect();
    let recorded = pipeline::record(ctx, held, verdicts, acted, spent).await?;
    tell(ctx, case.id, &recorded, began).await;
    // A canary is counted nowhere.
    if alerts.iter().all(|a| a.source != CANARY_SOURCE) {
        ctx.guard.meters.worked(&given, began.elapsed());
    }
    Ok(())
}

/// Notes on the log and the trace what became of a case, as it is stored: a cap may have made another outcome of it.
async fn tell(ctx: &Ctx, case: CaseId, recorded: &Recorded, began: Instant) {
    let stored = ctx.store.case(case).await.ok().and_then(|c| c.outcome);
    let outcome = match recorded.requeued {
        true => "requeued",
        false => stored.map_or("unknown", Outcome::as_str),
    };
    Span::current().record("nightdesk.outcome", outcome);
    let seconds = began.elapsed().as_secs_f64();
    tracing::info!(outcome, seconds, "the case was worked");
}

/// Whether an earlier attempt began a step that is not read-only and did not end it.
async fn may_have_acted(ctx: &Ctx, case: CaseId) -> anyhow::Result<bool> {
    let runs = ctx.store.step_runs(case).await?;
    Ok(runs
        .iter()
        .any(|r| r.state == StepState::Started && !r.class.is_read_only()))
}

async fn put_back(ctx: &Ctx, held: &Held, error: &anyhow::Error) -> anyhow::Result<()> {
    let message = format!("could not be worked: {error:#}");
    let event = TimelineEvent::ours(held.case.id, ctx.now(), TimelineKind::Released, message);
    match ctx.store.release(&held.claim, ctx.now(), vec![event]).await {
        Ok(()) | Err(state::store::StoreError::LostLease { .. }) => Ok(()),
        Err(e) => Err(e.into()),
    }
}
