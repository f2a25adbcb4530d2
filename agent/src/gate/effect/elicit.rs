//! Questions that a server asks during a call that changes something: declined, then put to a person as an approval of the
//! same call once more with their answer. Neither a model nor a default ever answers one.

use mcp_clients::{Answer, Question};
use serde_json::{Value, json};
use state::model::{Answered, ApprovalState, Effect, EffectAbout, EffectDecision, Elicitation};
use state::store::{HeardQuestion, NewApproval, NewElicitation, StoreError};

use crate::catalogue::form_fits;
use crate::ctx::Ctx;
use crate::text::{defang, oneline};

use super::super::{Refusal, Subject, Unsent, audit};
use super::binding::effect_binding;

/// The word before the tool in the action of such an approval.
pub const ELICITATION: &str = "elicitation";

/// Whether values answer a question: one field at most for each that is asked, each as its schema says, no others.
///
/// # Errors
/// Why not, in a sentence.
pub fn answers(asked: &Elicitation, content: &Value) -> Result<(), String> {
    form_fits(&asked.requested, content)
}

/// What the audit chain keeps of a person's answer: the values but for secrets, and the digest of all of them.
#[must_use]
pub fn answer_record(asked: &Elicitation, content: &Value, (by, channel): (&str, &str)) -> Value {
    json!({
        "kind": "elicitation_answer",
        "case": asked.case,
        "effect": asked.effect,
        "elicitation": asked.id,
        "approval": asked.approval,
        "by": by,
        "channel": channel,
        "values": audit::redacted(content),
        "digest": state::store::binding_digest(content),
    })
}

/// The answer that an effect gives, when it hangs on a question.
///
/// # Errors
/// Rule 6, when there is none that counts, or nobody can tell.
pub(super) async fn answer(ctx: &Ctx, effect: &Effect) -> Result<Option<Answer>, Unsent> {
    let refuse = |why: &str| Unsent::from(Refusal::new(6, why));
    let asked = ctx.store.elicitation_of(effect.id).await;
    let asked = asked.map_err(|e| Unsent::unread(6, "the question", &e))?;
    let Some(asked) = asked else {
        return Ok(None);
    };
    let given = ctx.store.approval(asked.approval).await;
    let given = given.map_err(|e| Unsent::unread(6, "its approval", &e))?;
    if given.state != ApprovalState::Approved || effect.approval != Some(asked.approval) {
        return Err(refuse("the server's question is not answered"));
    }
    let votes = ctx.store.votes_of(asked.approval).await;
    let mut yes = votes.map_err(|e| Unsent::unread(6, "who approved it", &e))?;
    yes.retain(|v| v.answer == Answered::Approved);
    let content = match (&asked.content, &asked.answered_by) {
        (Some(content), Some(by)) if yes.iter().any(|v| v.person == *by) => content.clone(),
        (Some(_), _) => return Err(refuse("who answered the question did not approve it")),
        // A form without fields is answered by the approval itself.
        (None, _) => json!({}),
    };
    let fits = answers(&asked, &content);
    fits.map_err(|why| {
        let how = format!("`nightdesk elicitations answer {}`", asked.id);
        refuse(&format!(
            "it was approved without an answer that fits ({how}): {why}"
        ))
    })?;
    let content = content.as_object().cloned().unwrap_or_default();
    Ok(Some(Answer {
        digest: asked.digest,
        content,
    }))
}

/// A question as it is stored.
pub(super) fn heard(question: Question) -> HeardQuestion {
    HeardQuestion {
        message: question.message,
        requested: question.schema,
        digest: question.digest,
    }
}

