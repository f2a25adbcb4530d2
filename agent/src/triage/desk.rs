//! The alerts of one case on the desk: which are investigated, which are judged by another's answers, which are left.

use std::collections::{HashMap, HashSet};

use state::model::{
    Alert, AlertId, Analyst, Case, Entity, Evidence, Spent, Tier, TimelineEvent, TimelineKind,
    Verdict, VerdictKind,
};

use crate::ctx::Ctx;
use crate::gate::Meter;
use crate::pipeline::{self, Bout, Judgement, Led, MOST_LEADS};
use crate::playbook::Entry;
use crate::tier::{Dossier, Plan};

/// A verdict on each of these alerts of a case, and what they cost.
///
/// `all` are the alerts of the case and the verdicts of earlier runs.
pub(super) async fn judge(
    ctx: &Ctx,
    case: &Case,
    all: (&[Alert], &[Verdict]),
    open: &[Alert],
    entities: &[Entity],
) -> anyhow::Result<(Vec<Verdict>, Spent)> {
    let earlier = investigated(ctx, case, all).await?;
    let alerts: Vec<&Alert> = earlier.iter().map(|(alert, _)| *alert).collect();
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
    for bout in pipeline::bouts(ctx, open, &alerts)? {
        let before = bout.before.map(|at| earlier[at]);
        let speaking = desk.work_bout(open, &bout, before).await?;
        alone.extend(speaking.into_iter().map(|alert| (alert, bout.entry)));
    }
    for (alert, entry) in alone {
        desk.lead(alert, entry).await?;
    }
    Ok((desk.verdicts, desk.spent))
}

/// Alerts that were investigated themselves in an earlier run, each with its verdict.
async fn investigated<'a>(
    ctx: &Ctx,
    case: &Case,
    (alerts, verdicts): (&'a [Alert], &'a [Verdict]),
) -> anyhow::Result<Vec<(&'a Alert, &'a Verdict)>> {
    if verdicts.is_empty() {
        return Ok(Vec::new());
    }
    let runs = ctx.store.step_runs(case.id).await?;
    let asked: HashSet<AlertId> = runs.iter().map(|r| r.alert).collect();
    let given: HashMap<AlertId, &Verdict> = verdicts.iter().map(|v| (v.alert, v)).collect();
    let by_machine = |v: &&&Verdict| v.provenance.analyst != Analyst::Human;
    let of = |a: &'a Alert| Some((a, *given.get(&a.id).filter(by_machine)?));
    let alerts = alerts.iter().filter(|a| asked.contains(&a.id));
    Ok(alerts.filter_map(of).collect())
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
        before: Option<(&Alert, &Verdict)>,
    ) -> anyhow::Result<Vec<&'a Alert>> {
        // Beside an equal one that is open already, what its answers cover needs no new ones: it is closed by none.
        if let Some((alert, verdict)) = before
            && !verdict.kind.is_benign()
            && pipeline::covers(self.ctx, alert, &open[bout.last])
        {
            let all = bout.first.iter().chain(&bout.like).chain([&bout.last]);
            let all: Vec<usize> = all.copied().collect();
            let lead = self.recall(alert, verdict).await?;
            return self.echo(open, &all, (alert, lead), Agreed::No).await;
        }
        let first = match (before, bout.first) {
            (Some((_, verdict)), _) => Some(verdict.kind),
            (None, Some(first)) => {
                let first = self.lead(&open[first], bout.entry).await?;
                first.map(|first| first.verdict.kind)
            }
            (None, None) => None,
        };
        let mut like = bout.like.clone();
        like.extend(bout.first.filter(|_| before.is_some()));
        let alert = &open[bout.last];
        let Some(last) = self.lead(alert, bout.entry).await? else {
            for at in &like {
                self.leave(&open[*at], bout.entry).await?;
            }
            return Ok(Vec::new());
        };
        let agreed = match first == Some(last.verdict.kind) {
            true => Agreed::Yes,
            false => Agreed::No,
        };
        self.echo(open, &like, (alert, last), agreed).await
    }

    /// Judges alerts by the answers found for an equal one.
    async fn echo<'a>(
        &mut self,
        open: &'a [Alert],
        like: &[usize],
        (alert, mut lead): (&Alert, Climbed<'c>),
        agreed: Agreed,
    ) -> anyhow::Result<Vec<&'a Alert>> {
        let led = Led {
            verdict: &lead.verdict,
            source_alert_id: &alert.source_alert_id,
            agreed: agreed == Agreed::Yes,
            known: &self.known,
        };
        let (mut alone, mut echoes) = (Vec::new(), Vec::new());
        for at in like {
            let (plan, dossier) = (&mut lead.plan, &mut lead.dossier);
            match pipeline::echo(self.ctx, plan, open[*at].clone(), dossier, led).await? {
                Some(verdict) => echoes.push(verdict),
                None => alone.push(&open[*at]),
            }
        }
        if !echoes.is_empty() {
            pipeline::tell_echoes(self.ctx, &lead.plan, led, echoes.len()).await?;
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

    /// Puts what an earlier run found back on the desk; only what could not be asked then is asked again.
    async fn recall(&mut self, alert: &Alert, verdict: &Verdict) -> anyhow::Result<Climbed<'c>> {
        let plan = pipeline::plan(self.ctx, self.case, alert.clone(), self.entities).await?;
        let mut dossier = Dossier::default();
        let reached = verdict.provenance.tier;
        for tier in Tier::ALL.into_iter().filter(|t| *t <= reached) {
            let meter = Meter::new(self.ctx.config.tiers.of(tier).budget.clone());
            pipeline::investigate(self.ctx, &plan, tier, &meter, &mut dossier).await?;
            self.spent = self.spent.plus(meter.spent());
        }
        Ok(Climbed {
            verdict: verdict.clone(),
            plan,
            dossier,
        })
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

/// Whether both ends of a bout were judged alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agreed {
    Yes,
    No,
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
