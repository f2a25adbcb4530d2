//! What a model is shown: the tools it is offered and the variables of its prompt, bounded; asking it is `model_analyst`.

use serde_json::{Value, json};
use state::model::{Assessment, Evidence, Tier};

use crate::catalogue::Freshness;
use crate::ctx::Ctx;
use crate::gate::Meter;
use crate::llm::ToolSpec;

use super::veil::Veil;
use super::{Dossier, Plan};

/// Largest argument schema that is shown, bytes.
const LARGEST_SCHEMA: usize = 16 * 1024;

/// Longest line of a summary or gap that is shown, characters.
pub(super) const LINE: usize = 2_000;

/// Reading tools of the tier that are there as they were pinned, described as the operator reviewed them.
pub(super) async fn offered(ctx: &Ctx, tier: Tier) -> Vec<ToolSpec> {
    let mut offered = Vec::new();
    for (name, entry) in ctx.catalogue.readable_at(tier) {
        let definitions = ctx.catalogue.definitions();
        let asked = (Freshness::Settled, ctx.now());
        let Ok(definition) = definitions.of(ctx.toolbox.as_ref(), entry, asked).await else {
            continue;
        };
        let (tool, description) = (&definition.tool, definitions.pins().description(entry));
        if tool.input_schema.to_string().len() > LARGEST_SCHEMA {
            tracing::warn!(
                tool = name,
                "its argument schema is too large to be shown to a model"
            );
            continue;
        }
        offered.push(ToolSpec {
            name: name.to_owned(),
            description: description.chars().take(1000).collect(),
            parameters: without(tool.input_schema.clone(), entry.spec.as_of.as_deref()),
        });
    }
    offered
}

/// The schema without the argument that the daemon fills itself.
fn without(mut schema: Value, argument: Option<&str>) -> Value {
    let Some(argument) = argument else {
        return schema;
    };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.remove(argument);
    }
    if let Some(required) = schema.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|r| r != argument);
    }
    schema
}

pub(super) fn variables(
    plan: &Plan<'_>,
    tier: Tier,
    dossier: &Dossier,
    more: (&Assessment, &Meter, &Veil),
) -> Value {
    let (first, meter, veil) = more;
    let evidence: Vec<Value> = dossier
        .evidence
        .iter()
        .skip(1)
        .map(|e| {
            json!({"ref": e.reference, "tool": e.tool, "answer": e.answer,
                   "summary": veil.over(&e.summary, LINE), "value": shown(e, veil)})
        })
        .collect();
    let gaps = dossier.gaps(plan, tier);
    let gaps: Vec<Value> = gaps
        .iter()
        .map(|g| json!({"what": veil.over(&g.what, LINE), "why": veil.over(&g.why, LINE)}))
        .collect();
    let reasons: Vec<Value> = first
        .reasons
        .iter()
        .map(|r| json!({"text": r.claim.text, "weight": r.weight, "evidence": r.claim.evidence}))
        .collect();
    let said = json!({"verdict": first.verdict, "probability_malicious": first.probability,
                      "confidence": first.confidence, "reasons": reasons});
    let said = (tier != Tier::One).then(|| veil.over(&said.to_string(), 24_000));
    let guidance = plan.entry.playbook.guidance.trim();
    json!({
        "tier": tier.number(),
        "tier_name": tier.name(),
        "alert": veil.over(&plan.alert.raw, 24_000),
        "alert_ref": dossier.alert_ref(),
        "playbook_guidance": (!guidance.is_empty()).then_some(guidance),
        "evidence": evidence,
        "gaps": gaps,
        "playbook_assessment": said,
        "fence": veil.fence,
        "mark": veil.mark.to_string(),
        "budget": {"tool_calls": meter.budget().tool_calls.saturating_sub(meter.spent().tool_calls),
                   "turns": meter.budget().turns},
    })
}

/// What of a piece of evidence the model sees, bounded; what was cut is said.
pub(super) fn shown(evidence: &Evidence, veil: &Veil) -> String {
    let value = if evidence.activities.is_empty() {
        evidence.value.clone()
    } else {
        evidence.activities.iter().map(|a| a.raw.clone()).collect()
    };
    veil.over(&value.to_string(), 12_000)
}
