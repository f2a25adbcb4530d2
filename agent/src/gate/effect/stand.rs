//! Where an effect stands and how that is noted: in the store, the audit chain and the timeline; whether it is sent is
//! decided elsewhere.

use mcp_clients::{Heard, ReplyKind, ToolFailure, ToolReply};
use serde_json::{Value, json};
use state::model::{CallOutcome, Effect, EffectDecision, Proof};
use state::store::{EffectEnd, StoreError};

use crate::ctx::Ctx;
use crate::text::{defang, oneline};

use super::super::outcome_of;

/// Where an effect ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// It took, or the tool says so; how well that is known.
    Executed(Proof),
    /// Refused, by the rule of this number.
    Denied(u8),
    /// Not sent.
    Failed,
    /// Nobody can tell.
    Unknown,
}

impl Stand {
    pub(super) fn decision(self) -> EffectDecision {
        match self {
            Self::Executed(_) => EffectDecision::Executed,
            Self::Denied(_) => EffectDecision::Denied,
            Self::Failed => EffectDecision::Failed,
            Self::Unknown => EffectDecision::Unknown,
        }
    }

    fn proof(self) -> Option<Proof> {
        match self {
            Self::Executed(proof) => Some(proof),
            Self::Denied(_) | Self::Failed | Self::Unknown => None,
        }
    }
}

/// Notes where an effect stands.
pub(super) async fn end(
    ctx: &Ctx,
    effect: &Effect,
    stand: Stand,
    why: &str,
) -> Result<(), StoreError> {
    let (ended, entry) = noted(ctx, effect, stand, why);
    ctx.store.end_effect(ended, &entry).await
}

/// What is noted of it: for the store, and for the audit chain.
pub(super) fn noted<'w>(
    ctx: &Ctx,
    effect: &Effect,
    stand: Stand,
    why: &'w str,
) -> (EffectEnd<'w>, Value) {
    let rule = match stand {
        Stand::Denied(rule) => Some(rule),
        Stand::Executed(_) | Stand::Failed | Stand::Unknown => None,
    };
    let (decision, proof) = (stand.decision(), stand.proof());
    let entry = json!({
        "kind": "effect_end",
        "case": effect.case,
        "effect": effect.id,
        "tool": effect.tool,
        "target": effect.target,
        "decision": decision,
        "proof": proof,
        "rule": rule,
        "why": why,
    });
    let ended = EffectEnd {
        effect: effect.id,
        decision,
        proof,
        reason: why,
        at: ctx.now(),
    };
    (ended, entry)
}

/// What an answer says of the effect. Whatever a server says after it was declined: nobody can tell what it did.
pub(super) fn read(heard: &Heard) -> (CallOutcome, Stand, String) {
    let (outcome, stand, reason) = read_reply(&heard.reply);
    let Some(question) = heard.declined.first() else {
        return (outcome, stand, reason);
    };
    let said = defang(&oneline(&question.message, 200));
    let reason = format!("its server asked «{said}» and was declined; {reason}");
    (outcome, Stand::Unknown, reason)
}

/// Real servers report failure after a write that was applied: that is unknown.
fn read_reply(answer: &Result<ToolReply, ToolFailure>) -> (CallOutcome, Stand, String) {
    use Stand as D;
    match answer {
        Ok(reply) => match &reply.kind {
            ReplyKind::Answer => (
                CallOutcome::Ok,
                D::Executed(Proof::Requested),
                "the tool says it is done".to_owned(),
            ),
            ReplyKind::BackendError(why) => (CallOutcome::ToolError, D::Unknown, why.clone()),
            ReplyKind::Unknown(why) => (CallOutcome::Unknown, D::Unknown, why.clone()),
        },
        Err(failure) if failure.may_have_run() => {
            (outcome_of(failure), D::Unknown, failure.to_string())
        }
        Err(failure) => (outcome_of(failure), D::Failed, failure.to_string()),
    }
}
