//! Whether the approval that an effect rests on is in force when it is sent; whether one is needed is asked elsewhere.

use state::model::{Answered, Approval, ApprovalState, Effect};
use state::store::StoreError;

use crate::ctx::Ctx;
use crate::rights::MayNot;

use super::super::{Refusal, Unsent};
use super::binding::effect_binding;

/// The approval of exactly this action under the rules in force, by somebody who may still give it.
///
/// # Errors
/// Rule 6. Whoever said yes and may not any more is a no, whatever can't be told of others.
pub(super) async fn approved(ctx: &Ctx, effect: &Effect) -> Result<(i64, String), Unsent> {
    let refuse = |why: String| Unsent::from(Refusal::new(6, why));
    let id = effect
        .approval
        .ok_or_else(|| refuse("it needs an approval and has none".to_owned()))?;
    let asked = ctx.store.approval(id).await;
    let asked = asked.map_err(|e| Unsent::unread(6, "its approval", &e))?;
    if asked.state != ApprovalState::Approved || ctx.now() > asked.expires {
        return Err(refuse(format!("approval {id} is not in force")));
    }
    let nonce = asked.binding["nonce"].as_str().unwrap_or_default();
    let question = ctx.store.elicitation_of(effect.id).await;
    let question = question.map_err(|e| Unsent::unread(6, "its question", &e))?;
    let question = question.as_ref().map(|q| q.digest.as_str());
    let bound = effect_binding(ctx, effect, (asked.expires, nonce), question);
    let digest = state::store::binding_digest(&bound);
    if nonce.is_empty() || asked.binding != bound || asked.digest != digest {
        let why = format!(
            "approval {id} was given for another action, definition or policy than this is now"
        );
        return Err(refuse(why));
    }
    standing(ctx, &asked).await?;
    Ok((id, digest))
}

/// Whether everybody who said yes may still say so, and they are enough.
async fn standing(ctx: &Ctx, asked: &Approval) -> Result<(), Unsent> {
    let refuse = |why: String| Err(Refusal::new(6, why).into());
    let cant = |e: StoreError| Unsent::unread(6, "who approved it", &e);
    let votes = ctx.store.votes_of(asked.id).await.map_err(cant)?;
    let involved = ctx.store.involved(asked.case).await.map_err(cant)?;
    let (rights, mut yes, mut gap) = (ctx.rights(), 0, None);
    for vote in votes.iter().filter(|v| v.answer == Answered::Approved) {
        if let Err(why) = rights.did_not_ask(&vote.person, asked) {
            return refuse(why);
        }
        match rights.may_still_approve(&vote.person, &involved).await {
            Ok(()) => yes += 1,
            Err(MayNot::No(why)) => return refuse(why),
            Err(MayNot::CannotTell(why)) => gap = Some(why),
        }
    }
    if let Some(why) = gap {
        return Err(Unsent::cannot_tell(6, why));
    }
    let last = asked.answered_by.as_deref();
    if !votes.iter().any(|v| Some(v.person.as_str()) == last) {
        return refuse("who answered it is not who voted".to_owned());
    }
    match yes >= asked.needed.max(1) {
        true => Ok(()),
        false => refuse(format!("{yes} of {} people said yes", asked.needed)),
    }
}
