//! Room `tell`: how a case stands, to what is said of its alerts at their sources and to its ticket; proposals through the gate, taken from
//! an outbox that the store fills with every change, so that neither a crash nor a person beside the daemon is missed.

use state::model::{
    Alert, Case, CaseStatus, Effect, EffectDecision, Switch, TimelineEvent, TimelineKind,
};
use state::store::{NewApproval, Telling, Untold, wait_after};

use crate::ctx::Ctx;
use crate::gate::{self, Origin, Proposal, Saying, Speaks, Subject, Unsent};
use crate::text::oneline;

use super::ticket;

/// Cases told at once.
const MOST: i64 = 50;
/// Cases told in a beat of the daemon.
const SHARE: i64 = 10;

/// What was said before and stays said: where it stands there.
const SAID: [EffectDecision; 5] = [
    EffectDecision::AwaitingApproval,
    EffectDecision::Due,
    EffectDecision::Started,
    EffectDecision::Executed,
    EffectDecision::Unknown,
];

/// Proposes what is to be said of every case that has changed. One that can't be told now is tried again later.
///
/// # Errors
/// When the store fails.
pub async fn tell(ctx: &Ctx) -> anyhow::Result<()> {
    while share(ctx, MOST).await? {}
    Ok(())
}

/// Proposes what is to be said of some cases that have changed, those that wait longest first.
///
/// # Errors
/// When the store fails.
pub async fn tell_some(ctx: &Ctx) -> anyhow::Result<()> {
    share(ctx, SHARE).await.map(drop)
}

/// Tells `most` cases; whether there may be more.
async fn share(ctx: &Ctx, most: i64) -> anyhow::Result<bool> {
    let mut sources = ctx.config.sources.iter();
    // Without live effects there is no ticket that could be told anything.
    if !ctx.config.effects.live && !sources.any(|s| ctx.config.write_back(&s.name).is_some()) {
        ctx.store.nothing_to_tell().await?;
        return Ok(false);
    }
    let untold = ctx.store.untold(ctx.now(), most).await?;
    let more = untold.len() >= usize::try_from(most)?;
    tell_each(ctx, untold).await?;
    Ok(more)
}

async fn tell_each(ctx: &Ctx, untold: Vec<Untold>) -> anyhow::Result<()> {
    for untold in untold {
        let told = match plan(ctx, untold).await {
            Ok(Ok(telling)) => ctx.store.tell(&telling).await.map_err(|e| e.to_string()),
            Ok(Err(why)) => Err(why),
            // A fault of one case is not one of the others.
            Err(e) => Err(format!("{e:#}")),
        };
        match told {
            Ok(()) => {}
            Err(why) => {
                let due = ctx.now() + wait_after(untold.tries.saturating_add(1));
                tracing::warn!(case = %untold.case, %why, %due, "a case can't be told at its source; it is tried again");
                ctx.store.tell_later(untold, due).await?;
            }
        }
    }
    Ok(())
}

/// What is to be said, or why it can't be now.
async fn plan(ctx: &Ctx, untold: Untold) -> anyhow::Result<Result<Telling, String>> {
    let case = ctx.store.case(untold.case).await?;
    let mut telling = Telling {
        untold,
        effects: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
        now: ctx.now(),
    };
    let alerts = ctx.store.alerts_of(case.id).await?;
    let alerts: Vec<&Alert> = alerts
        .iter()
        .filter(|a| ctx.config.write_back(&a.source).is_some())
        .collect();
    // A case in work is told when it has come to its end.
    if matches!(case.status, CaseStatus::New | CaseStatus::Triaging) {
        return Ok(Ok(telling));
    }
    if ctx.config.effects.live
        && let Some(why) = gate::stopped(ctx, Switch::Effects).await
    {
        return Ok(Err(why));
    }
    let subject = Subject::read(&ctx.store, case.id).await?;
    let verdicts = ctx.store.current_verdicts(case.id).await?;
    match ticket::change(ctx, &case, &subject, &verdicts).await? {
        Ok(None) => {}
        Ok(Some(change)) => tell_ticket(ctx, (&case, &subject), change, &mut telling).await?,
        Err(why) => return Ok(Err(why)),
    }
    for alert in alerts {
        match gate::sayings(ctx, &subject, alert).await {
            Ok(sayings) => {
                for saying in sayings {
                    say(ctx, (&subject, alert), saying, &mut telling).await?;
                }
            }
            Err(Unsent::CannotTell(gap)) => return Ok(Err(gap.to_string())),
            Err(Unsent::Refused(refusal)) => {
                let why = format!(
                    "nothing is said of {} at its source: {refusal}",
                    name(alert)
                );
                telling.events.push(event(ctx, alert, &subject, why));
            }
        }
    }
    Ok(Ok(telling))
}

