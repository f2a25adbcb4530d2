//! Room `act`: verdicts to an outcome; effects are proposals through the gate, a close is the outcome of a predicate.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde_json::{Map, json};
use state::model::{
    Alert, CANARY_SOURCE, CaseEvent, CaseId, Effect, Entity, Outcome, RuleAt, Switch,
    TimelineEvent, TimelineKind, Verdict, VerdictKind,
};
use state::store::NewApproval;

use crate::config::CloseMode;
use crate::ctx::Ctx;
use crate::data::sha256_hex;
use crate::gate::{self, Proposal};
use crate::playbook::{Scene, Slots};
use crate::tier::sentence;

/// What is to be done with a case.
#[derive(Debug)]
pub struct Acted {
    /// The outcome.
    pub outcome: Outcome,
    /// The move of the case's status.
    pub event: CaseEvent,
    /// Proposed effects.
    pub effects: Vec<Effect>,
    /// Questions to people.
    pub approvals: Vec<NewApproval>,
    /// Timeline.
    pub events: Vec<TimelineEvent>,
}

/// Decides what happens to a case whose alerts all have a verdict.
///
/// # Errors
/// When the store fails: then nothing is done.
pub async fn act(
    ctx: &Ctx,
    case: CaseId,
    alerts: &[Alert],
    verdicts: &[Verdict],
) -> anyhow::Result<Acted> {
    let worst = verdicts.iter().max_by_key(|v| v.kind.rank());
    let closable = !verdicts.is_empty()
        && verdicts
            .iter()
            .all(|v| v.kind.is_benign() && v.close_allowed && v.vetoes.is_empty());
    let proposed = !closable && !verdicts.is_empty() && verdicts.iter().all(|v| v.kind.is_benign());
    let mut acted = Acted {
        outcome: Outcome::Escalated,
        event: CaseEvent::Escalated,
        effects: Vec::new(),
        approvals: Vec::new(),
        events: Vec::new(),
    };
    let off = match closable || proposed {
        true => gate::standing(ctx, Switch::Closing).await,
        false => None,
    };
    let why = match (off, closable, proposed) {
        (Some(off), _, _) => format!("closing is off: {off}"),
        (_, true, _) => close(ctx, case, alerts, &mut acted).await?,
        (_, _, true) => ask(
            ctx,
            case,
            &mut acted,
            "the model thinks it harmless and the playbook does not decide",
        ),
        _ => "a person has to look".to_owned(),
    };
    // Nothing is done about a canary: it did not happen.
    let real = alerts.iter().all(|a| a.source != CANARY_SOURCE);
    if let Some(worst) = worst.filter(|v| real && v.kind == VerdictKind::TruePositive) {
        if let Some(alert) = alerts.iter().find(|a| a.id == worst.alert) {
            let proposal = Proposal {
                case,
                tool: TICKET,
                arguments: ticket(case, alert, worst),
                target: "",
                d3fend: None,
                entities: &alert.entities,
                at: ctx.now(),
            };
            acted.effects.extend(gate::propose(ctx, proposal).await?);
        }
        for alert in alerts.iter().filter(|a| {
            verdicts
                .iter()
                .any(|v| v.alert == a.id && v.kind == worst.kind)
        }) {
            let verdict = verdicts.iter().find(|v| v.alert == alert.id);
            responses(ctx, case, alert, verdict, &mut acted).await?;
        }
    }
    let kind = match acted.outcome {
        Outcome::Closed => TimelineKind::Closed,
        Outcome::Escalated => TimelineKind::Escalated,
        Outcome::AwaitingApproval => TimelineKind::Asked,
    };
    acted
        .events
        .push(TimelineEvent::ours(case, ctx.now(), kind, why));
    Ok(acted)
}

