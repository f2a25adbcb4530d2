//! Every rule that a call which changes something must pass, when it is proposed and again when it is sent.

use serde_json::{Map, Value};
use state::model::{CaseId, EffectDecision, Entity, Switch, Tier, ToolClass};

use crate::catalogue::{Entry, Freshness};
use crate::config::matching;
use crate::ctx::Ctx;
use crate::policy::{CallDecision, CallInput, Moment};

use super::super::stop::goes_on;
use super::super::{Origin, Refusal, Subject, Unsent, arguments, canonical, printable, taint};
use super::write_back::{self, Speaks};

/// A call that would change something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish<'a> {
    pub(super) subject: &'a Subject,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a Map<String, Value>,
    /// Entity it would touch; empty when it only raises.
    pub(super) target: &'a str,
    /// Who chose the arguments.
    pub(super) origin: Origin<'a>,
    /// The alert it speaks of at the alert's source, when it does.
    pub(super) speaks: Option<&'a Speaks>,
}

/// What follows for a call that no rule forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It is recorded and shown, and not sent; which switch keeps it back, by which rule.
    DryRun(Refusal),
    /// A person must approve it; why.
    Approval(String),
    /// It may be sent.
    Due,
}

/// The catalogue's entry for a tool that changes something, switched on or not.
///
/// # Errors
/// Rule 1.
pub(super) fn entry<'c>(ctx: &'c Ctx, tool: &str) -> Result<&'c Entry, Refusal> {
    let entry = ctx
        .catalogue
        .get(tool)
        .ok_or_else(|| Refusal::new(1, format!("`{}` is not in the catalogue", printable(tool))))?;
    if entry.spec.class.is_read_only() {
        return Err(Refusal::new(1, format!("`{tool}` reads: it is no action")));
    }
    Ok(entry)
}

/// Rules on a wish: 1 to 4, 6, 7 and 11; the approval itself and the budgets are held where it is sent.
///
/// # Errors
/// The first rule that forbids it, or of which nobody can tell whether it does.
pub(super) async fn ruling(ctx: &Ctx, wish: Wish<'_>) -> Result<Ruling, Unsent> {
    let entry = entry(ctx, wish.tool)?;
    arguments::check(ctx, entry, wish.arguments, Freshness::Now).await?;
    let says = match wish.speaks {
        Some(speaks) => {
            let asked = (wish.subject, wish.arguments);
            Some(write_back::holds(ctx, entry, asked, speaks).await?)
        }
        None => {
            target(ctx, entry, &wish)?;
            None
        }
    };
    technique(entry, wish.arguments)?;
    let asked = by_policy(ctx, entry, (&wish, says)).await?;
    if let Some((rule, switch)) = switched_off(ctx, entry) {
        let why = format!("dry run, since {switch}; recorded and shown, not sent");
        return Ok(Ruling::DryRun(Refusal::new(rule, why)));
    }
    if entry.spec.effect.needs_elicitation == Some(true) {
        let why = format!(
            "the server of `{}` takes a client that can't be asked for one that consents: it is not called live until [servers.{}.tools.{}.effect] needs_elicitation = false",
            wish.tool, entry.server, entry.tool
        );
        return Err(Refusal::new(6, why).into());
    }
    goes_on(ctx, Switch::Effects).await?;
    match entry.spec.class {
        // What the gate or a person has closed is said to be closed.
        ToolClass::Suppress if wish.speaks.is_some() => {
            Ok(asked.map_or(Ruling::Due, Ruling::Approval))
        }
        ToolClass::Destructive | ToolClass::Suppress => {
            let why = format!("a {} action needs a person", entry.spec.class);
            Ok(Ruling::Approval(why))
        }
        _ => Ok(asked.map_or(Ruling::Due, Ruling::Approval)),
    }
}

/// The first switch that keeps a live effect back, with the rule it stands for.
fn switched_off(ctx: &Ctx, entry: &Entry) -> Option<(u8, String)> {
    let tool = format!("servers.{}.tools.{}", entry.server, entry.tool);
    if !entry.spec.enabled {
        return Some((1, format!("[{tool}] enabled is false")));
    }
    if !entry.spec.tiers.contains(&Tier::Three) {
        return Some((1, format!("[{tool}] tiers does not hold 3")));
    }
    if !ctx.config.effects.live {
        return Some((5, "[effects] live is false".to_owned()));
    }
    (!entry.spec.effect.live).then(|| (5, format!("[{tool}.effect] live is false")))
}

