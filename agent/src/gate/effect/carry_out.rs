//! Sends what is due: every check again, the intent first, once; what nobody can tell afterwards is `unknown` and looked up.

use std::time::Instant;

use mcp_clients::{Answer, Heard, Question, ReplyKind, ToolFailure, ToolReply};
use serde_json::{Map, Value, json};
use state::model::{CallOutcome, Effect, EffectDecision, Proof, Tier, ToolCall, ToolClass};
use state::store::{CallEnd, EffectBegin, EffectEnd, StoreError};
use tracing::Instrument;

use crate::ctx::Ctx;
use crate::telemetry::spans;
use crate::text::{defang, oneline};

use super::super::{Origin, Refusal, Subject, audit, outcome_of};
use super::checks::{self, Ruling, Wish};
use super::elicit;
use super::in_force::approved;
use super::look_up::{look_up, seen};
use super::write_back::Speaks;

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

/// Sends the effects of one lane that are due, one after the other; a refused one ends as denied. One that fails holds up
/// no other.
///
/// # Errors
/// The first failure of the store, after the others were sent: what was begun then is `started`, and nobody sends it
/// again.
pub async fn carry_out_of(ctx: &Ctx, lane: Lane) -> Result<Vec<Carried>, StoreError> {
    let (mut carried, mut failed) = (Vec::new(), None);
    let mut due = ctx.store.effects_at(EffectDecision::Due).await?;
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
    let ended = match (sent.decision, sent.reason) {
        (EffectDecision::Unknown, why) => look_up(ctx, effect, &why).await?,
        ended => ended,
    };
    if let Some(question) = &sent.declined
        && ended.0 == EffectDecision::Unknown
    {
        elicit::ask(ctx, (effect, effect.about.round + 1), question).await?;
    }
    Ok(ended)
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
    /// What the server asked and a person is still to be asked.
    declined: Option<Question>,
}

impl Sent {
    fn of(decision: EffectDecision, reason: String) -> Self {
        Self {
            decision,
            reason,
            declined: None,
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
        Err(refusal) => return deny(ctx, effect, &refusal).await,
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
            return deny(ctx, effect, &Refusal::new(10, e.to_string())).await;
        }
        Err(e @ (StoreError::NotOpen { .. } | StoreError::Refused { .. })) => {
            return deny(ctx, effect, &Refusal::new(6, e.to_string())).await;
        }
        Err(e) => return Err(e),
    };
    let (server, tool) = effect.tool.split_once('.').unwrap_or((&effect.tool, ""));
    let asked_before = answer.is_some();
    let heard = ctx
        .toolbox
        .call_heard(server, tool, arguments, answer)
        .await;
    let (outcome, stand, reason) = declined(&heard, read(&heard.reply));
    let answer = &heard.reply;
    let took = began.elapsed();
    ctx.guard.meters.called(server, outcome, took);
    let millis = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    let ended = CallEnd {
        outcome,
        reason: Some(&reason),
        body: answer.as_ref().ok().map(|r| r.body.as_slice()),
        millis,
        at: ctx.now(),
    };
    let entry = audit::result(&row, call, outcome, millis);
    ctx.store.end_call(call, ended, entry).await?;
    end(ctx, effect, stand, &reason).await?;
    Ok(Sent {
        // One answer, one repetition: what is asked then is not asked on.
        declined: heard.declined.into_iter().next().filter(|_| !asked_before),
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
) -> Result<(Option<(i64, String)>, Option<Answer>), Refusal> {
    let approval = permit(ctx, effect, arguments).await?;
    Ok((approval, elicit::answer(ctx, effect).await?))
}

/// Whatever a server says after it was declined: nobody can tell what it did.
fn declined(heard: &Heard, read: (CallOutcome, Stand, String)) -> (CallOutcome, Stand, String) {
    let (outcome, stand, reason) = read;
    let Some(question) = heard.declined.first() else {
        return (outcome, stand, reason);
    };
    let said = defang(&oneline(&question.message, 200));
    let reason = format!("its server asked «{said}» and was declined; {reason}");
    (outcome, Stand::Unknown, reason)
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
) -> Result<Option<(i64, String)>, Refusal> {
    let subject = Subject::read(&ctx.store, effect.case).await;
    let subject = subject.map_err(|e| Refusal::new(4, format!("the case can't be read: {e}")))?;
    let entry = checks::entry(ctx, &effect.tool)?;
    if entry.spec.class != effect.class {
        let why = format!(
            "`{}` is {} now and was {} when it was proposed",
            effect.tool, entry.spec.class, effect.class
        );
        return Err(Refusal::new(1, why));
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
        Ruling::DryRun(refusal) => Err(refusal),
        Ruling::Due => match effect.approval {
            // It was asked although the rules no longer do: then the answer still counts.
            Some(_) => approved(ctx, effect).await.map(Some),
            None => Ok(None),
        },
        Ruling::Approval(_) => approved(ctx, effect).await.map(Some),
    }
}

async fn deny(ctx: &Ctx, effect: &Effect, refusal: &Refusal) -> Result<Sent, StoreError> {
    ctx.guard.meters.refused(refusal.rule);
    let why = refusal.to_string();
    end(ctx, effect, Stand::Denied(refusal.rule), &why).await?;
    Ok(Sent::of(EffectDecision::Denied, why))
}

/// Notes where an effect stands, in the store, the audit chain and the timeline.
pub(super) async fn end(
    ctx: &Ctx,
    effect: &Effect,
    stand: Stand,
    why: &str,
) -> Result<(), StoreError> {
    let (rule, proof) = match stand {
        Stand::Denied(rule) => (Some(rule), None),
        Stand::Executed(proof) => (None, Some(proof)),
        Stand::Failed | Stand::Unknown => (None, None),
    };
    let decision = stand.decision();
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
    ctx.store.end_effect(ended, &entry).await
}

/// What an answer says of the effect. Real servers report failure after a write that was applied: that is unknown.
fn read(answer: &Result<ToolReply, ToolFailure>) -> (CallOutcome, Stand, String) {
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
