//! Whether an effect took: one reading call, the catalogue's `read_back`; it repeats nothing. Asked before one is sent, after
//! one was sent, and when nobody can tell.

use chrono::TimeDelta;
use serde_json::{Map, Value};
use state::model::{Budget, CallOutcome, Effect, EffectDecision, Proof, Tier};
use state::store::StoreError;

use crate::ctx::Ctx;

use super::super::{Meter, Origin, Request, Subject, call};
use super::stand::{Stand, end};
use super::write_back;

/// How long after the first look the second one comes; each further wait is four times as long.
const FIRST: TimeDelta = TimeDelta::seconds(10);
/// How often an effect is looked at.
const LOOKS: i64 = 5;

/// Looks an unknown effect up and records what was seen; without a way to look it stays unknown, for a person.
pub(super) async fn look_up(
    ctx: &Ctx,
    effect: &Effect,
    why: &str,
) -> Result<(EffectDecision, String), StoreError> {
    let (decision, seen) = match seen(ctx, effect).await {
        Ok(true) => (Stand::Executed(Proof::Confirmed), SEEN.to_owned()),
        Ok(false) => (
            Stand::Unknown,
            "looked up: not seen, which does not show that it did not happen".to_owned(),
        ),
        Err(gap) => (Stand::Unknown, gap),
    };
    let reason = format!("{why}; {seen}");
    end(ctx, effect, decision, &reason).await?;
    Ok((decision.decision(), reason))
}

const SEEN: &str = "looked up: it took effect";

/// Looks once more at what was sent and not read back yet; what is seen is confirmed. Gives how many were.
///
/// # Errors
/// When the store fails.
pub async fn verify(ctx: &Ctx) -> Result<usize, StoreError> {
    let mut confirmed = 0;
    for effect in ctx.store.unproven(ctx.now(), FIRST, LOOKS).await? {
        if seen(ctx, &effect).await == Ok(true) {
            end(ctx, &effect, Stand::Executed(Proof::Confirmed), SEEN).await?;
            confirmed += 1;
        } else {
            ctx.store.looked(effect.id, ctx.now()).await?;
        }
    }
    Ok(confirmed)
}

/// Whether what an effect would do stands already, by reading it back.
///
/// # Errors
/// Why it can't be told.
pub(super) async fn seen(ctx: &Ctx, effect: &Effect) -> Result<bool, String> {
    if effect.about.alert.is_some() {
        return write_back::seen(ctx, effect).await;
    }
    read_back(ctx, effect).await
}

async fn read_back(ctx: &Ctx, effect: &Effect) -> Result<bool, String> {
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
        .map(|(name, value)| (name.clone(), filled(value, marker, effect)))
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
    Ok(match (&read_back.equals, at(&answer, &read_back.path)) {
        (Some(wanted), Some(found)) => wanted == found,
        (None, Some(found)) => !found.is_null(),
        (_, None) => false,
    })
}

/// What stands at a dotted path; the empty path is the whole.
#[must_use]
pub fn at<'v>(answer: &'v Value, path: &str) -> Option<&'v Value> {
    let mut keys = path.split('.').filter(|key| !key.is_empty());
    keys.try_fold(answer, |at, key| match at {
        Value::Array(items) => items.get(key.parse::<usize>().ok()?),
        other => other.get(key),
    })
}

/// `{{marker}}`, `{{target}}` and `{{args.NAME}}` as whole values stand for those of the effect.
fn filled(value: &Value, marker: Option<&Value>, effect: &Effect) -> Value {
    match value {
        Value::String(text) if text == "{{marker}}" => marker.cloned().unwrap_or(Value::Null),
        Value::String(text) if text == "{{target}}" => Value::String(effect.target.clone()),
        Value::String(text) => {
            let name = text
                .strip_prefix("{{args.")
                .and_then(|t| t.strip_suffix("}}"));
            let argument = name.map(|name| effect.arguments.get(name).cloned());
            argument.map_or_else(|| value.clone(), Option::unwrap_or_default)
        }
        Value::Array(items) => items.iter().map(|v| filled(v, marker, effect)).collect(),
        other => other.clone(),
    }
}
