//! The door for baselines: questions asked for no case, and kept answers read in the place of a call; making and choosing
//! them is `pipeline::baseline`'s.

use std::sync::Arc;

use mcp_clients::ToolBox as _;
use serde_json::{Map, Value, json};
use state::model::{Time, ToolClass};

use crate::catalogue::Entry;
use crate::ctx::Ctx;
use crate::playbook::rfc3339;
use crate::policy::{Asker, CallDecision, CallInput, Moment};

use super::{Called, PollBox, Refusal, Request, canonical, permit, printable};

/// Asks an internal reading tool for what is kept about an entity. It passes catalogue, pins, schema, policy and rate, and is
/// audited, as a poll is.
///
/// # Errors
/// The rule that forbids it: then nothing was sent. Rule 10 means that it may be asked later.
pub async fn ask_baseline(
    ctx: &Arc<Ctx>,
    tool: &str,
    mut arguments: Map<String, Value>,
    as_of: Time,
) -> Result<Called, Refusal> {
    let entry = internal(ctx, tool)?;
    if let Some(name) = &entry.spec.as_of {
        arguments.insert(name.clone(), json!(rfc3339(as_of)));
    }
    let input = CallInput {
        tool: tool.to_owned(),
        server: entry.server.clone(),
        class: entry.spec.class,
        tier: None,
        asked_by: Asker::Daemon,
        arguments: canonical(&Value::Object(arguments.clone())),
        target: None,
        raise: false,
        says: None,
        live: false,
        case: None,
        time: Moment::at(ctx.now()),
    };
    match ctx.guard.policy.call(&input) {
        CallDecision::Allow => {}
        CallDecision::Approval(why) | CallDecision::Deny(why) | CallDecision::CannotTell(why) => {
            return Err(Refusal::new(11, why));
        }
    }
    ctx.catalogue.take_rate(entry, ctx.now()).map_err(|who| {
        let why = format!("`{who}` has used up its calls of this minute");
        Refusal::new(10, why)
    })?;
    let answer = PollBox::for_baselines(ctx.clone())
        .call(&entry.server, &entry.tool, arguments)
        .await;
    let (outcome, reason, reply) = super::ended(answer);
    Ok(Called {
        call: None,
        outcome,
        reason,
        reply,
        digest: None,
    })
}

/// Whether a kept answer may stand in the place of a call: what could not be asked can't be read either. That it is read is
/// on record before it is.
///
/// # Errors
/// The rule that forbids it; also when it can't be recorded.
pub async fn permit_baseline(
    ctx: &Ctx,
    request: &Request<'_>,
    computed: Time,
) -> Result<(), Refusal> {
    let decision = decide(ctx, request);
    let entry = json!({
        "kind": "baseline",
        "case": request.subject.case,
        "tier": request.tier,
        "asked_by": request.asked_by,
        "tool": printable(request.tool),
        "computed": rfc3339(computed),
        "decision": if decision.is_ok() { "allow" } else { "deny" },
        "rule": decision.as_ref().map_or_else(|r| r.rule, |()| 1),
        "why": decision.as_ref().err().map(|r| &r.why),
    });
    let recorded = ctx.store.append_audit(ctx.now(), &entry).await;
    recorded.map_err(|e| Refusal::new(12, format!("the reading could not be recorded: {e}")))?;
    decision
}

fn decide(ctx: &Ctx, request: &Request<'_>) -> Result<(), Refusal> {
    let entry = internal(ctx, request.tool)?;
    if !entry.spec.tiers.contains(&request.tier) {
        let why = format!("`{}` is not allowed at tier {}", request.tool, request.tier);
        return Err(Refusal::new(1, why));
    }
    permit::by_policy(ctx, entry, request)
}

/// The tool, if it is an enabled, internal, reading one.
fn internal<'c>(ctx: &'c Ctx, tool: &str) -> Result<&'c Entry, Refusal> {
    let entry = ctx.catalogue.get(tool);
    let entry = entry.filter(|e| e.spec.enabled && e.spec.class == ToolClass::ReadInternal);
    entry.ok_or_else(|| {
        let why = format!(
            "`{}` is not an enabled read_internal tool of the catalogue",
            printable(tool)
        );
        Refusal::new(1, why)
    })
}
