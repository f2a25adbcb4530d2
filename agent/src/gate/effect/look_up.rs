//! Whether an effect took that nobody can tell of: one reading call, the catalogue's `read_back`; it repeats nothing.

use serde_json::{Map, Value};
use state::model::{Budget, CallOutcome, Effect, EffectDecision, Tier};
use state::store::StoreError;

use crate::ctx::Ctx;

use super::super::{Meter, Origin, Request, Subject, call};
use super::carry_out::end;

/// Looks an unknown effect up and records what was seen; without a way to look it stays unknown, for a person.
pub(super) async fn look_up(
    ctx: &Ctx,
    effect: &Effect,
    why: &str,
) -> Result<(EffectDecision, String), StoreError> {
    let (decision, seen) = match seen(ctx, effect).await {
        Ok(true) => (
            EffectDecision::Executed,
            "looked up: it took effect".to_owned(),
        ),
        Ok(false) => (
            EffectDecision::Unknown,
            "looked up: not seen, which does not show that it did not happen".to_owned(),
        ),
        Err(gap) => (EffectDecision::Unknown, gap),
    };
    let reason = format!("{why}; {seen}");
    end(ctx, effect, (decision, None), &reason).await?;
    Ok((decision, reason))
}

async fn seen(ctx: &Ctx, effect: &Effect) -> Result<bool, String> {
    let entry = ctx.catalogue.get(&effect.tool);
    let rules = entry.map(|e| &e.spec.effect);
    let Some((rules, read_back)) = rules.and_then(|r| Some((r, r.read_back.as_ref()?))) else {
        return Err(format!(
            "the catalogue names no way to look it up ([servers.….tools.….effect] read_back of `{}`)",
            effect.tool
        ));
    };
    let marker = rules
        .marker
        .as_ref()
        .and_then(|name| effect.arguments.get(name));
    let arguments: Map<String, Value> = read_back
        .arguments
        .iter()
        .map(|(name, value)| (name.clone(), filled(value, marker, &effect.target)))
        .collect();
    let subject = Subject::read(&ctx.store, effect.case).await;
    let subject = subject.map_err(|e| format!("it can't be looked up: {e}"))?;
    let meter = Meter::new(Budget::default());
    let asked_by = format!("effect:{}", effect.id);
    let request = Request {
        subject: &subject,
        tier: Tier::Three,
        asked_by: &asked_by,
        tool: &read_back.tool,
        arguments,
        as_of: ctx.now(),
        origin: Origin::Daemon,
    };
    let called = call(ctx, &meter, request).await;
    let answer = match (called.outcome, called.reply) {
        (CallOutcome::Ok, Some(reply)) => reply.value,
        _ => {
            let why = called.reason.unwrap_or_default();
            return Err(format!("it can't be looked up: {why}"));
        }
    };
    let at = read_back
        .path
        .split('.')
        .try_fold(&answer, |at, key| match at {
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            other => other.get(key),
        });
    Ok(match (&read_back.equals, at) {
        (Some(wanted), Some(found)) => wanted == found,
        (None, Some(found)) => !found.is_null(),
        (_, None) => false,
    })
}

/// `{{marker}}` and `{{target}}` as whole values stand for those of the effect.
fn filled(value: &Value, marker: Option<&Value>, target: &str) -> Value {
    match value {
        Value::String(text) if text == "{{marker}}" => marker.cloned().unwrap_or(Value::Null),
        Value::String(text) if text == "{{target}}" => Value::String(target.to_owned()),
        Value::Array(items) => items.iter().map(|v| filled(v, marker, target)).collect(),
        other => other.clone(),
    }
}
