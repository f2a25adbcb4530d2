//! A baseline in the place of a step's call: whether it may stand there for this alert, and as what evidence.

use chrono::TimeDelta;
use mcp_clients::{ReplyKind, ToolReply};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use state::model::{Baseline, BaselineAnswer, BaselineOf, CallOutcome, Evidence, Time};
use state::store::NewBaseline;

use crate::ctx::Ctx;
use crate::gate::{self, Called, Request};
use crate::playbook::{Step, rfc3339};
use crate::precedent::{concerned, unsuspected};
use crate::tier::Plan;

use super::{asked_of, question};

/// The name that evidence from a baseline has in the place of a tool's.
const TOOL: &str = "baseline";

/// What such evidence says of where it is from.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct From {
    #[serde(flatten)]
    of: BaselineOf,
    asked_of: String,
    since: Time,
    until: Time,
    computed: Time,
    /// Events that may have been part of an attack.
    left_out: usize,
}

/// A kept answer to a step's question, as evidence; none when the step has to ask.
///
/// It must be whole and not marked stale, of the tool and dialect in force, made before the alert's own time and by no more
/// than the step's `baseline` allows. Events that may have been an attack are left out; where that leaves none the step
/// asks.
///
/// # Errors
/// When the store fails.
pub(in crate::pipeline) async fn kept(
    ctx: &Ctx,
    plan: &Plan<'_>,
    step: &Step,
    request: &Request<'_>,
) -> anyhow::Result<Option<Evidence>> {
    if !ctx.config.queries.baselines.enabled {
        return Ok(None);
    }
    let Some((of, _)) = question(step, &plan.slots) else {
        return Ok(None);
    };
    let Some(baseline) = ctx.store.baseline(&of).await? else {
        return Ok(None);
    };
    let Some(answer) = usable(baseline, &asked_of(ctx), (step, plan.alert.time)) else {
        return Ok(None);
    };
    if let Err(refusal) = gate::permit_baseline(ctx, request, answer.computed).await {
        // Then the call is refused for the same reason, and that stands in the case.
        tracing::warn!(case = %plan.case, step = step.id, why = %refusal, "a baseline may not be read");
        return Ok(None);
    }
    evidence(ctx, plan, (step, request.tool), (of, answer)).await
}

/// The answer, if it may stand for one given at the alert's time.
fn usable(baseline: Baseline, now_of: &str, (step, at): (&Step, Time)) -> Option<BaselineAnswer> {
    let oldest = TimeDelta::from_std(step.baseline?.0).ok()?;
    let answer = baseline.answer?;
    let age = at - answer.computed;
    let fits = baseline.stale.is_none() && baseline.asked_of == now_of;
    (fits && age >= TimeDelta::zero() && age <= oldest).then_some(answer)
}

async fn evidence(
    ctx: &Ctx,
    plan: &Plan<'_>,
    (step, tool): (&Step, &str),
    (of, answer): (BaselineOf, BaselineAnswer),
) -> anyhow::Result<Option<Evidence>> {
    let value = gate::as_answered(ctx, tool, answer.rows);
    let digest = crate::data::sha256_hex(value.to_string());
    let reply = ToolReply {
        kind: ReplyKind::Answer,
        value,
        cut: None,
        body: Vec::new(),
        blocks: 1,
    };
    let called = Called {
        call: None,
        outcome: CallOutcome::Ok,
        reason: None,
        reply: Some(reply),
        digest: Some(digest),
    };
    let mut found = gate::evidence(ctx, plan.case, &step.id, tool, called);
    let keys = concerned(&found.activities, &of.value);
    let suspects = ctx.store.suspects(&keys).await?;
    let (usual, left_out) = unsuspected(&found.activities, &of.value, &suspects);
    if left_out > 0 && usual.is_empty() {
        return Ok(None);
    }
    let days = (answer.until - answer.since).num_days();
    found.summary = format!(
        "{} events of {days} days, kept since {}; {left_out} left out that may have been part of an attack",
        usual.len(),
        rfc3339(answer.computed)
    );
    let from = From {
        of,
        asked_of: asked_of(ctx),
        since: answer.since,
        until: answer.until,
        computed: answer.computed,
        left_out,
    };
    found.value = json!({"count": usual.len(), "baseline": from});
    found.activities = usual;
    TOOL.clone_into(&mut found.tool);
    Ok(Some(found))
}

/// The baseline that a stored case was judged by, so that it can be judged again by the same.
#[must_use]
pub fn recorded(evidence: &Evidence) -> Option<NewBaseline> {
    let from = evidence.value.get("baseline");
    let from = from.filter(|_| evidence.tool == TOOL)?;
    let from: From = serde_json::from_value(from.clone()).ok()?;
    let row = |a: &state::model::Activity| -> Value {
        json!({"event_uid": a.uid, "event_time": a.time.map(rfc3339), "raw": a.raw})
    };
    Some(NewBaseline {
        of: from.of,
        asked_of: from.asked_of,
        answer: BaselineAnswer {
            since: from.since,
            until: from.until,
            computed: from.computed,
            rows: evidence.activities.iter().map(row).collect(),
        },
    })
}
