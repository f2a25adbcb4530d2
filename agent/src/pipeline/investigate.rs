//! Room `investigate`: graph to evidence; one step run and one tool call a step, independent steps side by side.

use futures::future::join_all;
use serde_json::{Map, Value, json};
use state::model::{
    Answer, Evidence, StepRun, StepState, Tier, TimelineEvent, TimelineKind, ToolClass, Trust,
};

use crate::ctx::Ctx;
use crate::gate::{self, Called, Meter, Origin, Request};
use crate::playbook::{Conditions, Roots, Step, StepTarget};
use crate::precedent::History;
use crate::scan::Scan;
use crate::tier::{Dossier, Plan, Unasked};

use super::baseline;
use super::rows::in_rows;

/// Works all steps up to a tier that are not done, as far as the graph allows.
///
/// # Errors
/// When the store fails. A tool that fails is evidence, not an error.
pub async fn investigate(
    ctx: &Ctx,
    plan: &Plan<'_>,
    tier: Tier,
    meter: &Meter,
    dossier: &mut Dossier,
) -> anyhow::Result<()> {
    if dossier.evidence.is_empty() {
        recall(ctx, plan, dossier).await?;
    }
    let steps = plan.entry.playbook.steps.iter();
    dossier.inventory = steps.filter_map(|s| inventory(ctx, s)).collect();
    loop {
        let done = dossier.done();
        let ready = plan
            .entry
            .graph
            .ready(&plan.entry.playbook.steps, tier, &done);
        if ready.is_empty() {
            return Ok(());
        }
        let conditions = conditions(plan, &ready, dossier)?;
        let mut asked = Vec::new();
        for step in ready {
            match wish(ctx, plan, step, conditions.as_ref()) {
                Ok(wish) => asked.push((step, wish)),
                Err(unasked) => drop(dossier.unasked.insert(step.id.clone(), unasked)),
            }
        }
        let runs = asked
            .iter()
            .map(|(step, wish)| begin(ctx, plan, step, wish, meter));
        for (begun, (step, wish)) in join_all(runs).await.into_iter().zip(&asked) {
            let (run, ended) = begun?;
            let (found, scan) = finish(ctx, plan, (step, wish), run, ended).await?;
            dossier.add_step(&step.id, found, scan);
        }
    }
}

/// The name of a step that asks an inventory.
fn inventory(ctx: &Ctx, step: &Step) -> Option<String> {
    let StepTarget::Tool(tool) = &step.target else {
        return None;
    };
    let entry = ctx.catalogue.get(tool)?;
    entry.spec.answer.inventory.then(|| step.id.clone())
}

/// Puts the alert itself and the finished steps of an earlier attempt back on the desk.
async fn recall(ctx: &Ctx, plan: &Plan<'_>, dossier: &mut Dossier) -> anyhow::Result<()> {
    let known = ctx.store.evidence_of(plan.case).await?;
    let own = own_evidence(ctx, plan, &known).await?;
    let scan = gate::scan(ctx, &own);
    dossier.add(own, scan);
    remember(ctx, plan, &known, dossier).await?;
    if !same_playbook(ctx, plan).await? {
        return Ok(());
    }
    for run in ctx.store.step_runs(plan.case).await? {
        if run.alert != plan.alert.id || run.state != StepState::Done {
            continue;
        }
        let evidence = known
            .iter()
            .find(|e| Some(&e.reference) == run.evidence.as_ref());
        // What could not be asked then may be answered now.
        if let Some(evidence) = evidence.filter(|e| e.answer != Answer::Failed) {
            dossier.add_step(&run.step, evidence.clone(), gate::scan(ctx, evidence));
        }
    }
    Ok(())
}

/// Puts on the desk how often the rule fired and what people said of its alerts; what was read once for an alert stays.
async fn remember(
    ctx: &Ctx,
    plan: &Plan<'_>,
    known: &[Evidence],
    dossier: &mut Dossier,
) -> anyhow::Result<()> {
    let label = format!("history:{}", plan.alert.id.0);
    let evidence = match known.iter().find(|e| e.asked_by == label) {
        Some(evidence) => evidence.clone(),
        None => {
            let rules = &ctx.config.closing.precedents;
            let Some(history) = History::of(&ctx.store, rules, &plan.alert).await? else {
                return Ok(());
            };
            let found = history_evidence(ctx, plan, &label, &history)?;
            ctx.store.add_evidence(found).await?
        }
    };
    let history = serde_json::from_value(evidence.value.clone())?;
    let scan = gate::scan(ctx, &evidence);
    dossier.history = Some((evidence.reference.clone(), history));
    dossier.add(evidence, scan);
    Ok(())
}

