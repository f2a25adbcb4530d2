//! The one door for tool calls: it decides, records the intent, calls, records the result; any error inside is a refusal.

mod arguments;
mod audit;
mod budget;
mod close;
mod effect;
mod evidence;
mod interrupted;
mod kept;
mod permit;
mod poll;
mod refusal;
mod scanned;
mod standing;
mod stop;
mod subject;
mod switch;
mod taint;

use std::time::Instant;

use mcp_clients::{ReplyKind, ToolFailure, ToolReply};
use serde_json::{Map, Value, json};
use state::model::{CallOutcome, Tier, Time, ToolCall, ToolClass};
use state::store::CallEnd;
use tracing::{Instrument, Span};

use crate::ctx::Ctx;
use crate::telemetry::spans;

pub use arguments::canonical;
pub use budget::Meter;
pub use close::{Closable, CloseRuling, SPEAKING, record_vetoes, rule_on_close};
pub use effect::{
    Carried, ELICITATION, Lane, Proposal, Saying, Speaks, Stands, answer_record, answers, at,
    carry_out, carry_out_of, close_binding, comment, propose, propose_again, raise_marker, sayings,
    take_stock, verify,
};
pub use evidence::{answer_rows, as_answered, evidence};
pub use interrupted::end_interrupted;
pub use kept::{ask_baseline, permit_baseline};
pub use permit::{Permit, permit};
pub use poll::PollBox;
pub use refusal::{Refusal, Unsent};
pub use scanned::{flagged, scan, scan_definition};
pub use standing::open_cases;
pub use stop::stopped;
pub use subject::Subject;
pub use switch::{paused_by_file, standing, switched_off};
pub use taint::{Known, Origin};

/// One wish to call a reading tool.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Case it is for.
    pub subject: &'a Subject,
    /// Tier that asks.
    pub tier: Tier,
    /// Step id, or `model:N`.
    pub asked_by: &'a str,
    /// `server.tool`.
    pub tool: &'a str,
    /// Arguments.
    pub arguments: Map<String, Value>,
    /// The case's "now", for tools that take one.
    pub as_of: Time,
    /// Who chose the arguments.
    pub origin: Origin<'a>,
}

/// How a wish ended. Without a reply nothing is known.
#[derive(Debug)]
pub struct Called {
    /// Row of the call; none when not even the refusal could be recorded.
    pub call: Option<i64>,
    /// How it ended.
    pub outcome: CallOutcome,
    /// Why, when it did not end well.
    pub reason: Option<String>,
    /// What came back.
    pub reply: Option<ToolReply>,
    /// Digest under which the full body is kept.
    pub digest: Option<String>,
}

/// Calls a reading tool, or refuses to.
///
/// Nothing is sent before the decision and the intent are stored.
pub async fn call(ctx: &Ctx, meter: &Meter, request: Request<'_>) -> Called {
    // A model may have made the name up: then it stands in no span.
    let known = ctx.catalogue.get(request.tool).is_some();
    let name = if known { request.tool } else { "unknown" };
    let span = spans::tool(name, request.asked_by);
    let called = decide_and_send(ctx, meter, request)
        .instrument(span.clone())
        .await;
    span.record("nightdesk.outcome", called.outcome.as_str());
    if called.outcome != CallOutcome::Ok {
        span.record("error.type", called.outcome.as_str());
    }
    called
}

