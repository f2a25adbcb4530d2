//! What an incident proposes to do outside: a ticket, and the countermeasures of the playbook; the gate decides on each.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use state::model::{Alert, Effect, TimelineEvent, TimelineKind, Verdict, VerdictKind};

use crate::ctx::Ctx;
use crate::gate::{self, Closable, Origin, Proposal};
use crate::playbook::{Filled, Response, Scene, Slots};
use crate::tier::sentence;

use super::super::{bare, hang, ticket};
use super::Acted;

/// Proposes what follows from the true positives of a case.
///
/// # Errors
/// When the store fails: then nothing is proposed.
pub(super) async fn propose(
    ctx: &Ctx,
    case: Closable<'_>,
    acted: &mut Acted,
) -> anyhow::Result<()> {
    let real = |v: &&Verdict| v.kind == VerdictKind::TruePositive;
    let judged: Vec<(&Alert, &Verdict)> = case
        .verdicts
        .iter()
        .filter(real)
        .filter_map(|v| Some((case.alerts.iter().find(|a| a.id == v.alert)?, v)))
        .collect();
    if let Some((alert, verdict)) = judged.first()
        && let Some(ticket) = ticket::create(ctx, alert, verdict)
    {
        let proposal = Proposal {
            subject: case.subject,
            tool: &ticket.tool,
            arguments: ticket.arguments,
            target: "",
            d3fend: None,
            origin: Origin::Daemon,
            as_of: alert.time,
            speaks: None,
        };
        let proposed = gate::propose(ctx, proposal).await?;
        hang((&mut acted.effects, &mut acted.approvals), proposed);
    }
    let earlier = ctx.store.effects_of(case.subject.case).await?;
    let mut wished = Vec::new();
    for (alert, verdict) in judged {
        for wanted in countermeasures(ctx, (alert, verdict)) {
            respond(ctx, case, (wanted, &earlier), (&mut wished, acted)).await?;
        }
    }
    Ok(())
}

/// What a playbook wants to be done about an alert, and the calls that do it.
struct Countermeasure<'a> {
    does: String,
    d3fend: &'a str,
    target: String,
    calls: Vec<(String, Filled)>,
    alert: &'a Alert,
}

/// Countermeasures of the playbook; what the conditions read is let go before anything is awaited.
fn countermeasures<'a>(
    ctx: &'a Ctx,
    (alert, verdict): (&'a Alert, &Verdict),
) -> Vec<Countermeasure<'a>> {
    let Some(entry) = ctx.library.get(&verdict.provenance.playbook) else {
        return Vec::new();
    };
    let slots = Slots::of(alert);
    let any = Scene::bare(alert).any();
    let of = |response: &'a Response| {
        let calls = calls(ctx, response).into_iter();
        let calls = calls.filter_map(|(tool, args)| Some((tool, slots.fill(&args).ok()?)));
        let calls: Vec<(String, Filled)> = calls.collect();
        if calls.is_empty() {
            return None;
        }
        let target = response.target.as_ref().and_then(|t| slots.slot(t).ok());
        let target = target.and_then(|(value, _)| value.as_str().map(str::to_owned));
        Some(Countermeasure {
            does: sentence(&response.does, &any),
            d3fend: response.d3fend.as_str(),
            target: target.unwrap_or_default(),
            calls,
            alert,
        })
    };
    entry.playbook.responses.iter().filter_map(of).collect()
}

/// Proposes the calls of a countermeasure, each once in a case: alerts of one story want the same, and what is under way
/// is not asked again.
async fn respond(
    ctx: &Ctx,
    case: Closable<'_>,
    (wanted, earlier): (Countermeasure<'_>, &[Effect]),
    (wished, acted): (&mut Vec<(String, Value)>, &mut Acted),
) -> anyhow::Result<()> {
    let id = case.subject.case;
    let told = |said| TimelineEvent::ours(id, ctx.now(), TimelineKind::EffectProposed, said);
    let mut said = false;
    for (tool, filled) in wanted.calls {
        let wish = (tool.clone(), bare(ctx, &tool, filled.arguments.clone()));
        if wished.contains(&wish) {
            continue;
        }
        if let Some(stands) = earlier.iter().find(|e| is_it(ctx, e, &wish)) {
            let (does, effect, word) = (&wanted.does, stands.name(), stands.word());
            let again = format!("{does}: not proposed again, {effect} is {word}");
            acted.events.push(told(again));
            wished.push(wish);
            continue;
        }
        wished.push(wish);
        if !said {
            acted.events.push(told(wanted.does.clone()));
            said = true;
        }
        let proposal = Proposal {
            subject: case.subject,
            tool: &tool,
            arguments: filled.arguments,
            target: &wanted.target,
            d3fend: Some(wanted.d3fend),
            origin: Origin::Playbook {
                untrusted: &filled.untrusted,
            },
            as_of: wanted.alert.time,
            speaks: None,
        };
        let proposed = gate::propose(ctx, proposal).await?;
        hang((&mut acted.effects, &mut acted.approvals), proposed);
    }
    Ok(())
}

/// Whether an effect is this call, and is due, was sent or may have been.
fn is_it(ctx: &Ctx, effect: &Effect, (tool, arguments): &(String, Value)) -> bool {
    let of = effect.arguments.as_object().cloned().unwrap_or_default();
    effect.tool == *tool && effect.decision.is_under_way() && bare(ctx, tool, of) == *arguments
}

/// The calls that do a countermeasure: the playbook's own, else what the operator or a preset names for it.
fn calls(ctx: &Ctx, response: &Response) -> Vec<(String, BTreeMap<String, Value>)> {
    if let Some(tool) = &response.tool {
        return vec![(tool.clone(), response.args.clone())];
    }
    let Some(slot) = &response.target else {
        return Vec::new();
    };
    let servers = ctx.config.servers.iter();
    servers
        .filter_map(|(server, spec)| {
            let does = ctx.config.responses(server).remove(&response.d3fend)?;
            let enabled = spec.tools.get(&does.tool).is_some_and(|t| t.enabled);
            if !enabled || !does.on.contains(slot) {
                return None;
            }
            let args = does.args.iter().map(|(name, value)| {
                let value = match value {
                    Value::String(text) if text == "$target" => json!(format!("${slot}")),
                    other => other.clone(),
                };
                (name.clone(), value)
            });
            Some((format!("{server}.{}", does.tool), args.collect()))
        })
        .collect()
}
