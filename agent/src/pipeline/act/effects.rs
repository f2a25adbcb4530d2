//! What an incident proposes to do outside: a ticket, and the countermeasures of the playbook; the gate decides on each.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use state::model::{Alert, Effect, TimelineEvent, TimelineKind, Verdict, VerdictKind};
use state::store::NewApproval;

use crate::ctx::Ctx;
use crate::gate::{self, Closable, Origin, Proposal};
use crate::playbook::{Filled, Response, Scene, Slots};
use crate::tier::sentence;

use super::super::ticket;
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
        keep(acted, gate::propose(ctx, proposal).await?);
    }
    for (alert, verdict) in judged {
        responses(ctx, case, (alert, verdict), acted).await?;
    }
    Ok(())
}

fn keep(acted: &mut Acted, proposed: (Effect, Option<NewApproval>)) {
    let (effect, question) = proposed;
    if let Some(mut question) = question {
        question.effect = Some(acted.effects.len());
        acted.approvals.push(question);
    }
    acted.effects.push(effect);
}

/// Countermeasures of the playbook.
async fn responses(
    ctx: &Ctx,
    case: Closable<'_>,
    judged: (&Alert, &Verdict),
    acted: &mut Acted,
) -> anyhow::Result<()> {
    let (alert, verdict) = judged;
    let Some(entry) = ctx.library.get(&verdict.provenance.playbook) else {
        return Ok(());
    };
    let slots = Slots::of(alert);
    // What the conditions read is let go before anything is awaited.
    let proposals: Vec<(String, Filled, String, &str)> =
        {
            let any = Scene::bare(alert).any();
            let mut proposals = Vec::new();
            for response in &entry.playbook.responses {
                let calls: Vec<(String, Filled)> = calls(ctx, response)
                    .into_iter()
                    .filter_map(|(tool, args)| Some((tool, slots.fill(&args).ok()?)))
                    .collect();
                if calls.is_empty() {
                    continue;
                }
                let target = response.target.as_ref().and_then(|t| slots.slot(t).ok());
                let target = target.and_then(|(value, _)| value.as_str().map(str::to_owned));
                let does = sentence(&response.does, &any);
                let event = TimelineEvent::ours(
                    case.subject.case,
                    ctx.now(),
                    TimelineKind::EffectProposed,
                    does,
                );
                acted.events.push(event);
                let target = target.unwrap_or_default();
                proposals.extend(calls.into_iter().map(|(tool, filled)| {
                    (tool, filled, target.clone(), response.d3fend.as_str())
                }));
            }
            proposals
        };
    for (tool, filled, target, d3fend) in proposals {
        let proposal = Proposal {
            subject: case.subject,
            tool: &tool,
            arguments: filled.arguments,
            target: &target,
            d3fend: Some(d3fend),
            origin: Origin::Playbook {
                untrusted: &filled.untrusted,
            },
            as_of: alert.time,
            speaks: None,
        };
        keep(acted, gate::propose(ctx, proposal).await?);
    }
    Ok(())
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