async fn decide_and_send(ctx: &Ctx, meter: &Meter, request: Request<'_>) -> Called {
    let began = Instant::now();
    let arguments = canonical(&Value::Object(request.arguments.clone()));
    let decision = permit(ctx, meter, &request).await;
    let class = ctx
        .catalogue
        .get(request.tool)
        .map_or(ToolClass::Destructive, |e| e.spec.class);
    let mut row = ToolCall {
        id: 0,
        case: request.subject.case,
        tier: request.tier,
        asked_by: request.asked_by.to_owned(),
        tool: request.tool.chars().take(200).collect(),
        class,
        arguments: arguments::bounded(arguments),
        outcome: CallOutcome::Started,
        reason: None,
        digest: None,
        started: ctx.now(),
        millis: None,
    };
    match decision {
        Err(refusal) => {
            ctx.guard.meters.refused(refusal.rule);
            Span::current().record("nightdesk.rule", refusal.rule);
            row.outcome = CallOutcome::Denied;
            row.reason = Some(refusal.to_string());
            let call = record(
                ctx,
                &row,
                json!({"decision": "deny", "rule": refusal.rule, "why": refusal.why}),
            )
            .await;
            Called {
                call: call.ok(),
                outcome: CallOutcome::Denied,
                reason: row.reason,
                reply: None,
                digest: None,
            }
        }
        Ok(ready) => {
            row.arguments = canonical(&Value::Object(ready.arguments.clone()));
            match record(ctx, &row, json!({"decision": "allow", "rule": 1})).await {
                Err(why) => Called {
                    call: None,
                    outcome: CallOutcome::Denied,
                    reason: Some(format!("rule 12: the intent could not be recorded: {why}")),
                    reply: None,
                    digest: None,
                },
                Ok(id) => send(ctx, &row, id, ready, began).await,
            }
        }
    }
}

async fn record(ctx: &Ctx, row: &ToolCall, decision: Value) -> Result<i64, String> {
    let entry = audit::intent(row, decision);
    let stored = ctx.store.begin_call(row, entry).await;
    stored.map_err(|e| e.to_string())
}

async fn send(ctx: &Ctx, row: &ToolCall, id: i64, ready: Permit, began: Instant) -> Called {
    let answer = ctx
        .toolbox
        .call(&ready.server, &ready.tool, ready.arguments)
        .await;
    let (outcome, reason, reply) = ended(answer);
    let took = began.elapsed();
    ctx.guard.meters.called(&ready.server, outcome, took);
    let millis = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    let end = CallEnd {
        outcome,
        reason: reason.as_deref(),
        body: reply.as_ref().map(|r| r.body.as_slice()),
        millis,
        at: ctx.now(),
    };
    let entry = audit::result(row, id, outcome, millis);
    match ctx.store.end_call(id, end, entry).await {
        Ok(digest) => Called {
            call: Some(id),
            outcome,
            reason,
            reply,
            digest,
        },
        Err(e) => Called {
            call: Some(id),
            outcome: CallOutcome::Unknown,
            reason: Some(format!("rule 12: the result could not be recorded: {e}")),
            reply: None,
            digest: None,
        },
    }
}

/// How an answer counts, why where it does not count as one, and what came back.
fn ended(
    answer: Result<ToolReply, ToolFailure>,
) -> (CallOutcome, Option<String>, Option<ToolReply>) {
    match answer {
        Ok(reply) => {
            let why = match &reply.kind {
                ReplyKind::Answer => None,
                ReplyKind::BackendError(why) | ReplyKind::Unknown(why) => Some(why.clone()),
            };
            (outcome_of_reply(&reply.kind), why, Some(reply))
        }
        Err(failure) => (outcome_of(&failure), Some(failure.to_string()), None),
    }
}

fn outcome_of_reply(kind: &ReplyKind) -> CallOutcome {
    match kind {
        ReplyKind::Answer => CallOutcome::Ok,
        ReplyKind::BackendError(_) => CallOutcome::ToolError,
        ReplyKind::Unknown(_) => CallOutcome::Unknown,
    }
}

fn outcome_of(failure: &ToolFailure) -> CallOutcome {
    match failure {
        ToolFailure::NoSuchServer { .. } | ToolFailure::Unavailable { .. } => {
            CallOutcome::Unavailable
        }
        ToolFailure::TimedOut { .. } => CallOutcome::TimedOut,
        ToolFailure::Protocol { .. } | ToolFailure::ToolError { .. } => CallOutcome::ToolError,
        ToolFailure::Lost { .. } | ToolFailure::TooLarge { .. } => CallOutcome::Unknown,
    }
}

/// A name as it may stand in a message: bounded, control characters shown.
fn printable(name: &str) -> String {
    name.chars()
        .take(100)
        .flat_map(char::escape_debug)
        .collect()
}
