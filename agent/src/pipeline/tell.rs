//! Room `tell`: how a case stands, to what is said of its alerts at their sources and to its ticket; proposals through the gate, taken from
//! an outbox that the store fills with every change, so that neither a crash nor a person beside the daemon is missed.

use state::model::{
    Alert, Case, CaseStatus, Effect, EffectDecision, Switch, TimelineEvent, TimelineKind,
};
use state::store::{Telling, Untold, wait_after};

use crate::ctx::Ctx;
use crate::gate::{self, Origin, Proposal, Saying, Speaks, Subject, Unsent};
use crate::text::oneline;

use super::{bare, hang, ticket};

/// Cases told at once.
const MOST: i64 = 50;
/// Cases told in a beat of the daemon.
const SHARE: i64 = 10;

/// So many attempts at telling a case must have failed before people are told of it.
const STUCK: i64 = 6;
/// So often a ticket that was made is looked for.
const LOOKS: i64 = 10;

/// A case that could not be told outside for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The change of the case that is not told.
    pub untold: Untold,
    /// Why.
    pub why: String,
}

/// What was said before and stays said: where it stands there.
const SAID: [EffectDecision; 5] = [
    EffectDecision::AwaitingApproval,
    EffectDecision::Due,
    EffectDecision::Started,
    EffectDecision::Executed,
    EffectDecision::Unknown,
];

/// Proposes what is to be said of every case that has changed. One that can't be told now is tried again later; gives those
/// that were tried often.
///
/// # Errors
/// When the store fails.
pub async fn tell(ctx: &Ctx) -> anyhow::Result<Vec<Stuck>> {
    let mut stuck = Vec::new();
    while share(ctx, MOST, &mut stuck).await? {}
    Ok(stuck)
}

/// Proposes what is to be said of some cases that have changed, those that wait longest first; gives those that were tried
/// often.
///
/// # Errors
/// When the store fails.
pub async fn tell_some(ctx: &Ctx) -> anyhow::Result<Vec<Stuck>> {
    let mut stuck = Vec::new();
    share(ctx, SHARE, &mut stuck).await?;
    Ok(stuck)
}

/// Tells `most` cases; whether there may be more.
async fn share(ctx: &Ctx, most: i64, stuck: &mut Vec<Stuck>) -> anyhow::Result<bool> {
    let mut sources = ctx.config.sources.iter();
    // Without live effects there is no ticket that could be told anything.
    if !ctx.config.effects.live && !sources.any(|s| ctx.config.write_back(&s.name).is_some()) {
        ctx.store.nothing_to_tell().await?;
        return Ok(false);
    }
    let untold = ctx.store.untold(ctx.now(), most).await?;
    let more = untold.len() >= usize::try_from(most)?;
    for untold in untold {
        // A fault of one case is not one of the others.
        let late = match tell_one(ctx, untold).await {
            Ok(late) => late,
            Err(e) => Some(format!("{e:#}")),
        };
        let Some(why) = late else { continue };
        let due = ctx.now() + wait_after(untold.tries.saturating_add(1));
        tracing::warn!(case = %untold.case, %why, %due, "a case can't be told at its source; it is tried again");
        ctx.store.tell_later(untold, due).await?;
        if untold.tries >= STUCK {
            stuck.push(Stuck { untold, why });
        }
    }
    Ok(more)
}

/// Stores what can be said of a case now; gives why the rest can't be, if so.
async fn tell_one(ctx: &Ctx, untold: Untold) -> anyhow::Result<Option<String>> {
    let (mut telling, late) = plan(ctx, untold).await?;
    if late.is_some() {
        // It stays in the outbox, and what is told once it is out is told then.
        telling.untold.rev = 0;
        if telling.effects.is_empty() {
            return Ok(late);
        }
    }
    ctx.store.tell(&telling).await?;
    Ok(late)
}

/// What is to be said, and why something else can't be now.
async fn plan(ctx: &Ctx, untold: Untold) -> anyhow::Result<(Telling, Option<String>)> {
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
        return Ok((telling, None));
    }
    if ctx.config.effects.live
        && let Some(why) = gate::stopped(ctx, Switch::Effects).await
    {
        return Ok((telling, Some(why)));
    }
    let subject = Subject::read(&ctx.store, case.id).await?;
    let verdicts = ctx.store.current_verdicts(case.id).await?;
    let (mut late, mut refused) = (None, Vec::new());
    match ticket::change(ctx, &case, &subject, &verdicts).await? {
        Ok(None) => {}
        Ok(Some(change)) => tell_ticket(ctx, (&case, &subject), change, &mut telling).await?,
        Err(ticket::Unfound::Absent(why)) if untold.tries >= LOOKS => {
            let why = format!("nothing is told to the case's ticket: {why}");
            let kind = TimelineKind::EffectProposed;
            refused.push(TimelineEvent::ours(case.id, ctx.now(), kind, why));
        }
        Err(ticket::Unfound::Absent(why) | ticket::Unfound::Unread(why)) => late = Some(why),
    }
    for alert in alerts {
        match gate::sayings(ctx, &subject, alert).await {
            Ok(sayings) => {
                for saying in sayings {
                    say(ctx, (&subject, alert), saying, &mut telling).await?;
                }
            }
            Err(Unsent::CannotTell(gap)) => late = late.or_else(|| Some(gap.to_string())),
            Err(Unsent::Refused(refusal)) => {
                let name = name(alert);
                let why = format!("nothing is said of {name} at its source: {refusal}");
                refused.push(event(ctx, alert, &subject, why));
            }
        }
    }
    if late.is_none() {
        telling.events.append(&mut refused);
    }
    Ok((telling, late))
}

/// Whether a new ruling says what an earlier attempt at telling the same has left behind.
fn is_old_news(telling: &Telling, earlier: &[Effect], new: &Effect) -> bool {
    let same = |e: &Effect| {
        (&e.tool, &e.arguments, e.decision, &e.reason)
            == (&new.tool, &new.arguments, new.decision, &new.reason)
    };
    telling.untold.tries > 0 && earlier.iter().any(same)
}

/// Proposes what the case's ticket is to be told, unless it was told so before.
async fn tell_ticket(
    ctx: &Ctx,
    of: (&Case, &Subject),
    change: ticket::Call,
    telling: &mut Telling,
) -> anyhow::Result<()> {
    let (case, subject) = of;
    let earlier = ctx.store.effects_of(case.id).await?;
    let wanted = bare(ctx, &change.tool, change.arguments.clone());
    let told = |e: &Effect| {
        let arguments = e.arguments.as_object().cloned().unwrap_or_default();
        e.tool == change.tool
            && SAID.contains(&e.decision)
            && bare(ctx, &e.tool, arguments) == wanted
    };
    if earlier.iter().any(told) {
        return Ok(());
    }
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
    if is_old_news(telling, &earlier, &effect) {
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
    hang(
        (&mut telling.effects, &mut telling.approvals),
        (effect, question),
    );
    Ok(())
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
    if is_old_news(telling, &earlier, &effect) {
        return Ok(());
    }
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
    hang(
        (&mut telling.effects, &mut telling.approvals),
        (effect, question),
    );
    Ok(())
}

fn name(alert: &Alert) -> String {
    oneline(&alert.source_alert_id, 100)
}

fn event(ctx: &Ctx, alert: &Alert, subject: &Subject, why: String) -> TimelineEvent {
    let data = serde_json::json!({"alert": alert.source_alert_id, "source": alert.source});
    TimelineEvent::ours(subject.case, ctx.now(), TimelineKind::EffectProposed, why).with(data)
}
