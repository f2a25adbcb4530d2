//! Proposals of outside effects: decided and recorded here; what is due or approved is sent by `carry_out`.

use serde_json::{Map, Value, json};
use state::model::{CaseId, Effect, EffectAbout, EffectDecision, Severity, Time, ToolClass};
use state::store::{NewApproval, StoreError};

use crate::catalogue::Entry;
use crate::ctx::Ctx;
use crate::data::sha256_hex;
use crate::playbook::rfc3339;
use crate::text::oneline;

use super::super::{Origin, Subject, Unsent, arguments, audit, canonical, printable, taint};
use super::binding::effect_binding;
use super::checks::{self, Ruling, Wish};
use super::write_back::Speaks;
use super::{dry_run, hold};

/// Where an earlier effect stands after which a case does not raise with the same tool again.
pub(super) const EARLIER: [EffectDecision; 4] = [
    EffectDecision::Due,
    EffectDecision::Started,
    EffectDecision::Executed,
    EffectDecision::Unknown,
];

/// One wish for an outside effect.
#[derive(Debug, Clone)]
pub struct Proposal<'a> {
    /// The case it is for.
    pub subject: &'a Subject,
    /// `server.tool`.
    pub tool: &'a str,
    /// Arguments.
    pub arguments: Map<String, Value>,
    /// Entity it would touch; empty when it only raises.
    pub target: &'a str,
    /// D3FEND id.
    pub d3fend: Option<&'a str>,
    /// Who chose the arguments.
    pub origin: Origin<'a>,
    /// The case's "now", for tools that take one.
    pub as_of: Time,
    /// The alert it speaks of at the alert's source, when it does.
    pub speaks: Option<Speaks>,
}

/// Decides on a proposal and records the decision in the audit chain; nothing is sent. What can't be decided on is held, and
/// ruled on again by [`super::propose_again`]. The question to a person, when one is needed, is to be stored together with
/// the effect.
///
/// # Errors
/// When the decision can't be recorded: then there is no effect to speak of.
pub async fn propose(
    ctx: &Ctx,
    proposal: Proposal<'_>,
) -> Result<(Effect, Option<NewApproval>), StoreError> {
    let entry = ctx.catalogue.get(proposal.tool);
    let now = ctx.now();
    let case = proposal.subject.case;
    let mut effect = Effect {
        id: 0,
        case,
        tool: printable(proposal.tool),
        class: entry.map_or(ToolClass::Destructive, |e| e.spec.class),
        target: proposal.target.to_owned(),
        arguments: canonical(&Value::Object(proposal.arguments.clone())),
        decision: EffectDecision::Denied,
        reason: String::new(),
        approval: None,
        at: now,
        about: about(entry, &proposal),
    };
    let mut question = None;
    let mut rule = None;
    match decide(ctx, entry, &proposal, &mut effect).await {
        Err(Unsent::CannotTell(gap)) => {
            rule = Some(gap.rule);
            ctx.guard.meters.refused(gap.rule);
            effect.about.held = Some(hold::first(ctx, proposal.origin));
            effect.reason = gap.to_string();
        }
        Err(Unsent::Refused(refusal)) => {
            rule = Some(refusal.rule);
            ctx.guard.meters.refused(refusal.rule);
            // It is never sent, so it need not be kept whole.
            effect.arguments = arguments::bounded(effect.arguments);
            effect.target = oneline(&effect.target, 500);
            effect.reason = refusal.to_string();
        }
        Ok(Ruling::DryRun(why)) => {
            rule = Some(why.rule);
            (effect.decision, effect.reason) = (EffectDecision::DryRun, why.to_string());
        }
        Ok(Ruling::Due) => {
            (effect.decision, effect.reason) = (EffectDecision::Due, "allowed".to_owned());
        }
        Ok(Ruling::Approval(why)) => {
            rule = Some(6);
            (effect.decision, effect.reason) = (EffectDecision::AwaitingApproval, why);
            dry_run::show(ctx, entry, &mut effect).await?;
            let severity = proposal.subject.facts.severity;
            question = Some(ask(ctx, &effect, severity));
        }
    }
    let record = json!({
        "kind": "effect",
        "case": case,
        "asked_by": proposal.origin.as_str(),
        "tool": effect.tool,
        "class": effect.class,
        "target": effect.target,
        "arguments": audit::redacted(&effect.arguments),
        "decision": effect.word(),
        "rule": rule,
        "why": effect.reason,
        "digest": question.as_ref().map(NewApproval::digest),
    });
    ctx.store.append_audit(now, &record).await?;
    Ok((effect, question))
}

