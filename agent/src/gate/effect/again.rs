//! Effects that were not sent, proposed again because a person wants it, or because nobody could tell what a rule says when
//! they were proposed: ruled on anew, by what stands now.

use serde_json::{Value, json};
use state::model::{AskedBy, CaseStatus, Effect, EffectDecision, TimelineEvent, TimelineKind};
use state::store::{NewApproval, StoreError, Telling, Untold};

use crate::ctx::Ctx;

use super::super::{Origin, Refusal, Subject, Unsent, audit, taint};
use super::checks::{self, Ruling, Wish};
use super::propose::{EARLIER, ask};
use super::write_back::Speaks;
use super::{dry_run, elicit, hold};

/// Rules on every effect that was not sent and that a person wants again, or that was held and is due to be ruled on. What
/// was sent, or may have been, never is.
///
/// # Errors
/// When the store fails.
pub async fn propose_again(ctx: &Ctx) -> Result<(), StoreError> {
    let mut failed = None;
    for effect in ctx.store.retries(ctx.now()).await? {
        let id = effect.id;
        if let Err(error) = again(ctx, effect).await {
            tracing::error!(effect = id, %error, "an effect could not be proposed again; it is tried again");
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn again(ctx: &Ctx, mut effect: Effect) -> Result<(), StoreError> {
    let held = effect.about.held;
    let ruled = match elicit::superseded(ctx, &effect).await? {
        true => Err(Refusal::new(10, "the same call was asked about or made since").into()),
        false => rule(ctx, &effect).await,
    };
    let (decision, reason, rule) = match ruled {
        // What was held ends like what was to be sent, and is held on like it.
        Err(unsent) if held.is_some() || matches!(unsent, Unsent::CannotTell(_)) => {
            return hold::unsent(ctx, &effect, unsent).await.map(drop);
        }
        Err(unsent) => {
            let refusal = Refusal::from(unsent);
            let why = refusal.to_string();
            (EffectDecision::Denied, why, Some(refusal.rule))
        }
        Ok(Ruling::DryRun(why)) => (EffectDecision::DryRun, why.to_string(), Some(why.rule)),
        // What hangs on a server's question is asked with it: an approval without it would never count.
        Ok(_) if elicit::ask_again(ctx, &effect).await? => return Ok(()),
        Ok(Ruling::Due) => (EffectDecision::Due, "allowed".to_owned(), None),
        Ok(Ruling::Approval(why)) => (EffectDecision::AwaitingApproval, why, Some(6)),
    };
    (effect.decision, effect.reason) = (decision, reason);
    (effect.approval, effect.about.held) = (None, None);
    let question = question(ctx, &mut effect).await?;
    let record = json!({
        "kind": "effect",
        "case": effect.case,
        "effect": effect.id,
        "asked_by": if held.is_some() { "hold" } else { "person" },
        "tool": effect.tool,
        "class": effect.class,
        "target": effect.target,
        "arguments": audit::redacted(&effect.arguments),
        "decision": effect.decision,
        "rule": rule,
        "why": effect.reason,
        "digest": question.as_ref().map(NewApproval::digest),
    });
    ctx.store.append_audit(ctx.now(), &record).await?;
    let (id, name) = (effect.id, effect.name());
    let told = held.map(|_| {
        let why = format!("{name} is held no more: {decision}: {}", effect.reason);
        TimelineEvent::ours(effect.case, ctx.now(), TimelineKind::EffectProposed, why)
    });
    let telling = Telling {
        // No change of the case: nothing is taken out of the outbox.
        untold: Untold {
            case: effect.case,
            rev: 0,
            tries: 0,
        },
        effects: vec![effect],
        approvals: question.into_iter().collect(),
        events: told.into_iter().collect(),
        now: ctx.now(),
    };
    ctx.store.repropose(id, &telling).await
}

/// The question to a person, when one is needed.
async fn question(ctx: &Ctx, effect: &mut Effect) -> Result<Option<NewApproval>, StoreError> {
    if effect.decision != EffectDecision::AwaitingApproval {
        return Ok(None);
    }
    dry_run::show(ctx, ctx.catalogue.get(&effect.tool), effect).await?;
    let subject = Subject::read(&ctx.store, effect.case).await?;
    let mut asked = ask(ctx, effect, subject.facts.severity);
    asked.effect = Some(0);
    Ok(Some(asked))
}

async fn rule(ctx: &Ctx, effect: &Effect) -> Result<Ruling, Unsent> {
    let subject = Subject::read(&ctx.store, effect.case).await;
    let subject = subject.map_err(|e| Unsent::unread(4, "the case", &e))?;
    let Value::Object(arguments) = &effect.arguments else {
        return Err(Refusal::new(3, "the arguments are no object").into());
    };
    if effect.about.held.is_some() {
        still_called_for(ctx, effect).await?;
    }
    let speaks = Speaks::of(effect);
    // Who wanted it, and which of its arguments an outsider may have written, are kept with it.
    let origin = match (
        effect.about.held.map(|h| h.asked_by),
        &effect.about.untrusted,
    ) {
        (Some(AskedBy::Model), _) => Origin::Model,
        (_, Some(untrusted)) => Origin::Playbook { untrusted },
        // Kept before that was: why it was refused is all that is known.
        (_, None) if effect.reason.starts_with("rule 8") => Origin::Model,
        (Some(AskedBy::Playbook), None) => Origin::Playbook { untrusted: &[] },
        (_, None) => Origin::Daemon,
    };
    if speaks.is_none() && !effect.about.raise {
        taint::endorsed(arguments, origin, &subject.known)?;
    }
    let wish = Wish {
        subject: &subject,
        tool: &effect.tool,
        arguments,
        target: &effect.target,
        origin,
        speaks: speaks.as_ref(),
    };
    checks::ruling(ctx, wish).await
}

/// What a case called for when it was proposed is not done when the case has come to something else since; what is said of
/// a case is.
async fn still_called_for(ctx: &Ctx, effect: &Effect) -> Result<(), Unsent> {
    let says = checks::entry(ctx, &effect.tool)?.spec.effect.says;
    if says || effect.about.alert.is_some() {
        return Ok(());
    }
    if effect.about.raise {
        checks::once(ctx, effect.case, &effect.tool, &EARLIER).await?;
    }
    let case = ctx.store.case(effect.case).await;
    let case = case.map_err(|e| Unsent::unread(4, "the case", &e))?;
    let why = match case.status {
        CaseStatus::AwaitingApproval | CaseStatus::Escalated => return Ok(()),
        CaseStatus::Closed => "its case was closed since",
        CaseStatus::New | CaseStatus::Triaging => {
            "its case is worked again, and what it calls for is proposed anew"
        }
    };
    Err(Refusal::new(4, why).into())
}
