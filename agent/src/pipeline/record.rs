//! Room `record`: verdict, outcome, status and timeline in one transaction, fenced by the lease.

use state::model::{CaseEvent, Outcome, Spent, TimelineEvent, TimelineKind, Verdict};
use state::store::{Record, Recorded};

use crate::ctx::Ctx;

use super::{Acted, Held};

/// Stores what became of a case.
///
/// # Errors
/// When the store fails or the lease was lost: then nothing is stored.
pub async fn record(
    ctx: &Ctx,
    held: &Held,
    verdicts: Vec<Verdict>,
    acted: Acted,
    spent: Spent,
) -> anyhow::Result<Recorded> {
    let now = ctx.now();
    let mut events: Vec<TimelineEvent> = verdicts
        .iter()
        .map(|v| {
            let message = format!("{} ({} %): {}", v.kind, v.confidence, v.basis.sentence);
            TimelineEvent::ours(v.case, now, TimelineKind::VerdictGiven, message)
        })
        .collect();
    events.extend(acted.events);
    let record = Record {
        claim: held.claim.clone(),
        verdicts,
        outcome: acted.outcome,
        event: acted.event,
        effects: acted.effects,
        approvals: acted.approvals,
        events,
        spent,
        now,
    };
    Ok(ctx.store.record(record).await?)
}

/// Hands a case to a person without a verdict of its own, because the daemon could not work it.
///
/// # Errors
/// When the store fails or the lease was lost.
pub async fn give_up(ctx: &Ctx, held: &Held, why: &str) -> anyhow::Result<Recorded> {
    let event = TimelineEvent::ours(held.case.id, ctx.now(), TimelineKind::Escalated, why);
    let acted = Acted {
        outcome: Outcome::Escalated,
        event: CaseEvent::Escalated,
        effects: Vec::new(),
        approvals: Vec::new(),
        events: vec![event],
    };
    record(ctx, held, Vec::new(), acted, Spent::default()).await
}