fn about(entry: Option<&Entry>, proposal: &Proposal<'_>) -> EffectAbout {
    let speaks = proposal.speaks.as_ref();
    EffectAbout {
        // What is said of an alert may take it off its queue: that never only raises.
        raise: speaks.is_none() && entry.is_some_and(|e| e.spec.effect.raise),
        d3fend: proposal.d3fend.map(str::to_owned),
        alert: speaks.map(|s| s.alert),
        wanted: speaks.and_then(|s| s.wanted.clone()),
        round: speaks.map_or(0, |s| s.round),
        untrusted: proposal.origin.untrusted(&proposal.arguments),
        ..EffectAbout::default()
    }
}

async fn decide(
    ctx: &Ctx,
    entry: Option<&Entry>,
    proposal: &Proposal<'_>,
    effect: &mut Effect,
) -> Result<Ruling, Unsent> {
    let mut arguments = proposal.arguments.clone();
    let mut first = Ok(());
    // What is said of an alert is compared whole with what is to be said: nothing is filled in.
    if let Some(entry) = entry.filter(|_| proposal.speaks.is_none()) {
        // What tells of changes is told once each, by its arguments.
        let rules = &entry.spec.effect;
        if rules.raise && !rules.says {
            first = once(ctx, proposal).await;
            if let Err(refused @ Unsent::Refused(_)) = first {
                return Err(refused);
            }
        } else if !rules.raise {
            taint::endorsed(&arguments, proposal.origin, &proposal.subject.known)?;
        }
        if let Some(name) = &entry.spec.as_of {
            arguments.insert(name.clone(), json!(rfc3339(proposal.as_of)));
        }
        if let Some(name) = &entry.spec.effect.marker {
            let marker = json!(marker(entry, proposal));
            arguments.insert(name.clone(), marker);
        }
        effect.arguments = canonical(&Value::Object(arguments.clone()));
    }
    // What is held is kept as it would be sent.
    first?;
    let wish = Wish {
        subject: proposal.subject,
        tool: proposal.tool,
        arguments: &arguments,
        target: proposal.target,
        origin: proposal.origin,
        speaks: proposal.speaks.as_ref(),
    };
    checks::ruling(ctx, wish).await
}

async fn once(ctx: &Ctx, proposal: &Proposal<'_>) -> Result<(), Unsent> {
    checks::once(ctx, proposal.subject.case, proposal.tool, &EARLIER).await
}

/// The daemon's own name of an effect: the same action of the same case has the same one after a restart.
fn marker(entry: &Entry, proposal: &Proposal<'_>) -> String {
    let case = proposal.subject.case;
    if entry.spec.effect.raise && !entry.spec.effect.says {
        return raise_marker(proposal.tool, case);
    }
    let what = canonical(&Value::Object(proposal.arguments.clone())).to_string();
    marked(proposal.tool, case, &what)
}

/// The daemon's own name of what a tool raises for a case: by it a ticket is found again.
#[must_use]
pub fn raise_marker(tool: &str, case: CaseId) -> String {
    marked(tool, case, "")
}

fn marked(tool: &str, case: CaseId, what: &str) -> String {
    let digest = sha256_hex(format!("{tool}\n{case}\n{what}"));
    format!("nightdesk-{case}-{}", &digest[..12])
}

/// The question to a person whether an effect on a case of this severity may be sent.
pub(super) fn ask(ctx: &Ctx, effect: &Effect, severity: Severity) -> NewApproval {
    let rules = &ctx.config.people.approvals;
    let expires = ctx.now() + rules.expire_after(severity);
    let on = match effect.target.as_str() {
        "" => String::new(),
        target => format!(" on {target}"),
    };
    NewApproval {
        action: effect.tool.clone(),
        summary: format!("{} {}{on}: {}", effect.class, effect.tool, effect.reason),
        binding: effect_binding(ctx, effect, (expires, &ctx.dice.word()[..32]), None),
        expires,
        effect: None,
        needed: rules.needed_for(effect.class),
    }
}
