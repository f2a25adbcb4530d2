//! Outside effects: they are recorded as proposed and shown, never sent from here.

use serde_json::{Map, Value, json};
use state::model::{CaseId, Effect, EffectDecision, Entity, Time};

use crate::catalogue::Entry;
use crate::ctx::Ctx;

use super::{arguments, canonical};

/// One wish for an outside effect.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    /// Case.
    pub case: CaseId,
    /// `server.tool`.
    pub tool: &'a str,
    /// Arguments.
    pub arguments: Map<String, Value>,
    /// Entity it would touch; empty when it only raises.
    pub target: &'a str,
    /// D3FEND id.
    pub d3fend: Option<&'a str>,
    /// The case's entities.
    pub entities: &'a [Entity],
    /// When.
    pub at: Time,
}

/// Decides on a proposal and records the decision in the audit chain; nothing is sent.
///
/// # Errors
/// When the decision can't be recorded: then there is no effect to speak of.
pub async fn propose(
    ctx: &Ctx,
    proposal: Proposal<'_>,
) -> Result<Option<Effect>, state::store::StoreError> {
    let Some(entry) = ctx.catalogue.get(proposal.tool) else {
        return Ok(None);
    };
    let (decision, reason) = decide(ctx, entry, &proposal).await;
    let effect = Effect {
        case: proposal.case,
        tool: proposal.tool.to_owned(),
        class: entry.spec.class,
        target: proposal.target.to_owned(),
        arguments: canonical(&Value::Object(proposal.arguments)),
        decision,
        reason,
        approval: None,
        raise: entry.spec.raise,
        d3fend: proposal.d3fend.map(str::to_owned),
        at: proposal.at,
    };
    let record = json!({
        "kind": "effect",
        "case": effect.case,
        "tool": effect.tool,
        "class": effect.class,
        "target": effect.target,
        "arguments": super::audit::redacted(&effect.arguments),
        "decision": effect.decision,
        "why": effect.reason,
    });
    ctx.store.append_audit(proposal.at, &record).await?;
    Ok(Some(effect))
}

async fn decide(ctx: &Ctx, entry: &Entry, proposal: &Proposal<'_>) -> (EffectDecision, String) {
    if let Err(refusal) = arguments::check(ctx, entry, &proposal.arguments).await {
        return (EffectDecision::Denied, refusal.to_string());
    }
    let wanted = proposal.target.to_lowercase();
    let trusted = |e: &&Entity| e.trust.is_usable_for_closing() && e.key() == wanted;
    if !entry.spec.raise && !proposal.entities.iter().any(|e| trusted(&e)) {
        let why = "rule 4: the target is not an entity of this case's trusted fields";
        return (EffectDecision::Denied, why.to_owned());
    }
    if !entry.spec.raise
        && let Some(pattern) = ctx.config.protection.covers(proposal.target)
    {
        return (
            EffectDecision::Denied,
            format!("rule 4: the target is protected by `{pattern}`"),
        );
    }
    let why = "rule 5: dry run; recorded and shown, not sent";
    (EffectDecision::DryRun, why.to_owned())
}