/// Rule 4: what is acted on is a trusted entity of this very case, in the allowlist, and not protected.
fn target(ctx: &Ctx, entry: &Entry, wish: &Wish<'_>) -> Result<(), Refusal> {
    let (effect, refuse) = (&entry.spec.effect, |why: String| Err(Refusal::new(4, why)));
    if effect.raise {
        return Ok(());
    }
    let Some(argument) = &effect.target else {
        return refuse(format!(
            "the catalogue does not say which argument of `{}` names what it acts on",
            wish.tool
        ));
    };
    let named = wish.arguments.get(argument).and_then(Value::as_str);
    if wish.target.is_empty() || named != Some(wish.target) {
        return refuse(format!(
            "the argument `{argument}` is not the target it is for"
        ));
    }
    let spelled = |e: &Entity| taint::spellings(&e.value).iter().any(|s| s == wish.target);
    let is_it = |e: &Entity| e.trust.is_usable_for_closing() && spelled(e);
    if !wish.subject.entities.iter().any(is_it) {
        return refuse("the target is not an entity of this case's trusted fields".to_owned());
    }
    if let Some(pattern) = ctx.config.protection.covers(wish.target) {
        return refuse(format!("the target is protected by `{pattern}`"));
    }
    if matching(&effect.allow, wish.target).is_none() {
        return refuse(format!(
            "the target is not in the allowlist: [servers.{}.tools.{}.effect] allow",
            entry.server, entry.tool
        ));
    }
    Ok(())
}

/// Rule 10: a case raises attention once with a tool: a second ticket on the same case tells nobody more.
pub(super) async fn once(
    ctx: &Ctx,
    case: CaseId,
    tool: &str,
    earlier: &[EffectDecision],
) -> Result<(), Unsent> {
    let effects = ctx.store.effects_of(case).await;
    let effects = effects.map_err(|e| Unsent::unread(10, "earlier effects", &e))?;
    let first = effects
        .iter()
        .find(|e| e.tool == tool && earlier.contains(&e.decision));
    first.map_or(Ok(()), |first| {
        let why = format!("`{tool}` was used for {case} before (effect {})", first.id);
        Err(Refusal::new(10, why).into())
    })
}

/// Rule 7: an offensive tool runs only the techniques that the operator lists.
fn technique(entry: &Entry, arguments: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(rule) = &entry.spec.effect.techniques else {
        return Ok(());
    };
    let named = arguments.get(&rule.argument).and_then(Value::as_str);
    if named.is_some_and(|t| rule.allow.iter().any(|a| a == t)) {
        return Ok(());
    }
    let why = format!("`{}` may run {} only", entry.name(), rule.allow.join(", "));
    Err(Refusal::new(7, why))
}

/// Rule 11: the policy may forbid it or ask for a person; it drops nothing that the design demands.
async fn by_policy(
    ctx: &Ctx,
    entry: &Entry,
    asked: (&Wish<'_>, Option<&'static str>),
) -> Result<Option<String>, Unsent> {
    let (wish, says) = asked;
    let input = CallInput {
        tool: wish.tool.to_owned(),
        server: entry.server.clone(),
        class: entry.spec.class,
        tier: Some(Tier::Three),
        asked_by: wish.origin.asker(),
        arguments: canonical(&Value::Object(wish.arguments.clone())),
        target: (!wish.target.is_empty()).then(|| wish.target.to_owned()),
        raise: says.is_none() && entry.spec.effect.raise,
        says,
        live: ctx.config.effects.live && entry.spec.effect.live,
        case: Some(wish.subject.facts.clone()),
        time: Moment::at(ctx.now()),
    };
    match ctx.guard.policy.call(&input) {
        CallDecision::Allow => Ok(None),
        CallDecision::Approval(why) => Ok(Some(why)),
        CallDecision::Deny(why) => Err(Refusal::new(11, why).into()),
        CallDecision::CannotTell(why) => Err(Unsent::cannot_tell(11, why)),
    }
}
