//! The alerts of one case on the desk: which are investigated, which are judged by another's answers, which are left.

use state::model::{
    Alert, Case, Entity, Evidence, Spent, Tier, TimelineEvent, TimelineKind, Verdict, VerdictKind,
};

use crate::ctx::Ctx;
use crate::gate::Meter;
use crate::pipeline::{self, Bout, Judgement, Led, MOST_LEADS};
use crate::playbook::Entry;
use crate::tier::{Dossier, Plan};

/// A verdict on each of these alerts of a case, and what they cost.
pub(super) async fn judge(
    ctx: &Ctx,
    case: &Case,
    open: &[Alert],
    entities: &[Entity],
) -> anyhow::Result<(Vec<Verdict>, Spent)> {
    let mut desk = Desk {
        ctx,
        case,
        entities,
        known: ctx.store.evidence_of(case.id).await?,
        verdicts: Vec::new(),
        spent: Spent::default(),
        leads: 0,
        spare: None,
    };
    let mut alone = Vec::new();
    for bout in pipeline::bouts(ctx, open)? {
        let speaking = desk.work_bout(open, &bout).await?;
        alone.extend(speaking.into_iter().map(|alert| (alert, bout.entry)));
    }
    for (alert, entry) in alone {
        desk.lead(alert, entry).await?;
    }
    Ok((desk.verdicts, desk.spent))
}

/// What a run has come to so far.
struct Desk<'c> {
    ctx: &'c Ctx,
    case: &'c Case,
    entities: &'c [Entity],
    known: Vec<Evidence>,
    verdicts: Vec<Verdict>,
    spent: Spent,
    leads: usize,
    /// The plan of the last alert that was left to a person.
    spare: Option<Plan<'c>>,
}

impl<'c> Desk<'c> {
    /// Judges equal alerts; gives those whose own text speaks against them, so that they need an investigation.
    async fn work_bout<'a>(
        &mut self,
        open: &'a [Alert],
        bout: &Bout<'c>,
    ) -> anyhow::Result<Vec<&'a Alert>> {
        let first = match bout.first {
            Some(first) => self.lead(&open[first], bout.entry).await?,
            None => None,
        };
        let Some(mut last) = self.lead(&open[bout.last], bout.entry).await? else {
            for at in &bout.like {
                self.leave(&open[*at], bout.entry).await?;
            }
            return Ok(Vec::new());
        };
        let led = Led {
            verdict: &last.verdict,
            source_alert_id: &open[bout.last].source_alert_id,
            agreed: first.is_some_and(|f| f.verdict.kind == last.verdict.kind),
            known: &self.known,
        };
        let (mut alone, mut echoes) = (Vec::new(), Vec::new());
        for at in &bout.like {
            let alert = open[*at].clone();
            let (plan, dossier) = (&mut last.plan, &mut last.dossier);
            match pipeline::echo(self.ctx, plan, alert, dossier, led).await? {
                Some(verdict) => echoes.push(verdict),
                None => alone.push(&open[*at]),
            }
        }
        if !echoes.is_empty() {
            pipeline::tell_echoes(self.ctx, &last.plan, led, echoes.len()).await?;
        }
        self.verdicts.extend(echoes);
        Ok(alone)
    }

    /// Investigates an alert; none when too many of the case were already: then it is left to a person.
    async fn lead(
        &mut self,
        alert: &Alert,
        entry: &'c Entry,
    ) -> anyhow::Result<Option<Climbed<'c>>> {
        if self.leads >= MOST_LEADS {
            self.leave(alert, entry).await?;
            return Ok(None);
        }
        self.leads += 1;
        let plan = pipeline::plan(self.ctx, self.case, alert.clone(), self.entities).await?;
        let (climbed, cost) = climb(self.ctx, plan).await?;
        self.verdicts.push(climbed.verdict.clone());
        self.spent = self.spent.plus(cost);
        Ok(Some(climbed))
    }

    async fn leave(&mut self, alert: &Alert, entry: &'c Entry) -> anyhow::Result<()> {
        let worst = self.verdicts.iter().map(|v| v.kind);
        let worst = worst.max_by_key(|kind| kind.rank());
        let worst = worst.unwrap_or(VerdictKind::Undetermined);
        let mut plan = match self.spare.take() {
            Some(plan) => plan,
            None => pipeline::plan(self.ctx, self.case, alert.clone(), self.entities).await?,
        };
        plan.entry = entry;
        let left = pipeline::leave(self.ctx, &mut plan, alert.clone(), &self.known, worst).await?;
        self.verdicts.push(left);
        self.spare = Some(plan);
        Ok(())
    }
}

/// An alert that was investigated, with all that was found.
struct Climbed<'c> {
    verdict: Verdict,
    plan: Plan<'c>,
    dossier: Dossier,
}

/// Up the tiers until one settles it.
async fn climb<'c>(ctx: &'c Ctx, plan: Plan<'c>) -> anyhow::Result<(Climbed<'c>, Spent)> {
    let mut dossier = Dossier::default();
    let mut spent = Spent::default();
    for tier in Tier::ALL {
        if tier != Tier::One {
            let message = format!("tier {tier} ({})", tier.name());
            let event =
                TimelineEvent::ours(plan.case, ctx.now(), TimelineKind::TierReached, message);
            ctx.store.add_events(vec![event]).await?;
        }
        let meter = Meter::new(ctx.config.tiers.of(tier).budget.clone());
        pipeline::investigate(ctx, &plan, tier, &meter, &mut dossier).await?;
        let judgement = pipeline::judge(ctx, &plan, tier, &meter, &mut dossier).await?;
        spent = spent.plus(meter.spent());
        if let Judgement::Settled(verdict) = judgement {
            let climbed = Climbed {
                verdict: *verdict,
                plan,
                dossier,
            };
            return Ok((climbed, spent));
        }
    }
    anyhow::bail!("no tier settled the alert {}", plan.alert.source_alert_id)
}
