//! What becomes of an effect that may not be sent: a rule that says no ends it; one of which nobody can tell what it says,
//! or that says no for this hour, holds it, and it is ruled on again until its time is over. The same for what was
//! approved, what is only due, and what was just proposed.

use chrono::TimeDelta;
use serde_json::json;
use state::model::{AskedBy, Effect, EffectDecision, Held, Time};
use state::store::{EffectHold, StoreError, wait_after};

use crate::ctx::Ctx;
use crate::playbook::rfc3339;

use super::super::{Origin, Refusal, Unsent};
use super::stand::{Stand, end};

/// How long an effect is held that rests on no approval; one that does is held until that runs out.
const LONGEST: TimeDelta = TimeDelta::hours(24);
/// The longest wait of one that rests on an approval: that runs out.
const SOON: TimeDelta = TimeDelta::minutes(5);

/// How an effect is held that was just proposed.
pub(super) fn first(ctx: &Ctx, origin: Origin<'_>) -> Held {
    let since = ctx.now();
    Held {
        since,
        tries: 1,
        next: since + wait_after(1),
        asked_by: origin.asked_by(),
    }
}

/// Holds or denies an effect that may not be sent; where it stands then, and why.
///
/// # Errors
/// When the store fails: then it stands where it stood.
pub(super) async fn unsent(
    ctx: &Ctx,
    effect: &Effect,
    unsent: Unsent,
) -> Result<(EffectDecision, String), StoreError> {
    let refusal = match unsent {
        Unsent::Refused(refusal) => refusal,
        Unsent::CannotTell(gap) => {
            let until = until(ctx, effect).await?;
            match ctx.now() < until {
                true => return hold(ctx, effect, &gap, until).await,
                false => given_up(effect, &gap, until),
            }
        }
    };
    ctx.guard.meters.refused(refusal.rule);
    let why = refusal.to_string();
    end(ctx, effect, Stand::Denied(refusal.rule), &why).await?;
    Ok((EffectDecision::Denied, why))
}

/// When it is given up.
async fn until(ctx: &Ctx, effect: &Effect) -> Result<Time, StoreError> {
    match effect.approval.filter(|_| rests_on_approval(effect)) {
        Some(id) => Ok(ctx.store.approval(id).await?.expires),
        None => Ok(effect.about.held.map_or(ctx.now(), |h| h.since) + LONGEST),
    }
}

fn rests_on_approval(effect: &Effect) -> bool {
    effect.decision == EffectDecision::Due && effect.approval.is_some()
}

fn given_up(effect: &Effect, gap: &Refusal, until: Time) -> Refusal {
    let tries = effect.about.held.map_or(0, |h| h.tries) + 1;
    let over = match rests_on_approval(effect) {
        true => "its approval has run out",
        false => "it is given up",
    };
    let why = format!(
        "{}; asked {tries} times until {}, and {over}",
        gap.why,
        rfc3339(until)
    );
    Refusal::new(gap.rule, why)
}

async fn hold(
    ctx: &Ctx,
    effect: &Effect,
    gap: &Refusal,
    until: Time,
) -> Result<(EffectDecision, String), StoreError> {
    ctx.guard.meters.refused(gap.rule);
    let (now, reason) = (ctx.now(), gap.to_string());
    let before = effect.about.held;
    let tries = before.map_or(0, |h| h.tries) + 1;
    let wait = match rests_on_approval(effect) {
        true => wait_after(tries).min(SOON),
        false => wait_after(tries),
    };
    let held = Held {
        since: before.map_or(now, |h| h.since),
        tries,
        next: (now + wait).min(until),
        asked_by: before.map_or(AskedBy::Daemon, |h| h.asked_by),
    };
    let entry = json!({
        "kind": "effect_held",
        "case": effect.case,
        "effect": effect.id,
        "tool": effect.tool,
        "target": effect.target,
        "decision": "held",
        "rule": gap.rule,
        "why": reason,
        "tries": tries,
        "next": rfc3339(held.next),
    });
    let hold = EffectHold {
        effect: effect.id,
        held,
        reason: &reason,
        at: now,
    };
    ctx.store.hold_effect(hold, &entry).await?;
    let decision = match effect.decision {
        EffectDecision::Due => EffectDecision::Due,
        _ => EffectDecision::Denied,
    };
    Ok((decision, reason))
}
