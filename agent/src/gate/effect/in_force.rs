//! Whether the approval that an effect rests on is in force when it is sent; whether one is needed is asked elsewhere.

use state::model::{Answered, Approval, ApprovalState, Effect};
use state::store::StoreError;

use crate::ctx::Ctx;

use super::super::Refusal;
use super::binding::effect_binding;

/// The approval of exactly this action under the rules in force, by somebody who may still give it.
pub(super) async fn approved(ctx: &Ctx, effect: &Effect) -> Result<(i64, String), Refusal> {
    let refuse = |why: String| Refusal::new(6, why);
    let id = effect
        .approval
        .ok_or_else(|| refuse("it needs an approval and has none".to_owned()))?;
    let asked = ctx.store.approval(id).await;
    let asked = asked.map_err(|e| refuse(format!("its approval can't be read: {e}")))?;
    if asked.state != ApprovalState::Approved || ctx.now() > asked.expires {
        return Err(refuse(format!("approval {id} is not in force")));
    }
    let nonce = asked.binding["nonce"].as_str().unwrap_or_default();
    let question = ctx.store.elicitation_of(effect.id).await;
    let question = question.map_err(|e| refuse(format!("its question can't be read: {e}")))?;
    let question = question.as_ref().map(|q| q.digest.as_str());
    let bound = effect_binding(ctx, effect, (asked.expires, nonce), question);
    let digest = state::store::binding_digest(&bound);
    if nonce.is_empty() || asked.binding != bound || asked.digest != digest {
        let why = format!(
            "approval {id} was given for another action, definition or policy than this is now"
        );
        return Err(refuse(why));
    }
    standing(ctx, &asked).await.map_err(refuse)?;
    Ok((id, digest))
}

/// Whether everybody who said yes may still say so, and they are enough.
async fn standing(ctx: &Ctx, asked: &Approval) -> Result<(), String> {
    let cant = |e: StoreError| format!("who approved it can't be read: {e}");
    let votes = ctx.store.votes_of(asked.id).await.map_err(cant)?;
    let involved = ctx.store.involved(asked.case).await.map_err(cant)?;
    let mut yes = 0;
    for vote in votes.iter().filter(|v| v.answer == Answered::Approved) {
        ctx.rights().may_approve(&vote.person, &involved).await?;
        yes += 1;
    }
    let last = asked.answered_by.as_deref();
    if !votes.iter().any(|v| Some(v.person.as_str()) == last) {
        return Err("who answered it is not who voted".to_owned());
    }
    match yes >= asked.needed.max(1) {
        true => Ok(()),
        false => Err(format!("{yes} of {} people said yes", asked.needed)),
    }
}
