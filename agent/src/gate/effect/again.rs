//! Effects that were not sent, proposed again because a person wants it: ruled on anew, by what stands now.

use serde_json::{Value, json};
use state::model::{Effect, EffectDecision};
use state::store::{StoreError, Telling, Untold};

use crate::ctx::Ctx;

use super::super::{Origin, Refusal, Subject, audit};
use super::checks::{self, Ruling, Wish};
use super::elicit;
use super::propose::ask;
use super::write_back::Speaks;

/// Rules on every effect that was not sent and that a person wants again. What was sent, or may have been, never is.
///
/// # Errors
/// When the store fails.
pub async fn propose_again(ctx: &Ctx) -> Result<(), StoreError> {
    let mut failed = None;
    for effect in ctx.store.retries().await? {
        let id = effect.id;
        if let Err(error) = again(ctx, effect).await {
            tracing::error!(effect = id, %error, "an effect could not be proposed again; it is tried again");
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn again(ctx: &Ctx, mut effect: Effect) -> Result<(), StoreError> {
    let mut question = None;
    effect.approval = None;
    let ruled = match elicit::superseded(ctx, &effect).await? {
        true => Err(Refusal::new(
            10,
            "the same call was asked about or made since",
        )),
        false => rule(ctx, &effect).await,
    };
    let (decision, reason, rule) = match ruled {
        Err(refusal) => (
            EffectDecision::Denied,
            refusal.to_string(),
            Some(refusal.rule),
        ),
        Ok(Ruling::DryRun(why)) => (EffectDecision::DryRun, why.to_string(), Some(why.rule)),
        // What hangs on a server's question is asked with it: an approval without it would never count.
        Ok(_) if elicit::ask_again(ctx, &effect).await? => return Ok(()),
        Ok(Ruling::Due) => (EffectDecision::Due, "allowed again".to_owned(), None),
        Ok(Ruling::Approval(why)) => (EffectDecision::AwaitingApproval, why, Some(6)),
    };
    (effect.decision, effect.reason) = (decision, reason);
    if decision == EffectDecision::AwaitingApproval {
        let subject = Subject::read(&ctx.store, effect.case).await?;
        let mut asked = ask(ctx, &effect, subject.facts.severity);
        asked.effect = Some(0);
        question = Some(asked);
    }
    let record = json!({
        "kind": "effect",
        "case": effect.case,
        "effect": effect.id,
        "asked_by": "person",
        "tool": effect.tool,
        "class": effect.class,
        "target": effect.target,
        "arguments": audit::redacted(&effect.arguments),
        "decision": effect.decision,
        "rule": rule,
        "why": effect.reason,
        "digest": question.as_ref().map(state::store::NewApproval::digest),
    });
    ctx.store.append_audit(ctx.now(), &record).await?;
    let id = effect.id;
    let telling = Telling {
        // No change of the case: nothing is taken out of the outbox.
        untold: Untold {
            case: effect.case,
            rev: 0,
            tries: 0,
        },
        effects: vec![effect],
        approvals: question.into_iter().collect(),
        events: Vec::new(),
        now: ctx.now(),
    };
    ctx.store.repropose(id, &telling).await
}

async fn rule(ctx: &Ctx, effect: &Effect) -> Result<Ruling, Refusal> {
    let subject = Subject::read(&ctx.store, effect.case).await;
    let subject = subject.map_err(|e| Refusal::new(4, format!("the case can't be read: {e}")))?;
    let Value::Object(arguments) = &effect.arguments else {
        return Err(Refusal::new(3, "the arguments are no object"));
    };
    let speaks = Speaks::of(effect);
    let wish = Wish {
        subject: &subject,
        tool: &effect.tool,
        arguments,
        target: &effect.target,
        // Its arguments were endorsed when it was first proposed.
        origin: Origin::Daemon,
        speaks: speaks.as_ref(),
    };
    checks::ruling(ctx, wish).await
}
