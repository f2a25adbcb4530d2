//! Effects that were not sent, proposed again because a person wants it: ruled on anew, by what stands now.

use serde_json::{Value, json};
use state::model::{Effect, EffectDecision};
use state::store::{StoreError, Telling, Untold};

use crate::ctx::Ctx;

use super::super::{Origin, Refusal, Subject, audit};
use super::checks::{self, Ruling, Wish};
use super::propose::ask;
use super::write_back::Speaks;

/// Rules on every effect that was not sent and that a person wants again. What was sent, or may have been, never is.
///
/// # Errors
/// When the store fails.
pub async fn propose_again(ctx: &Ctx) -> Result<(), StoreError> {
    for mut effect in ctx.store.take_retries().await? {
        let mut question = None;
        effect.approval = None;
        let ruled = rule(ctx, &effect).await;
        let (decision, reason, rule) = match ruled {
            Err(refusal) => (
                EffectDecision::Denied,
                refusal.to_string(),
                Some(refusal.rule),
            ),
            Ok(Ruling::DryRun(why)) => (EffectDecision::DryRun, why.to_string(), Some(why.rule)),
            Ok(Ruling::Due) => (EffectDecision::Due, "allowed again".to_owned(), None),
            Ok(Ruling::Approval(why)) => (EffectDecision::AwaitingApproval, why, Some(6)),
        };
        (effect.decision, effect.reason) = (decision, reason);
        if decision == EffectDecision::AwaitingApproval {
            let subject = Subject::read(&ctx.store, effect.case).await?;
            question = Some(ask(ctx, &effect, subject.facts.severity));
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
        let approvals = question.map(|mut q| {
            q.effect = Some(0);
            q
        });
        let telling = Telling {
            // No change of the case: nothing is taken out of the outbox.
            untold: Untold {
                case: effect.case,
                rev: 0,
                tries: 0,
            },
            effects: vec![effect],
            approvals: approvals.into_iter().collect(),
            events: Vec::new(),
            now: ctx.now(),
        };
        ctx.store.tell(&telling).await?;
    }
    Ok(())
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