fn history_evidence(
    ctx: &Ctx,
    plan: &Plan<'_>,
    label: &str,
    history: &History,
) -> anyhow::Result<Evidence> {
    let value = serde_json::to_value(history)?;
    let counts = History::counts(Some(history));
    let told = |harmless: usize, harmful: usize| {
        format!("{harmless} cases harmless and {harmful} harmful")
    };
    let summary = format!(
        "how earlier alerts of the rule ended: in 30 days {} fired, {} of them for this principal; people called {}; \
         of this principal {}",
        counts.fired,
        counts.fired_for_principal,
        told(counts.said.harmless_of_rule, counts.said.harmful_of_rule),
        told(
            counts.said.harmless_for_principal,
            counts.said.harmful_for_principal
        )
    );
    Ok(Evidence {
        case: plan.case,
        reference: String::new(),
        asked_by: label.to_owned(),
        tool: "history".to_owned(),
        call: None,
        answer: Answer::Found,
        summary,
        digest: crate::data::sha256_hex(value.to_string()),
        value,
        activities: Vec::new(),
        trust: Trust::Trusted,
        at: ctx.now(),
    })
}

/// The alert itself as evidence: from an earlier attempt, or stored now.
pub(super) async fn own_evidence(
    ctx: &Ctx,
    plan: &Plan<'_>,
    known: &[Evidence],
) -> anyhow::Result<Evidence> {
    let label = format!("alert:{}", plan.alert.id.0);
    if let Some(evidence) = known.iter().find(|e| e.asked_by == label) {
        return Ok(evidence.clone());
    }
    let own = alert_evidence(ctx, plan, &label);
    let own = ctx.store.add_evidence(own).await?;
    let events = gate::flagged(ctx, &own, &gate::scan(ctx, &own));
    ctx.store.add_events(events).await?;
    Ok(own)
}

/// Whether every attempt on this alert went by the playbook in force: an answer to another question is no answer.
async fn same_playbook(ctx: &Ctx, plan: &Plan<'_>) -> anyhow::Result<bool> {
    let told = ctx.store.timeline(plan.case).await?;
    let ours = |e: &&TimelineEvent| {
        e.kind == TimelineKind::Planned && e.data["alert"] == plan.alert.source_alert_id.as_str()
    };
    Ok(told
        .iter()
        .filter(ours)
        .all(|e| e.data["hash"] == plan.entry.hash.as_str()))
}

fn alert_evidence(ctx: &Ctx, plan: &Plan<'_>, label: &str) -> Evidence {
    let raw: Value =
        serde_json::from_str(&plan.alert.raw).unwrap_or_else(|_| json!({"text": plan.alert.raw}));
    Evidence {
        case: plan.case,
        reference: String::new(),
        asked_by: label.to_owned(),
        tool: "alert".to_owned(),
        call: None,
        answer: Answer::Found,
        summary: format!("the alert {} itself", plan.alert.source_alert_id),
        value: raw,
        activities: plan.alert.activities.clone(),
        trust: Trust::Untrusted,
        digest: crate::data::sha256_hex(&plan.alert.raw),
        at: ctx.now(),
    }
}

/// A call that a step wishes to make.
struct Wish {
    tool: String,
    arguments: Map<String, Value>,
    /// Names of the arguments that hold a value an outsider may have written.
    untrusted: Vec<String>,
    /// The most rows that are taken of a named query's answer.
    most: Option<u64>,
}

/// What the conditions of these steps may read; nothing when none has a condition.
fn conditions(
    plan: &Plan<'_>,
    steps: &[&Step],
    dossier: &Dossier,
) -> anyhow::Result<Option<Conditions>> {
    if steps.iter().all(|s| s.when.is_none()) {
        return Ok(None);
    }
    let scene = dossier.scene(plan);
    Ok(Some(Conditions::new(&scene.trusted(), &scene.any())?))
}

