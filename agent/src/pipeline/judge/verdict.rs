//! The verdict that is stored: what both analysts said, put together; deciding what follows is the room's.

use state::model::{
    Analyst, Assessment, Basis, Impact, Provenance, Reason, Tier, Verdict, VerdictKind,
    VerdictReason,
};

use crate::ctx::Ctx;
use crate::tier::{self, Dossier, ModelView, Plan, PlaybookView};

use super::{Decision, Second};

/// What was said and decided about one alert.
pub(super) struct Opinions {
    /// The playbook analyst.
    pub(super) first: PlaybookView,
    /// The model.
    pub(super) second: Second,
    /// What stands against a close.
    pub(super) vetoes: Vec<String>,
    /// What follows.
    pub(super) decision: Decision,
}

/// Puts the verdict together.
pub(super) fn verdict(
    ctx: &Ctx,
    plan: &Plan<'_>,
    tier: Tier,
    dossier: &Dossier,
    opinions: Opinions,
) -> Verdict {
    let Opinions {
        first,
        second,
        mut vetoes,
        decision,
    } = opinions;
    if decision == Decision::ProposeClose {
        vetoes.push(match &first.suggests {
            Some((_, why)) => format!("a person confirms it: {why}"),
            None => "only the model thinks it harmless; the playbook analyst does not close it"
                .to_owned(),
        });
    }
    let suggested = first.suggests.map(|(kind, _)| kind);
    let playbook = first.assessment;
    let (analyst, note, model) = said(second, playbook.verdict);
    let model = model.as_deref();
    let kind = match accepted(&playbook, (model, suggested), decision) {
        benign
            if benign.is_benign()
                && !matches!(decision, Decision::Close | Decision::ProposeClose) =>
        {
            VerdictKind::Undetermined
        }
        kind => kind,
    };
    let mut basis = basis(&playbook, model, kind);
    basis.gaps.extend(dossier.not_reached(plan, tier));
    if kind == VerdictKind::TruePositive {
        basis.techniques.extend(shown_by_events(ctx, plan, dossier));
    }
    let own = plan.alert.activities.iter();
    basis.earliest = own.filter_map(|a| a.time).min();
    let mut seen = std::collections::BTreeSet::new();
    basis.techniques.retain(|t| seen.insert(t.clone()));
    basis.sentence = sentence(kind, &basis.reasons, &vetoes, decision);
    Verdict {
        case: plan.case,
        alert: plan.alert.id,
        kind,
        reason: reason(plan, kind, &vetoes),
        impact: impact(plan, kind, first.impact),
        confidence: model.map_or(playbook.confidence, |v| v.joint_confidence(&playbook)),
        close_allowed: playbook.close_allowed,
        vetoes,
        basis,
        provenance: Provenance {
            tier,
            analyst,
            analyst_note: note,
            playbook: plan.entry.playbook.id.clone(),
            playbook_hash: plan.entry.hash.clone(),
            model: model.map(|v| v.model.clone()),
            prompt_hash: model.map(|v| v.prompt_hash.clone()),
        },
        at: ctx.now(),
    }
}

/// Who judged, what is to be said of the model, and what it said.
fn said(
    second: Second,
    playbook: VerdictKind,
) -> (Analyst, Option<String>, Option<Box<ModelView>>) {
    match second {
        Second::NotAsked => (Analyst::Playbook, None, None),
        Second::Failed(why) => (
            Analyst::PlaybookAfterModelFailure,
            Some(format!("the model failed: {why}")),
            None,
        ),
        Second::Spoke(view) => (Analyst::Model, Some(view.note(playbook)), Some(view)),
    }
}

/// Reasons, evidence, gaps and techniques of both.
fn basis(playbook: &Assessment, model: Option<&ModelView>, kind: VerdictKind) -> Basis {
    let said = || std::iter::once(playbook).chain(model.map(|v| &v.assessment));
    let reasons: Vec<Reason> = said().flat_map(|a| a.reasons.iter().cloned()).collect();
    let mut evidence_refs: Vec<String> = reasons
        .iter()
        .flat_map(|r| r.claim.evidence.clone())
        .collect();
    evidence_refs.sort_by_key(|r| r.trim_start_matches('E').parse::<u32>().unwrap_or(0));
    evidence_refs.dedup();
    // A technique is claimed where something looks real, not where nothing is known.
    let techniques = match kind {
        VerdictKind::TruePositive | VerdictKind::Suspicious => {
            said().flat_map(|a| a.techniques.iter().cloned()).collect()
        }
        _ => Vec::new(),
    };
    Basis {
        sentence: String::new(),
        probability: playbook.probability,
        reasons,
        evidence_refs,
        gaps: said().flat_map(|a| a.gaps.iter().cloned()).collect(),
        techniques,
        earliest: None,
    }
}

/// The verdict that stands: the worse of both where they differ, except where a "harmless" is only proposed.
fn accepted(
    playbook: &Assessment,
    (model, suggested): (Option<&ModelView>, Option<VerdictKind>),
    decision: Decision,
) -> VerdictKind {
    let Some(view) = model else {
        return match decision {
            Decision::ProposeClose => suggested.unwrap_or(playbook.verdict),
            _ => playbook.verdict,
        };
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

/// Techniques that the alert's own events show. What happened around it is on the timeline, each line with its own technique,
/// and counts here only where a signal made something of it.
fn shown_by_events(ctx: &Ctx, plan: &Plan<'_>, dossier: &Dossier) -> Vec<String> {
    let lines = tier::reconstruct(
        ctx.library.attack(),
        &plan.alert,
        dossier.of_ref(dossier.alert_ref()).into_iter(),
        &plan.entry.playbook,
    );
    lines.into_iter().filter_map(|l| l.technique).collect()
}

/// Sets when the earliest event happened that shows what the verdict claims.
pub(super) fn date(ctx: &Ctx, plan: &Plan<'_>, dossier: &Dossier, verdict: &mut Verdict) {
    let basis = &mut verdict.basis;
    if basis.techniques.is_empty() {
        return;
    }
    let attack = ctx.library.attack();
    let around = tier::earliest(
        (attack, &basis.techniques),
        &plan.alert,
        dossier.evidence.iter(),
        &plan.entry.playbook,
    );
    basis.earliest = basis.earliest.into_iter().chain(around).min();
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
    reasons: &[Reason],
    vetoes: &[String],
    decision: Decision,
) -> String {
    let wanted = if kind.is_benign() { -1.0 } else { 1.0 };
    let speaks = |r: &&Reason| r.weight * wanted > 0.0;
    if let Some(veto) = vetoes
        .first()
        .filter(|_| !kind.is_benign() && kind != VerdictKind::TruePositive)
    {
        return format!("not closed: {veto}");
    }
    let opposes = |r: &&Reason| r.weight * wanted < 0.0;
    let (for_it, against) = (reasons.iter().find(speaks), reasons.iter().find(opposes));
    let open = !kind.is_benign() && kind != VerdictKind::TruePositive;
    match (for_it, against) {
        (Some(for_it), Some(against)) if open => {
            let (bad, good) = (&for_it.claim.text, &against.claim.text);
            format!("unclear; against it speaks: {bad} For it: {good}")
        }
        (Some(for_it), _) => for_it.claim.text.clone(),
        (None, Some(against)) if open => {
            format!("not enough to close: {}", against.claim.text)
        }
        (None, _) if decision == Decision::Escalate => {
            "nothing found speaks clearly for or against it".to_owned()
        }
        (None, _) => "no reason was found".to_owned(),
    }
}
