//! What a reading call must pass before it is sent: rules 1, 2, 3, 7, 8, 10 and 11; recording and sending are the gate's.

use serde_json::{Map, Value, json};
use state::model::ToolClass;

use crate::catalogue::{Entry, Freshness};
use crate::ctx::Ctx;
use crate::playbook::rfc3339;
use crate::policy::{CallDecision, CallInput, Moment};

use super::{Meter, Refusal, Request, arguments, canonical, printable, taint};

/// A call that passed every check.
#[derive(Debug)]
pub struct Permit {
    /// Server.
    pub server: String,
    /// Tool at the server.
    pub tool: String,
    /// Arguments as they are sent.
    pub arguments: Map<String, Value>,
}

/// Decides on a reading call. Nothing is sent and nothing is stored.
///
/// # Errors
/// The first rule that forbids it; an error in a check is a refusal by its rule.
pub async fn permit(ctx: &Ctx, meter: &Meter, request: &Request<'_>) -> Result<Permit, Refusal> {
    let entry = ctx.catalogue.get(request.tool);
    let mut arguments = request.arguments.clone();
    if let Some(name) = entry.and_then(|e| e.spec.as_of.as_ref()) {
        arguments.insert(name.clone(), json!(rfc3339(request.as_of)));
    }
    // By what would be sent: another wish for an argument that the daemon fills in makes it no other call.
    meter.take_call(request.tool, &canonical(&Value::Object(arguments.clone())))?;
    let entry = entry.ok_or_else(|| {
        let why = format!("`{}` is not in the catalogue", printable(request.tool));
        Refusal::new(1, why)
    })?;
    let name = request.tool;
    if !entry.spec.enabled {
        return Err(Refusal::new(1, format!("`{name}` is not enabled")));
    }
    if !entry.spec.tiers.contains(&request.tier) {
        let why = format!("`{name}` is not allowed at tier {}", request.tier);
        return Err(Refusal::new(1, why));
    }
    if !entry.spec.class.is_read_only() {
        let class = entry.spec.class;
        return Err(Refusal::new(
            6,
            format!("`{name}` is {class}: it can only be proposed"),
        ));
    }
    arguments::check(ctx, entry, &arguments, Freshness::Settled).await?;
    if entry.spec.class == ToolClass::ReadEgress {
        taint::endorsed(&request.arguments, request.origin, &request.subject.known)?;
        taint::no_secret_was_read(ctx, request.subject.case).await?;
    }
    by_policy(ctx, entry, request)?;
    ctx.catalogue.take_rate(entry, ctx.now()).map_err(|who| {
        let why = format!("`{who}` has used up its calls of this minute");
        Refusal::new(10, why)
    })?;
    Ok(Permit {
        server: entry.server.clone(),
        tool: entry.tool.clone(),
        arguments,
    })
}

/// Rule 11: the policy may forbid a reading call; one that wants an approval for it can't have one, so that is a refusal.
pub(super) fn by_policy(ctx: &Ctx, entry: &Entry, request: &Request<'_>) -> Result<(), Refusal> {
    let input = CallInput {
        tool: request.tool.to_owned(),
        server: entry.server.clone(),
        class: entry.spec.class,
        tier: Some(request.tier),
        asked_by: request.origin.asker(),
        arguments: canonical(&Value::Object(request.arguments.clone())),
        target: None,
        raise: false,
        says: None,
        live: false,
        case: Some(request.subject.facts.clone()),
        time: Moment::at(ctx.now()),
    };
    match ctx.guard.policy.call(&input) {
        CallDecision::Allow => Ok(()),
        CallDecision::Approval(why) | CallDecision::Deny(why) | CallDecision::CannotTell(why) => {
            Err(Refusal::new(11, why))
        }
    }
}