/// Asks a person anew what a server asked, for an effect that hangs on it and was not sent: with another approval, which
/// needs another answer. An effect that hangs on no question is left alone, and so is one whose call was asked about
/// since; gives whether it is done with.
///
/// # Errors
/// When the store fails.
pub(super) async fn ask_again(ctx: &Ctx, effect: &Effect) -> Result<bool, StoreError> {
    let Some(asked) = ctx.store.elicitation_of(effect.id).await? else {
        return Ok(false);
    };
    let question = HeardQuestion {
        message: asked.message,
        requested: asked.requested,
        digest: asked.digest,
    };
    let all = ctx.store.effects_of(effect.case).await?;
    let same = all
        .iter()
        .filter(|e| e.tool == effect.tool && e.arguments == effect.arguments);
    let last = same.map(|e| e.about.round).max();
    let round = last.unwrap_or(effect.about.round) + 1;
    ask(ctx, (effect, round), &question).await?;
    Ok(true)
}

/// Whether the call of an effect was asked about, or made, after it.
///
/// # Errors
/// When the store fails.
pub(super) async fn superseded(ctx: &Ctx, effect: &Effect) -> Result<bool, StoreError> {
    use EffectDecision as D;
    if ctx.store.elicitation_of(effect.id).await?.is_none() {
        return Ok(false);
    }
    let all = ctx.store.effects_of(effect.case).await?;
    Ok(all.iter().any(|e| {
        e.tool == effect.tool
            && e.arguments == effect.arguments
            && e.about.round > effect.about.round
            && !matches!(e.decision, D::Denied | D::Failed | D::DryRun)
    }))
}

/// Longest question of a server in the words that a person is asked with, characters.
const SAID: usize = 1_400;

/// Asks a person what the server asked: the same call once more, as its `round`th repetition, with their answer, bound to
/// both.
///
/// # Errors
/// When the store fails: then nobody is asked and nothing is repeated.
pub(super) async fn ask(
    ctx: &Ctx,
    (effect, round): (&Effect, i64),
    question: &HeardQuestion,
) -> Result<(), StoreError> {
    let said = defang(&oneline(&question.message, SAID));
    let again = Effect {
        id: 0,
        decision: EffectDecision::AwaitingApproval,
        reason: format!(
            "the server asked and was declined: «{}»",
            oneline(&said, 300)
        ),
        approval: None,
        at: ctx.now(),
        about: EffectAbout {
            round,
            proof: None,
            looks: 0,
            held: None,
            ..effect.about.clone()
        },
        ..effect.clone()
    };
    let subject = Subject::read(&ctx.store, effect.case).await?;
    let rules = &ctx.config.people.approvals;
    let expires = ctx.now() + rules.expire_after(subject.facts.severity);
    let nonce = &ctx.dice.word()[..32];
    let on = match effect.target.as_str() {
        "" => String::new(),
        target => format!(" on {}", oneline(target, 200)),
    };
    let fields = question.requested["properties"].as_object();
    let fields: Vec<&str> = fields
        .into_iter()
        .flat_map(|f| f.keys())
        .map(String::as_str)
        .collect();
    let wanted = match fields.as_slice() {
        [] => "a plain yes".to_owned(),
        names => format!("values for {}", oneline(&names.join(", "), 200)),
    };
    let new = NewElicitation {
        approval: NewApproval {
            action: format!("{ELICITATION} {}", effect.tool),
            summary: format!(
                "effect {} ({}{on}) once more: its server asks «{said}» and wants {wanted}",
                effect.id, effect.tool
            ),
            binding: effect_binding(ctx, &again, (expires, nonce), Some(&question.digest)),
            expires,
            effect: None,
            needed: rules.needed_for(effect.class),
        },
        effect: again,
        message: question.message.clone(),
        requested: question.requested.clone(),
        digest: question.digest.clone(),
        retried: Some(effect.id),
    };
    let entry = json!({
        "kind": ELICITATION,
        "case": effect.case,
        "effect": effect.id,
        "tool": effect.tool,
        "decision": "approval",
        "rule": 6,
        "why": "a server asked during the call and was declined",
        "question": question.digest,
        "digest": new.approval.digest(),
    });
    let asked = ctx.store.ask_elicitation(&new, &entry, ctx.now()).await;
    asked.map(drop)
}
