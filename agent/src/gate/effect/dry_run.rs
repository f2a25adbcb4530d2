//! What a tool says that it would do, asked before a person is: the very call, with the one argument that makes it a dry run.

use std::time::Instant;

use mcp_clients::{ReplyKind, ToolFailure, ToolReply};
use serde_json::{Value, json};
use state::model::{CallOutcome, Effect, EffectDecision, Tier, ToolCall};
use state::store::{CallEnd, StoreError};

use crate::catalogue::{Entry, Freshness};
use crate::ctx::Ctx;
use crate::text::{defang, oneline};

use super::super::{Refusal, arguments, audit, outcome_of};

/// Longest part of an answer that a person is shown, characters.
const LONGEST: usize = 400;

/// Puts what the tool says that it would do behind the reason of an effect that a person is asked about.
pub(super) async fn show(
    ctx: &Ctx,
    entry: Option<&Entry>,
    effect: &mut Effect,
) -> Result<(), StoreError> {
    if let Some(entry) = entry
        && let Some(said) = dry_run(ctx, entry, effect).await?
    {
        effect.reason = format!("{}{SAYS}{said}", effect.reason);
    }
    Ok(())
}

/// What the tool says; none when it has no dry run. Only for a call that every check lets a person be asked about.
///
/// # Errors
/// When the call can't be recorded: then nothing was sent.
async fn dry_run(ctx: &Ctx, entry: &Entry, effect: &Effect) -> Result<Option<String>, StoreError> {
    let (Some(rule), Value::Object(given)) = (&entry.spec.effect.dry_run, &effect.arguments) else {
        return Ok(None);
    };
    if let Some(said) = said_before(ctx, effect).await? {
        return Ok(Some(said));
    }
    let mut changed = given.clone();
    changed.insert(rule.argument.clone(), rule.value.clone());
    let checked = match given.contains_key(&rule.argument) {
        true => Err(Refusal::new(5, "the call is a dry run itself")),
        false => {
            let checked = arguments::check(ctx, entry, &changed, Freshness::Now);
            checked.await.map_err(Refusal::from)
        }
    };
    if let Err(refusal) = checked {
        return Ok(Some(format!("no dry run: {refusal}")));
    }
    let began = Instant::now();
    let row = ToolCall {
        id: 0,
        case: effect.case,
        tier: Tier::Three,
        asked_by: "effect:dry-run".to_owned(),
        tool: effect.tool.clone(),
        class: effect.class,
        arguments: Value::Object(changed.clone()),
        outcome: CallOutcome::Started,
        reason: None,
        digest: None,
        started: ctx.now(),
        millis: None,
    };
    let intent = audit::intent(
        &row,
        json!({"decision": "allow", "rule": 5, "dry_run": true}),
    );
    let call = ctx.store.begin_call(&row, intent).await?;
    let answer = ctx.toolbox.call(&entry.server, &entry.tool, changed).await;
    let (outcome, said) = read(&answer);
    let millis = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
    let end = CallEnd {
        outcome,
        reason: Some(&said),
        body: answer.as_ref().ok().map(|r| r.body.as_slice()),
        millis,
        at: ctx.now(),
    };
    let entry = audit::result(&row, call, outcome, millis);
    ctx.store.end_call(call, end, entry).await?;
    Ok(Some(said))
}

/// What an equal effect that still waits was told.
async fn said_before(ctx: &Ctx, effect: &Effect) -> Result<Option<String>, StoreError> {
    let effects = ctx.store.effects_of(effect.case).await?;
    let equal = effects.iter().find(|e| {
        e.decision == EffectDecision::AwaitingApproval
            && e.tool == effect.tool
            && e.arguments == effect.arguments
    });
    let said = equal.and_then(|e| e.reason.split_once(SAYS));
    Ok(said.map(|(_, said)| said.to_owned()))
}

/// How the answer stands behind the reason of an effect.
const SAYS: &str = "; asked what it would do: ";

fn read(answer: &Result<ToolReply, ToolFailure>) -> (CallOutcome, String) {
    let shown = |text: &str| defang(&oneline(text, LONGEST));
    match answer {
        Ok(reply) => match &reply.kind {
            ReplyKind::Answer => (CallOutcome::Ok, shown(&reply.value.to_string())),
            ReplyKind::BackendError(why) => (
                CallOutcome::ToolError,
                format!("the dry run failed: {}", shown(why)),
            ),
            ReplyKind::Unknown(why) => (
                CallOutcome::Unknown,
                format!("the dry run can't be read: {}", shown(why)),
            ),
        },
        Err(failure) => (
            outcome_of(failure),
            format!("the dry run failed: {}", shown(&failure.to_string())),
        ),
    }
}