/// A case that the predicate lets close: closed, proposed or handed over, by mode, cap and sample.
async fn close(
    ctx: &Ctx,
    case: CaseId,
    alerts: &[Alert],
    acted: &mut Acted,
) -> anyhow::Result<String> {
    let closing = &ctx.config.closing;
    match closing.mode {
        CloseMode::Never => return Ok("closing without a person is switched off".to_owned()),
        CloseMode::Propose => {
            return Ok(ask(
                ctx,
                case,
                acted,
                "harmless by the playbook's close rule",
            ));
        }
        CloseMode::Auto => {}
    }
    if let Some(why) = off_pattern(ctx, alerts).await? {
        return Ok(why);
    }
    let told = ctx.store.timeline(case).await?;
    let with_person =
        |e: &TimelineEvent| matches!(e.kind, TimelineKind::Escalated | TimelineKind::Asked);
    if told.iter().any(with_person) {
        return Ok("a person has had this case before, so a person closes it".to_owned());
    }
    let entities = ctx.store.entities_of(case).await?;
    let keys: Vec<String> = entities
        .iter()
        .filter(|e| e.joins())
        .map(Entity::key)
        .collect();
    if let Some(incident) = ctx.store.open_incidents(&keys, case).await?.first() {
        return Ok(format!(
            "{incident} has become an open incident on the same entity"
        ));
    }
    let hour = TimeDelta::hours(1);
    let closed = ctx.store.closes_since(ctx.now() - hour).await?;
    if closed >= closing.cap() {
        return Ok(format!(
            "the cap of {} closes an hour is reached",
            closing.cap()
        ));
    }
    if ctx.dice.share() * 100.0 < closing.sample() {
        return Ok("drawn for review: a person checks this close".to_owned());
    }
    acted.outcome = Outcome::Closed;
    acted.event = CaseEvent::Closed;
    Ok("closed: trusted facts allow it, all analysts agree, no veto stands".to_owned())
}

/// The open finding that more alerts of these rules are closed than before, if there is one.
async fn off_pattern(ctx: &Ctx, alerts: &[Alert]) -> anyhow::Result<Option<String>> {
    let rules: BTreeSet<RuleAt> = alerts.iter().map(RuleAt::of).collect();
    for rule in rules {
        if let Some(finding) = ctx.store.holds_closing(&rule).await? {
            let (id, what) = (finding.id, finding.deviation.what);
            return Ok(Some(format!(
                "off-pattern: {what}; a person decides until `nightdesk drift accept {id}`"
            )));
        }
    }
    Ok(None)
}

fn ask(ctx: &Ctx, case: CaseId, acted: &mut Acted, why: &str) -> String {
    acted.outcome = Outcome::AwaitingApproval;
    acted.event = CaseEvent::Asked;
    let expires = TimeDelta::from_std(ctx.config.closing.proposal_expires.0)
        .unwrap_or_else(|_| TimeDelta::days(1));
    acted.approvals.push(NewApproval {
        action: "close".to_owned(),
        summary: format!("close {case}: {why}"),
        digest: sha256_hex(format!("close\u{1f}{case}")),
        expires: ctx.now() + expires,
    });
    format!("a person is asked to confirm closing: {why}")
}

/// Tool that opens an incident ticket, where one is catalogued.
const TICKET: &str = "ticketing.create_ticket";

/// Countermeasures of the playbook, as proposals.
async fn responses(
    ctx: &Ctx,
    case: CaseId,
    alert: &Alert,
    verdict: Option<&Verdict>,
    acted: &mut Acted,
) -> anyhow::Result<()> {
    let Some(verdict) = verdict else {
        return Ok(());
    };
    let Some(entry) = ctx.library.get(&verdict.provenance.playbook) else {
        return Ok(());
    };
    let slots = Slots::of(alert);
    let any = Scene::bare(alert).any();
    let mut proposals = Vec::new();
    for response in &entry.playbook.responses {
        let Some(tool) = &response.tool else { continue };
        let Ok(arguments) = slots.fill(&response.args) else {
            continue;
        };
        let target = response.target.as_ref().and_then(|t| slots.slot(t).ok());
        let target = target
            .and_then(|t| t.as_str().map(str::to_owned))
            .unwrap_or_default();
        proposals.push((tool.clone(), arguments, target, response.d3fend.as_str()));
        acted.events.push(TimelineEvent::ours(
            case,
            ctx.now(),
            TimelineKind::EffectProposed,
            sentence(&response.does, &any),
        ));
    }
    for (tool, arguments, target, d3fend) in proposals {
        let proposal = Proposal {
            case,
            tool: &tool,
            arguments,
            target: &target,
            d3fend: Some(d3fend),
            entities: &alert.entities,
            at: ctx.now(),
        };
        acted.effects.extend(gate::propose(ctx, proposal).await?);
    }
    Ok(())
}

fn ticket(case: CaseId, alert: &Alert, verdict: &Verdict) -> Map<String, serde_json::Value> {
    Map::from_iter([
        (
            "title".to_owned(),
            json!(format!("{case}: {}", alert.rule.name)),
        ),
        ("body".to_owned(), json!(verdict.basis.sentence)),
        ("severity".to_owned(), json!(alert.severity.as_str())),
        ("case_id".to_owned(), json!(case.to_string())),
        (
            "idempotency_key".to_owned(),
            json!(format!("nightdesk-{case}")),
        ),
    ])
}
