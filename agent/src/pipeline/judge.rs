//! Room `judge`: evidence to assessment, to an accepted verdict or the next tier; the vetoes on closing are code.

use state::model::{
    Analyst, Assessment, Basis, Evidence, Impact, Provenance, Tier, TimelineEvent, TimelineKind,
    Verdict, VerdictKind, VerdictReason,
};

use crate::config::AnalystChoice;
use crate::ctx::Ctx;
use crate::gate::Meter;
use crate::playbook::rows_of;
use crate::tier::{self, Dossier, ModelView, Plan, PlaybookView};

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
    let verdict = verdict(
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
    for entity in &plan.alert.entities {
        if let Some(pattern) = ctx.config.protection.covers(&entity.value) {
            vetoes.push(format!("{} is protected by `{pattern}`", entity.value));
        }
    }
    for step in plan.entry.playbook.steps.iter().filter(|s| s.intel) {
        if let Some(evidence) = dossier.of_step(&step.id).filter(|e| is_malicious(e)) {
            vetoes.push(format!(
                "threat intelligence calls it malicious ({})",
                evidence.reference
            ));
        }
    }
    let keys: Vec<String> = plan
        .entities
        .iter()
        .filter(|e| e.joins())
        .map(|e| e.key())
        .collect();
    for incident in ctx.store.open_incidents(&keys, plan.case).await? {
        vetoes.push(format!("{incident} is an open incident on the same entity"));
    }
    vetoes.dedup();
    Ok(vetoes)
}

fn is_malicious(evidence: &Evidence) -> bool {
    let bad = |row: &serde_json::Value| {
        let word = |key: &str| {
            row.get(key)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default()
                .to_lowercase()
        };
        matches!(
            word("verdict").as_str(),
            "malicious" | "bad" | "true_positive"
        ) || word("reputation") == "malicious"
    };
    rows_of(&evidence.value).iter().any(bad)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Ask the next tier.
    HandOn,
    /// All agree on harmless and nothing stands against it.
    Close,
    /// A model alone thinks it harmless: a person is asked to confirm.
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
            let proposes = model.is_some_and(|v| v.agrees_benign())
                && playbook.probability < 0.5
                && vetoes.is_empty();
            match (real, proposes) {
                (true, _) => Decision::HandOn,
                (false, true) => Decision::ProposeClose,
                (false, false) => Decision::Escalate,
            }
        }
        Tier::Three => Decision::Escalate,
    }
}

struct Opinions {
    first: PlaybookView,
    second: Second,
    vetoes: Vec<String>,
    decision: Decision,
}

fn verdict(
    ctx: &Ctx,
    plan: &Plan<'_>,
    tier: Tier,
    dossier: &Dossier,
    opinions: Opinions,
) -> Verdict {
    let Opinions {
        first,
        second,
        vetoes,
        decision,
    } = opinions;
    let playbook = first.assessment;
    let (analyst, note, model) = match second {
        Second::NotAsked => (Analyst::Playbook, None, None),
        Second::Failed(why) => (
            Analyst::PlaybookAfterModelFailure,
            Some(format!("the model failed: {why}")),
            None,
        ),
        Second::Spoke(view) => (
            Analyst::Model,
            Some(view.note(playbook.verdict)),
            Some(view),
        ),
    };
    let mut kind = accepted(&playbook, model.as_deref(), decision);
    if kind.is_benign() && !matches!(decision, Decision::Close | Decision::ProposeClose) {
        kind = VerdictKind::Undetermined;
    }
    let mut reasons = playbook.reasons.clone();
    let mut techniques = if kind.is_benign() {
        Vec::new()
    } else {
        playbook.techniques.clone()
    };
    let mut gaps = playbook.gaps.clone();
    if let Some(view) = &model {
        reasons.extend(view.assessment.reasons.iter().cloned());
        gaps.extend(view.assessment.gaps.iter().cloned());
        if !kind.is_benign() {
            techniques.extend(view.assessment.techniques.iter().cloned());
        }
    }
    gaps.extend(dossier.not_reached(plan, tier));
    techniques.extend(shown_by_events(ctx, plan, dossier, kind));
    let mut seen = std::collections::BTreeSet::new();
    techniques.retain(|t| seen.insert(t.clone()));
    let mut evidence_refs: Vec<String> = reasons
        .iter()
        .flat_map(|r| r.claim.evidence.clone())
        .collect();
    evidence_refs.sort_by_key(|r| r.trim_start_matches('E').parse::<u32>().unwrap_or(0));
    evidence_refs.dedup();
    let confidence = model
        .as_ref()
        .map_or(playbook.confidence, |v| v.joint_confidence(&playbook));
    Verdict {
        case: plan.case,
        alert: plan.alert.id,
        kind,
        reason: reason(plan, kind, &vetoes),
        impact: impact(plan, kind, first.impact),
        confidence,
        close_allowed: playbook.close_allowed,
        vetoes: vetoes.clone(),
        basis: Basis {
            sentence: sentence(kind, &reasons, &vetoes, decision),
            probability: playbook.probability,
            reasons,
            evidence_refs,
            gaps,
            techniques,
        },
        provenance: Provenance {
            tier,
            analyst,
            analyst_note: note,
            playbook: plan.entry.playbook.id.clone(),
            playbook_hash: plan.entry.hash.clone(),
            model: model.as_ref().map(|v| v.model.clone()),
            prompt_hash: model.as_ref().map(|v| v.prompt_hash.clone()),
        },
        at: ctx.now(),
    }
}

