//! Judging an alert by the answers that were found for an equal one: its own text and vetoes count, and no call is made.

use state::model::{
    Alert, Evidence, Gap, Tier, TimelineEvent, TimelineKind, Verdict, VerdictKind, VerdictReason,
};

use crate::ctx::Ctx;
use crate::gate;
use crate::playbook::{Conditions, Roots, Slots};
use crate::precedent::likeness;
use crate::tier::{self, Dossier, Plan};

use super::verdict::{Opinions, verdict};
use super::{Decision, Second, decide, vetoes};
use crate::pipeline::investigate::own_evidence;

/// What the investigated alerts of a bout came to.
#[derive(Debug, Clone, Copy)]
pub struct Led<'v> {
    /// The verdict on the one whose answers are used.
    pub verdict: &'v Verdict,
    /// The alert it is on, by the id of its source.
    pub source_alert_id: &'v str,
    /// Whether all investigated alerts of the bout were judged alike.
    pub agreed: bool,
    /// What the store holds of the case's alerts from an earlier attempt.
    pub known: &'v [Evidence],
}

/// Puts an equal alert in the place of the one that was investigated and judges it.
///
/// It is judged harmless only when the investigated ones were and its own judgement closes it too. None when its own
/// text speaks against it while they are harmless: then it has to be investigated itself.
///
/// # Errors
/// When the store fails.
pub async fn echo(
    ctx: &Ctx,
    plan: &mut Plan<'_>,
    alert: Alert,
    dossier: &mut Dossier,
    led: Led<'_>,
) -> anyhow::Result<Option<Verdict>> {
    take_place(ctx, plan, (alert, led.known), dossier).await?;
    let tier = led.verdict.provenance.tier;
    if asks_more(plan, dossier, tier)? {
        return Ok(None);
    }
    let first = tier::ask_playbook(plan, dossier, tier)?;
    let vetoes = vetoes(ctx, plan, &first, dossier).await?;
    let lead_closes = led.verdict.kind.is_benign() && led.verdict.vetoes.is_empty();
    let own = decide(tier, &first, &Second::NotAsked, &vetoes);
    let decision = match (lead_closes, own) {
        (true, Decision::Close) if led.agreed => Decision::Close,
        (true, Decision::Close) | (false, _) => Decision::Escalate,
        (true, _) => return Ok(None),
    };
    let opinions = Opinions {
        first,
        second: Second::NotAsked,
        vetoes,
        decision,
    };
    let mut given = verdict(ctx, plan, tier, dossier, opinions);
    let note = format!(
        "equal to alert {} in every trusted field and judged by the answers found for it",
        led.source_alert_id
    );
    given.basis.sentence = format!("{note}: {}", given.basis.sentence);
    given.provenance.analyst_note = Some(match led.verdict.provenance.model {
        Some(_) => format!("{note}; the model was asked about that one alone"),
        None => note,
    });
    if lead_closes && !led.agreed {
        let why = "the first and the last of these equal alerts were not judged alike";
        given.vetoes.push(why.to_owned());
    }
    Ok(Some(given))
}

/// The verdict on an alert that nobody looks at, because its case has too many that differ: a person has to.
///
/// # Errors
/// When the store fails.
pub async fn leave(
    ctx: &Ctx,
    plan: &mut Plan<'_>,
    alert: Alert,
    known: &[Evidence],
    worst: VerdictKind,
) -> anyhow::Result<Verdict> {
    let mut dossier = Dossier::default();
    take_place(ctx, plan, (alert, known), &mut dossier).await?;
    let first = tier::ask_playbook(plan, &dossier, Tier::One)?;
    let why = format!(
        "the case has more than {} alerts that differ; this one was not investigated",
        super::super::storm::MOST_LEADS
    );
    let mut vetoes: Vec<String> = dossier.speaking().collect();
    vetoes.push(why.clone());
    let opinions = Opinions {
        first,
        second: Second::NotAsked,
        vetoes,
        decision: Decision::Escalate,
    };
    let mut given = verdict(ctx, plan, Tier::One, &dossier, opinions);
    // What stands beside something real or unclear is no less than unclear itself.
    let open = [VerdictKind::Undetermined, VerdictKind::Suspicious];
    given.kind = match (given.kind, worst) {
        (VerdictKind::TruePositive, _) => VerdictKind::Suspicious,
        (kind, VerdictKind::TruePositive) if open.contains(&kind) => VerdictKind::Suspicious,
        (kind, _) => kind,
    };
    given.reason = VerdictReason::NeedsHuman;
    given.close_allowed = false;
    given.basis.sentence = format!("not closed: {why}");
    given.basis.gaps.insert(
        0,
        Gap {
            what: "every question of its playbook".to_owned(),
            why,
            required: true,
        },
    );
    Ok(given)
}

/// Puts an alert's own evidence first in the dossier and makes the plan its own.
async fn take_place(
    ctx: &Ctx,
    plan: &mut Plan<'_>,
    (alert, known): (Alert, &[Evidence]),
    dossier: &mut Dossier,
) -> anyhow::Result<()> {
    plan.slots = Slots::of(&alert);
    plan.as_of = ctx.config.run.as_of(alert.time);
    if let Some((_, history)) = &mut dossier.history {
        // Equal in trusted fields is not alike: people's words count by its own content.
        history.likeness = likeness(&alert);
    }
    plan.alert = alert;
    let own = own_evidence(ctx, plan, known).await?;
    let scan = gate::scan(ctx, &own);
    dossier.stand_in(own, scan);
    Ok(())
}

/// Whether a step that was left out of the investigation would be asked for this alert.
fn asks_more(plan: &Plan<'_>, dossier: &Dossier, tier: Tier) -> anyhow::Result<bool> {
    let steps = plan.entry.playbook.steps.iter();
    let left_out: Vec<_> = steps
        .filter(|s| s.tier <= tier)
        .filter(|s| dossier.unasked.get(&s.id).is_some_and(|u| !u.is_gap))
        .filter_map(|s| s.when.as_ref())
        .collect();
    if left_out.is_empty() {
        return Ok(false);
    }
    let scene = dossier.scene(plan);
    let conditions = Conditions::new(&scene.trusted(), &scene.any())?;
    let asked = |when| conditions.holds(when, Roots::All) != Ok(false);
    Ok(left_out.into_iter().any(asked))
}

/// One line in the timeline for all alerts that were judged by another's answers.
///
/// # Errors
/// When the store fails.
pub async fn tell_echoes(ctx: &Ctx, plan: &Plan<'_>, led: Led<'_>, n: usize) -> anyhow::Result<()> {
    let message = format!(
        "{n} alerts equal to {} in every trusted field were judged by the answers found for it",
        led.source_alert_id
    );
    let event = TimelineEvent::ours(plan.case, ctx.now(), TimelineKind::Assessed, message);
    Ok(ctx.store.add_events(vec![event]).await?)
}
