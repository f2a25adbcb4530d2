//! Sends what is due: every check again, the intent first, once; what nobody can tell afterwards is `unknown` and looked up.

use std::time::Instant;

use mcp_clients::Answer;
use serde_json::{Map, Value, json};
use state::model::{CallOutcome, Effect, EffectDecision, Proof, Tier, ToolCall, ToolClass};
use state::store::{CallEnd, EffectAnswer, EffectBegin, HeardQuestion, StoreError};
use tracing::Instrument;

use crate::ctx::Ctx;
use crate::telemetry::spans;

use super::super::{Origin, Refusal, Subject, Unsent, audit};
use super::checks::{self, Ruling, Wish};
use super::in_force::approved;
use super::look_up::{look_up, seen};
use super::stand::{self, Stand, end};
use super::write_back::Speaks;
use super::{elicit, hold};

/// Where an effect stands that was sent, or may have been.
const SENT: [EffectDecision; 3] = [
    EffectDecision::Started,
    EffectDecision::Executed,
    EffectDecision::Unknown,
];

/// What became of one effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Row id.
    pub effect: i64,
    /// Where it stands now.
    pub decision: EffectDecision,
    /// Why.
    pub reason: String,
}

/// Which of the effects that are due. Two of one kind are never sent at once, and everything that a case may do once
/// is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// What people approved to be done to an entity: it runs out, so nothing holds it up.
    Approved,
    /// What is said and raised.
    Said,
}

impl Lane {
    fn of(effect: &Effect) -> Self {
        let acts = !effect.about.raise && effect.about.alert.is_none();
        match effect.approval.is_some() && acts {
            true => Self::Approved,
            false => Self::Said,
        }
    }
}

/// Sends every effect that is due, what people approved first, as [`carry_out_of`] does.
///
/// # Errors
/// When the store fails: what was begun then is `started`, and nobody sends it again.
pub async fn carry_out(ctx: &Ctx) -> Result<Vec<Carried>, StoreError> {
    let approved = carry_out_of(ctx, Lane::Approved).await;
    let said = carry_out_of(ctx, Lane::Said).await;
    let mut carried = approved?;
    carried.extend(said?);
    Ok(carried)
}

/// Sends the effects of one lane that are due, one after the other; a refused one ends as denied, and one of which nobody
/// can tell is held. One that fails holds up no other. People are asked what servers asked during calls of an earlier run.
///
/// # Errors
/// The first failure of the store, after the others were sent: what was begun then is `started`, and nobody sends it
/// again.
pub async fn carry_out_of(ctx: &Ctx, lane: Lane) -> Result<Vec<Carried>, StoreError> {
    let (mut carried, mut failed) = (Vec::new(), None);
    if let Err(error) = ask_left(ctx, lane).await {
        tracing::error!(%error, "people could not be asked what a server asked; it is tried again");
        failed.get_or_insert(error);
    }
    let mut due = ctx.store.effects_due(ctx.now()).await?;
    due.retain(|effect| Lane::of(effect) == lane);
    due.sort_by_key(|effect| effect.approval.is_none());
    for effect in due {
        let one = carry(ctx, &effect);
        match one.instrument(spans::case(effect.case, None)).await {
            Ok((decision, reason)) => carried.push(Carried {
                effect: effect.id,
                decision,
                reason,
            }),
            Err(error) => {
                tracing::error!(effect = effect.id, %error, "an outside effect could not be carried out; the others go on");
                failed.get_or_insert(error);
            }
        }
    }
    failed.map_or(Ok(carried), Err)
}

async fn carry(ctx: &Ctx, effect: &Effect) -> Result<(EffectDecision, String), StoreError> {
    let sent = send(ctx, effect).await?;
    let (decision, reason) = match (sent.decision, sent.reason) {
        (EffectDecision::Unknown, why) => look_up(ctx, effect, &why).await?,
        ended => ended,
    };
    if let Some(heard) = &sent.heard
        && decision == EffectDecision::Unknown
    {
        elicit::ask(ctx, (effect, effect.about.round + 1), heard).await?;
    }
    Ok((decision, reason))
}