fn wish(
    ctx: &Ctx,
    plan: &Plan<'_>,
    step: &Step,
    conditions: Option<&Conditions>,
) -> Result<Wish, Unasked> {
    let gap = |why: String| Unasked { why, is_gap: true };
    if let (Some(when), Some(conditions)) = (&step.when, conditions) {
        // A condition without an answer is no reason not to ask.
        if conditions.holds(when, Roots::All) == Ok(false) {
            let why = format!("not needed: `{}` does not hold", when.source());
            return Err(Unasked { why, is_gap: false });
        }
    }
    let filled = plan
        .slots
        .fill(&step.args)
        .map_err(|e| gap(e.to_string()))?;
    let mut untrusted = filled.untrusted;
    let (tool, arguments, most) = match &step.target {
        StepTarget::Tool(tool) => (tool.clone(), filled.arguments, None),
        StepTarget::Query(name) => {
            let dialect = ctx.library.dialect();
            let asked = dialect
                .ask(name, &filled.arguments, plan.alert.time, plan.as_of)
                .map_err(|e| gap(e.to_string()))?;
            if !untrusted.is_empty() {
                untrusted = vec![dialect.argument().to_owned()];
            }
            let arguments = dialect.arguments(&asked);
            (ctx.config.queries.tool.clone(), arguments, asked.most)
        }
    };
    let server = tool.split('.').next().unwrap_or_default();
    if !ctx.catalogue.has_server(server) {
        return Err(gap(format!("no server `{server}` is configured")));
    }
    Ok(Wish {
        tool,
        arguments,
        untrusted,
        most,
    })
}

async fn begin(
    ctx: &Ctx,
    plan: &Plan<'_>,
    step: &Step,
    wish: &Wish,
    meter: &Meter,
) -> anyhow::Result<(StepRun, Ended)> {
    let run = StepRun {
        case: plan.case,
        alert: plan.alert.id,
        step: step.id.clone(),
        tier: step.tier,
        class: ctx
            .catalogue
            .get(&wish.tool)
            .map_or(ToolClass::ReadInternal, |e| e.spec.class),
        state: StepState::Started,
        evidence: None,
        started: ctx.now(),
    };
    ctx.store.begin_step(&run).await?;
    let request = Request {
        subject: &plan.subject,
        tier: step.tier,
        asked_by: &step.id,
        tool: &wish.tool,
        arguments: wish.arguments.clone(),
        as_of: plan.as_of,
        origin: Origin::Playbook {
            untrusted: &wish.untrusted,
        },
    };
    if let Some(kept) = baseline::kept(ctx, plan, step, &request).await? {
        return Ok((run, Ended::Kept(kept)));
    }
    let called = gate::call(ctx, meter, request).await;
    Ok((run, Ended::Called(called)))
}

/// How a step's question ended.
enum Ended {
    /// It was asked.
    Called(Called),
    /// A kept answer stands in its place.
    Kept(Evidence),
}

async fn finish(
    ctx: &Ctx,
    plan: &Plan<'_>,
    asked: (&Step, &Wish),
    run: StepRun,
    ended: Ended,
) -> anyhow::Result<(Evidence, Scan)> {
    let (step, wish) = asked;
    let mut evidence = match (ended, &step.target) {
        (Ended::Kept(evidence), _) => evidence,
        (Ended::Called(called), target) => {
            let called = match target {
                StepTarget::Query(name) => in_rows(ctx, name, (&wish.tool, wish.most), called),
                StepTarget::Tool(_) => called,
            };
            gate::evidence(ctx, plan.case, &step.id, &wish.tool, called)
        }
    };
    if evidence.answer.is_complete() {
        evidence.summary = format!("{} {}", step.asks, evidence.summary);
    }
    let scan = gate::scan(ctx, &evidence);
    let tell = |found: &Evidence| {
        let kind = match found.answer {
            Answer::Failed => TimelineKind::StepFailed,
            _ => TimelineKind::StepDone,
        };
        let message = match found.answer.is_complete() {
            true => format!("{} {}", found.reference, found.summary),
            false => format!("{} {}: {}", found.reference, step.asks, found.summary),
        };
        let data = json!({"step": step.id, "tool": found.tool, "evidence": found.reference, "answer": found.answer});
        let mut events = vec![TimelineEvent::ours(plan.case, ctx.now(), kind, message).with(data)];
        events.extend(gate::flagged(ctx, found, &scan));
        events
    };
    let found = ctx.store.finish_step(run, evidence, tell).await?;
    Ok((found, scan))
}
