//! What an approval is bound to: one action with all that it depends on; who may answer is asked elsewhere.

use serde_json::{Value, json};
use state::model::{Alert, CaseId, Effect, Time, Verdict};

use crate::ctx::Ctx;
use crate::playbook::rfc3339;

/// The binding of an approval for an effect: the same action under another definition, policy or case is another digest.
pub(super) fn effect_binding(
    ctx: &Ctx,
    effect: &Effect,
    (expires, nonce): (Time, &str),
    question: Option<&str>,
) -> Value {
    let pin = ctx.catalogue.get(&effect.tool);
    let pin = pin.and_then(|entry| ctx.catalogue.definitions().pins().digest_of(entry));
    let mut binding = json!({
        "case": effect.case,
        "action": effect.tool,
        "class": effect.class,
        "needed": ctx.config.people.approvals.needed_for(effect.class),
        "pin": pin,
        "arguments": effect.arguments,
        "target": effect.target,
        "policy": ctx.guard.policy.version(),
        "expires": rfc3339(expires),
        "nonce": nonce,
    });
    if let Some(digest) = question {
        binding["question"] = json!(digest);
    }
    if let Some(by) = &effect.about.requested_by {
        binding["requested_by"] = json!(by);
    }
    binding
}

/// The binding of an approval for a close: of these alerts with these verdicts.
#[must_use]
pub fn close_binding(
    ctx: &Ctx,
    case: CaseId,
    judged: (&[Alert], &[Verdict]),
    expires: Time,
) -> Value {
    let (alerts, verdicts) = judged;
    let verdict = |a: &Alert| verdicts.iter().find(|v| v.alert == a.id).map(|v| v.kind);
    let of: Vec<Value> = alerts
        .iter()
        .map(|a| json!({"alert": a.source_alert_id, "source": a.source, "verdict": verdict(a)}))
        .collect();
    json!({
        "case": case,
        "action": "close",
        "alerts": of,
        "policy": ctx.guard.policy.version(),
        "expires": rfc3339(expires),
        "nonce": &ctx.dice.word()[..32],
    })
}
