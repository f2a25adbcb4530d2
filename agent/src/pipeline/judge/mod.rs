//! Room `judge`: evidence to assessment, to an accepted verdict or the next tier; the vetoes on closing are code.

mod echo;
mod intel;
mod verdict;

use std::collections::BTreeSet;

use state::model::{Assessment, Evidence, Tier, TimelineEvent, TimelineKind, Verdict};

use crate::config::AnalystChoice;
use crate::ctx::Ctx;
use crate::gate::{self, Meter};
use crate::playbook::{Step, StepTarget};
use crate::tier::{self, Dossier, ModelView, Plan, PlaybookView};

pub use echo::{Led, echo, leave, tell_echoes};
use verdict::{Opinions, date, verdict};

/// What follows from a tier.
#[derive(Debug)]
pub enum Judgement {
    /// The next tier is asked.
    HandOn,
    /// This is the verdict on the alert.
    Settled(Box<Verdict>),
}

/// What became of the model at a tier.
enum Second {
    NotAsked,
    Spoke(Box<ModelView>),
    Failed(String),
}

/// Lets the analysts of a tier judge and accepts a verdict or hands on.
///
/// # Errors
/// When the store fails.
pub async fn judge(
    ctx: &Ctx,
    plan: &Plan<'_>,
    tier: Tier,
    meter: &Meter,
    dossier: &mut Dossier,
) -> anyhow::Result<Judgement> {
    let first = tier::ask_playbook(plan, dossier, tier)?;
    note(ctx, plan, &first.assessment).await?;
    let second = second_opinion(ctx, plan, tier, (meter, &first), dossier).await?;
    let vetoes = vetoes(ctx, plan, &first, dossier).await?;
    let decision = decide(tier, &first, &second, &vetoes);
    if decision == Decision::HandOn {
        return Ok(Judgement::HandOn);
    }
    let mut verdict = verdict(
        ctx,
        plan,
        tier,
        dossier,
        Opinions {
            first,
            second,
            vetoes,
            decision,
        },
    );
    date(ctx, plan, dossier, &mut verdict);
    Ok(Judgement::Settled(Box::new(verdict)))
}

async fn note(ctx: &Ctx, plan: &Plan<'_>, assessment: &Assessment) -> anyhow::Result<()> {
    ctx.store
        .add_assessment(plan.case, plan.alert.id, assessment)
        .await?;
    let message = format!(
        "tier {} {}: {} ({} % sure, {:.0} % likely malicious)",
        assessment.tier,
        assessment.analyst,
        assessment.verdict,
        assessment.confidence,
        assessment.probability * 100.0
    );
    let event = TimelineEvent::ours(plan.case, ctx.now(), TimelineKind::Assessed, message);
    Ok(ctx.store.add_events(vec![event]).await?)
}

async fn second_opinion(
    ctx: &Ctx,
    plan: &Plan<'_>,
    tier: Tier,
    known: (&Meter, &PlaybookView),
    dossier: &mut Dossier,
) -> anyhow::Result<Second> {
    let (meter, first) = known;
    if ctx.config.tiers.of(tier).analyst != AnalystChoice::Model {
        return Ok(Second::NotAsked);
    }
    match tier::ask_model(ctx, plan, tier, (meter, &first.assessment), dossier).await {
        Ok(view) => {
            note(ctx, plan, &view.assessment).await?;
            Ok(Second::Spoke(Box::new(view)))
        }
        Err(failure) => {
            let message = format!("tier {tier} model: {failure}; the playbook analyst decides");
            tracing::warn!(case = %plan.case, %tier, reason = %failure, "the model could not be used");
            let event =
                TimelineEvent::ours(plan.case, ctx.now(), TimelineKind::ModelFailed, message);
            ctx.store.add_events(vec![event]).await?;
            Ok(Second::Failed(failure.to_string()))
        }
    }
}

/// What forbids a close whatever the analysts say, one sentence each.
async fn vetoes(
    ctx: &Ctx,
    plan: &Plan<'_>,
    first: &PlaybookView,
    dossier: &Dossier,
) -> anyhow::Result<Vec<String>> {
    let mut vetoes = first.vetoes.clone();
    for gap in first.assessment.gaps.iter().filter(|g| g.required) {
        vetoes.push(format!(
            "required evidence is missing: {} ({})",
            gap.what, gap.why
        ));
    }
    vetoes.extend(dossier.speaking());
    for entity in &plan.alert.entities {
        if let Some(pattern) = ctx.config.protection.covers(&entity.value) {
            vetoes.push(format!("{} is protected by `{pattern}`", entity.value));
        }
    }
    vetoes.extend(intelligence(plan, dossier).filter_map(intel::speaks));
    vetoes.extend(gate::open_cases(ctx, (plan.case, plan.alert.time), &plan.entities).await?);
    vetoes.dedup();
    Ok(vetoes)
}

/// Answers of threat intelligence: to the playbook's questions, and to what a model asked the same tools.
fn intelligence<'d>(
    plan: &'d Plan<'_>,
    dossier: &'d Dossier,
) -> impl Iterator<Item = &'d Evidence> {
    let steps = || plan.entry.playbook.steps.iter().filter(|s| s.intel);
    let tool = |s: &'d Step| match &s.target {
        StepTarget::Tool(tool) => Some(tool.as_str()),
        StepTarget::Query(_) => None,
    };
    let tools: BTreeSet<&str> = steps().filter_map(tool).collect();
    let asked: BTreeSet<&str> = steps().map(|s| s.id.as_str()).collect();
    dossier
        .evidence
        .iter()
        .filter(move |e| tools.contains(e.tool.as_str()) || asked.contains(e.asked_by.as_str()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Ask the next tier.
    HandOn,
    /// All agree on harmless and nothing stands against it.
    Close,
    /// It looks harmless, and nothing carries a close: a person is asked to confirm.
    ProposeClose,
    /// A person gets it.
    Escalate,
}

fn decide(tier: Tier, first: &PlaybookView, second: &Second, vetoes: &[String]) -> Decision {
    let playbook = &first.assessment;
    let model = match second {
        Second::Spoke(view) => Some(view),
        _ => None,
    };
    let benign = playbook.verdict.is_benign()
        && playbook.close_allowed
        && vetoes.is_empty()
        && tier != Tier::Three;
    if benign {
        match model {
            None => return Decision::Close,
            Some(view) if view.agrees_benign() => return Decision::Close,
            Some(_) if tier == Tier::One => return Decision::HandOn,
            Some(_) => return Decision::Escalate,
        }
    }
    match tier {
        Tier::One => Decision::HandOn,
        Tier::Two => {
            let real = playbook.probability >= 0.5
                || model.is_some_and(|v| v.assessment.probability >= 0.5);
            let harmless = match model {
                Some(view) => view.agrees_benign(),
                None => first.suggests.is_some(),
            };
            let proposes = harmless && playbook.probability < 0.5 && vetoes.is_empty();
            match (real, proposes) {
                (true, _) => Decision::HandOn,
                (false, true) => Decision::ProposeClose,
                (false, false) => Decision::Escalate,
            }
        }
        Tier::Three => Decision::Escalate,
    }
}