/// The verdict that stands: the worse of both where they differ, except where a model's "harmless" is only proposed.
fn accepted(playbook: &Assessment, model: Option<&ModelView>, decision: Decision) -> VerdictKind {
    let Some(view) = model else {
        return playbook.verdict;
    };
    if decision == Decision::ProposeClose {
        return view.assessment.verdict;
    }
    let said = view.assessment.verdict;
    let standing = if said == VerdictKind::TruePositive && !view.stands {
        VerdictKind::Suspicious
    } else {
        said
    };
    if standing.rank() > playbook.verdict.rank() {
        standing
    } else {
        playbook.verdict
    }
}

/// Techniques that the alert's own events and the timeline's events show.
fn shown_by_events(
    ctx: &Ctx,
    plan: &Plan<'_>,
    dossier: &Dossier,
    kind: VerdictKind,
) -> Vec<String> {
    if kind != VerdictKind::TruePositive {
        return Vec::new();
    }
    let lines = tier::reconstruct(
        ctx.library.attack(),
        &plan.alert,
        dossier.evidence.iter(),
        &plan.entry.playbook,
    );
    lines.into_iter().filter_map(|l| l.technique).collect()
}

fn reason(plan: &Plan<'_>, kind: VerdictKind, vetoes: &[String]) -> VerdictReason {
    let scoring = &plan.entry.playbook.scoring;
    match kind {
        VerdictKind::TruePositive => scoring.escalate.reason,
        VerdictKind::BenignPositive | VerdictKind::FalsePositive => scoring
            .close
            .as_ref()
            .map_or(VerdictReason::ExpectedBusiness, |c| c.reason),
        VerdictKind::Suspicious => VerdictReason::NeedsHuman,
        VerdictKind::Undetermined if vetoes.iter().any(|v| v.starts_with("required evidence")) => {
            VerdictReason::NeedsData
        }
        VerdictKind::Undetermined => VerdictReason::InsufficientData,
        VerdictKind::Duplicate => VerdictReason::SameIncident,
    }
}

fn impact(plan: &Plan<'_>, kind: VerdictKind, shown: Option<Impact>) -> Impact {
    match kind {
        VerdictKind::TruePositive => shown.unwrap_or(plan.entry.playbook.scoring.escalate.impact),
        v if v.is_benign() => Impact::None,
        _ => Impact::Unknown,
    }
}

/// The verdict in one sentence: the weightiest reason that speaks for it.
fn sentence(
    kind: VerdictKind,
    reasons: &[state::model::Reason],
    vetoes: &[String],
    decision: Decision,
) -> String {
    let wanted = if kind.is_benign() { -1.0 } else { 1.0 };
    let speaks = |r: &&state::model::Reason| r.weight * wanted > 0.0;
    if let Some(veto) = vetoes
        .first()
        .filter(|_| !kind.is_benign() && kind != VerdictKind::TruePositive)
    {
        return format!("not closed: {veto}");
    }
    match reasons.iter().find(speaks) {
        Some(reason) => reason.claim.text.clone(),
        None if decision == Decision::Escalate => {
            "nothing found speaks clearly for or against it".to_owned()
        }
        None => "no reason was found".to_owned(),
    }
}