/// What servers asked and no person was asked yet, because the run broke off in between.
async fn ask_left(ctx: &Ctx, lane: Lane) -> Result<(), StoreError> {
    let mut failed = None;
    for (effect, heard) in ctx.store.unasked().await? {
        let effect = ctx.store.effect(effect).await?;
        if Lane::of(&effect) == lane
            && let Err(error) = ask_one(ctx, &effect, &heard).await
        {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn ask_one(ctx: &Ctx, effect: &Effect, heard: &HeardQuestion) -> Result<(), StoreError> {
    match seen(ctx, effect).await {
        Ok(true) => {
            let stand = Stand::Executed(Proof::Confirmed);
            end(ctx, effect, stand, "looked up: it took effect").await
        }
        Ok(false) | Err(_) => elicit::ask(ctx, (effect, effect.about.round + 1), heard).await,
    }
}

/// Effects that an earlier run began and did not end may have been done: they are unknown, and looked up. Only for who
/// has the store to itself.
///
/// # Errors
/// When the store fails.
pub async fn take_stock(ctx: &Ctx) -> Result<Vec<Carried>, StoreError> {
    let mut carried = Vec::new();
    for effect in ctx.store.effects_at(EffectDecision::Started).await? {
        let why = "the run that sent it broke off before the answer came";
        end(ctx, &effect, Stand::Unknown, why).await?;
        let (decision, reason) = look_up(ctx, &effect, why).await?;
        carried.push(Carried {
            effect: effect.id,
            decision,
            reason,
        });
    }
    Ok(carried)
}

/// What became of an effect when it was sent, or was not.
struct Sent {
    decision: EffectDecision,
    reason: String,
    /// What the server asked and a person is still to be asked; it is stored.
    heard: Option<HeardQuestion>,
}

impl Sent {
    fn of(decision: EffectDecision, reason: String) -> Self {
        Self {
            decision,
            reason,
            heard: None,
        }
    }
}

/// One effect, up to the answer or the refusal, recorded.
async fn send(ctx: &Ctx, effect: &Effect) -> Result<Sent, StoreError> {
    let began = Instant::now();
    let arguments = match &effect.arguments {
        Value::Object(map) => map.clone(),
        _ => Map::new(),
    };
    let (approval, answer) = match permitted(ctx, effect, &arguments).await {
        Ok(permitted) => permitted,
        Err(unsent) => return not_sent(ctx, effect, unsent).await,
    };
    if let Some((decision, why)) = already_so(ctx, effect).await? {
        return Ok(Sent::of(decision, why));
    }
    let row = row(ctx, effect);
    let mut intent = audit::intent(
        &row,
        json!({"decision": "allow", "rule": 6, "approval": approval.as_ref().map(|a| a.0)}),
    );
    intent["effect"] = json!(effect.id);
    let begin = EffectBegin {
        effect,
        call: &row,
        approval: approval.as_ref().map(|(id, digest)| (*id, digest.as_str())),
        cap: (effect.class == ToolClass::Destructive)
            .then_some(ctx.config.effects.destructive_per_hour),
    };
    let call = match ctx.store.begin_effect(begin, intent).await {
        Ok(call) => call,
        Err(e @ StoreError::CapReached { .. }) => {
            // Not now, says the rule: what a person approved waits for the hour to pass.
            return not_sent(ctx, effect, Unsent::cannot_tell(10, e.to_string())).await;
        }
        Err(e @ (StoreError::NotOpen { .. } | StoreError::Refused { .. })) => {
            return not_sent(ctx, effect, Refusal::new(6, e.to_string()).into()).await;
        }
        Err(e) => return Err(e),
    };
    let (server, tool) = effect.tool.split_once('.').unwrap_or((&effect.tool, ""));
    let asked_before = answer.is_some();
    let heard = ctx
        .toolbox
        .call_heard(server, tool, arguments, answer)
        .await;
    let took = began.elapsed();
    let (outcome, stand, reason) = stand::read(&heard);
    ctx.guard.meters.called(server, outcome, took);
    let millis = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    let (end, entry) = stand::noted(ctx, effect, stand, &reason);
    // One answer, one repetition: what is asked then is not asked on.
    let declined = heard.declined.into_iter().filter(|_| !asked_before);
    let question = declined.map(elicit::heard).next();
    let answer = EffectAnswer {
        call,
        ended: CallEnd {
            outcome,
            reason: Some(&reason),
            body: heard.reply.as_ref().ok().map(|r| r.body.as_slice()),
            millis,
            at: ctx.now(),
        },
        end,
        heard: question.as_ref(),
    };
    let of_call = audit::result(&row, call, outcome, millis);
    ctx.store.end_sent(answer, (of_call, &entry)).await?;
    Ok(Sent {
        heard: question,
        ..Sent::of(stand.decision(), reason)
    })
}

/// The call as it is recorded before it is sent.
fn row(ctx: &Ctx, effect: &Effect) -> ToolCall {
    ToolCall {
        id: 0,
        case: effect.case,
        tier: Tier::Three,
        asked_by: format!("effect:{}", effect.id),
        tool: effect.tool.clone(),
        class: effect.class,
        arguments: effect.arguments.clone(),
        outcome: CallOutcome::Started,
        reason: None,
        digest: None,
        started: ctx.now(),
        millis: None,
    }
}

/// Every check, again; gives the approval it rests on and the answer that it gives to a question of the server.
async fn permitted(
    ctx: &Ctx,
    effect: &Effect,
    arguments: &Map<String, Value>,
) -> Result<(Option<(i64, String)>, Option<Answer>), Unsent> {
    let approval = permit(ctx, effect, arguments).await?;
    Ok((approval, elicit::answer(ctx, effect).await?))
}

/// What is so already is not sent.
async fn already_so(
    ctx: &Ctx,
    effect: &Effect,
) -> Result<Option<(EffectDecision, String)>, StoreError> {
    if seen(ctx, effect).await != Ok(true) {
        return Ok(None);
    }
    let why = "read before sending: it is so already, and nothing was sent";
    let stand = Stand::Executed(Proof::AlreadySo);
    end(ctx, effect, stand, why).await?;
    Ok(Some((stand.decision(), why.to_owned())))
}

/// Every check, again; gives the approval it rests on.
async fn permit(
    ctx: &Ctx,
    effect: &Effect,
    arguments: &Map<String, Value>,
) -> Result<Option<(i64, String)>, Unsent> {
    let subject = Subject::read(&ctx.store, effect.case).await;
    let subject = subject.map_err(|e| Unsent::unread(4, "the case", &e))?;
    let entry = checks::entry(ctx, &effect.tool)?;
    if entry.spec.class != effect.class {
        let why = format!(
            "`{}` is {} now and was {} when it was proposed",
            effect.tool, entry.spec.class, effect.class
        );
        return Err(Refusal::new(1, why).into());
    }
    let speaks = Speaks::of(effect);
    if entry.spec.effect.raise
        && !entry.spec.effect.says
        && speaks.is_none()
        && effect.about.round == 0
    {
        // Two that were proposed together are both due.
        checks::once(ctx, effect.case, &effect.tool, &SENT).await?;
    }
    let wish = Wish {
        subject: &subject,
        tool: &effect.tool,
        arguments,
        target: &effect.target,
        origin: Origin::Daemon,
        speaks: speaks.as_ref(),
    };
    match checks::ruling(ctx, wish).await? {
        Ruling::DryRun(refusal) => Err(refusal.into()),
        Ruling::Due => match effect.approval {
            // It was asked although the rules no longer do: then the answer still counts.
            Some(_) => approved(ctx, effect).await.map(Some),
            None => Ok(None),
        },
        Ruling::Approval(_) => approved(ctx, effect).await.map(Some),
    }
}

async fn not_sent(ctx: &Ctx, effect: &Effect, unsent: Unsent) -> Result<Sent, StoreError> {
    let (decision, why) = hold::unsent(ctx, effect, unsent).await?;
    Ok(Sent::of(decision, why))
}
