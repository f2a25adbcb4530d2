//! Room `record`: verdict, outcome, status and timeline in one transaction, fenced by the lease.

use state::model::{CaseEvent, Outcome, Spent, TimelineEvent, TimelineKind, Verdict};
use state::store::{Record, Recorded, StoreError};

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
    let told = events.len();
    events.extend(acted.events);
    let mut record = Record {
        claim: held.claim.clone(),
        verdicts,
        outcome: acted.outcome,
        event: acted.event,
        effects: acted.effects,
        approvals: acted.approvals,
        events,
        close_cap: ctx.config.closing.cap(),
        spent,
        now,
    };
    match ctx.store.record(record.clone()).await {
        // Others have closed meanwhile: this one goes to a person.
        Err(e @ StoreError::CapReached { .. }) => {
            let case = held.claim.case;
            (record.outcome, record.event) = (Outcome::Escalated, CaseEvent::Escalated);
            record.events.truncate(told);
            record.events.push(TimelineEvent::ours(
                case,
                now,
                TimelineKind::Escalated,
                e.to_string(),
            ));
            Ok(ctx.store.record(record).await?)
        }
        recorded => Ok(recorded?),
    }
}

/// Hands a case to a person without a verdict of its own, because the daemon could not work it.
///
/// # Errors
/// When the store fails or the lease was lost.
pub async fn give_up(ctx: &Ctx, held: &Held, why: &str) -> anyhow::Result<Recorded> {
    let event = TimelineEvent::ours(held.case.id, ctx.now(), TimelineKind::Escalated, why);
    record(
        ctx,
        held,
        Vec::new(),
        Acted::escalated(vec![event]),
        Spent::default(),
    )
    .await
}