/// Proposes what the case's ticket is to be told, unless it was told so before.
async fn tell_ticket(
    ctx: &Ctx,
    of: (&Case, &Subject),
    change: ticket::Call,
    telling: &mut Telling,
) -> anyhow::Result<()> {
    let (case, subject) = of;
    let proposal = Proposal {
        subject,
        tool: &change.tool,
        arguments: change.arguments,
        target: "",
        d3fend: None,
        origin: Origin::Daemon,
        as_of: ctx.config.run.as_of(case.alert_time),
        speaks: None,
    };
    let (effect, question) = gate::propose(ctx, proposal).await?;
    let earlier = ctx.store.effects_of(case.id).await?;
    let told = |e: &&Effect| e.tool == effect.tool && SAID.contains(&e.decision);
    if earlier
        .iter()
        .filter(told)
        .any(|e| e.arguments == effect.arguments)
    {
        return Ok(());
    }
    let why = format!(
        "the case's ticket is to be told: {}: {}",
        effect.word(),
        effect.reason
    );
    let kind = TimelineKind::EffectProposed;
    telling
        .events
        .push(TimelineEvent::ours(case.id, ctx.now(), kind, why));
    keep(telling, effect, question);
    Ok(())
}

fn keep(telling: &mut Telling, effect: Effect, question: Option<NewApproval>) {
    if let Some(mut question) = question {
        question.effect = Some(telling.effects.len());
        telling.approvals.push(question);
    }
    telling.effects.push(effect);
}

/// Proposes one saying, unless it was the last one of its kind.
async fn say(
    ctx: &Ctx,
    of: (&Subject, &Alert),
    saying: Saying,
    telling: &mut Telling,
) -> anyhow::Result<()> {
    let (subject, alert) = of;
    let arguments = gate::canonical(&serde_json::Value::Object(saying.arguments.clone()));
    let earlier = ctx.store.effects_on(alert.id).await?;
    let said = |e: &&Effect| e.tool == saying.tool && SAID.contains(&e.decision);
    if earlier
        .iter()
        .rfind(said)
        .is_some_and(|e| e.arguments == arguments)
    {
        return Ok(());
    }
    let equal = earlier
        .iter()
        .filter(said)
        .filter(|e| e.arguments == arguments);
    let proposal = Proposal {
        subject,
        tool: &saying.tool,
        arguments: saying.arguments.clone(),
        target: &alert.source_alert_id,
        d3fend: None,
        origin: Origin::Daemon,
        as_of: alert.time,
        speaks: Some(Speaks {
            alert: alert.id,
            wanted: saying.wanted.clone(),
            round: i64::try_from(equal.count()).unwrap_or(i64::MAX),
        }),
    };
    let (effect, question) = gate::propose(ctx, proposal).await?;
    let what = match &saying.wanted {
        Some(status) => format!("status `{}`", oneline(status, 60)),
        None => "a comment".to_owned(),
    };
    let why = format!(
        "{what} for {} at its source: {}: {}",
        name(alert),
        effect.word(),
        effect.reason
    );
    telling.events.push(event(ctx, alert, subject, why));
    keep(telling, effect, question);
    Ok(())
}

fn name(alert: &Alert) -> String {
    oneline(&alert.source_alert_id, 100)
}

fn event(ctx: &Ctx, alert: &Alert, subject: &Subject, why: String) -> TimelineEvent {
    let data = serde_json::json!({"alert": alert.source_alert_id, "source": alert.source});
    TimelineEvent::ours(subject.case, ctx.now(), TimelineKind::EffectProposed, why).with(data)
}
