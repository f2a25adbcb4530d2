//! Room `act`: verdicts to an outcome; effects are proposals through the gate, a close is the outcome of a predicate.

mod effects;

use state::model::{
    Alert, CANARY_SOURCE, CaseEvent, Effect, Outcome, Switch, TimelineEvent, TimelineKind, Verdict,
    VerdictKind,
};
use state::store::NewApproval;

use crate::ctx::Ctx;
use crate::gate::{self, Closable, CloseRuling, Subject};

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

impl Acted {
    /// Handed to a person, with these lines in the timeline.
    pub(super) fn escalated(events: Vec<TimelineEvent>) -> Self {
        Self {
            outcome: Outcome::Escalated,
            event: CaseEvent::Escalated,
            effects: Vec::new(),
            approvals: Vec::new(),
            events,
        }
    }
}

/// Decides what happens to a case whose alerts all have a verdict.
///
/// # Errors
/// When the store fails: then nothing is done.
pub async fn act(
    ctx: &Ctx,
    subject: &Subject,
    alerts: &[Alert],
    verdicts: &[Verdict],
) -> anyhow::Result<Acted> {
    let case = subject.case;
    let harmless = !verdicts.is_empty() && verdicts.iter().all(|v| v.kind.is_benign());
    let closable = verdicts
        .iter()
        .all(|v| v.close_allowed && v.vetoes.is_empty());
    gate::record_vetoes(ctx, case, verdicts).await?;
    let mut acted = Acted::escalated(Vec::new());
    let close = Closable {
        subject,
        alerts,
        verdicts,
    };
    let why = match (harmless, closable) {
        (true, true) => match gate::rule_on_close(ctx, close).await? {
            CloseRuling::Keep(why) => why,
            CloseRuling::Ask(why) => ask(ctx, close, &mut acted, &why),
            CloseRuling::Close => {
                (acted.outcome, acted.event) = (Outcome::Closed, CaseEvent::Closed);
                "closed: trusted facts allow it, all analysts agree, no veto stands".to_owned()
            }
        },
        (true, false) => match gate::stopped(ctx, Switch::Closing).await {
            Some(why) => format!("closing is off: {why}"),
            None => {
                let why = verdicts.iter().flat_map(|v| &v.vetoes).next();
                let why = why.map_or("the playbook does not decide", String::as_str);
                ask(ctx, close, &mut acted, why)
            }
        },
        (false, _) => "a person has to look".to_owned(),
    };
    // Nothing is done about a canary: it did not happen.
    let real = alerts.iter().all(|a| a.source != CANARY_SOURCE);
    let incident = verdicts.iter().any(|v| v.kind == VerdictKind::TruePositive);
    if real && incident {
        effects::propose(ctx, close, &mut acted).await?;
    }
    let kind = match acted.outcome {
        Outcome::Closed => TimelineKind::Closed,
        Outcome::Escalated => TimelineKind::Escalated,
        Outcome::AwaitingApproval => TimelineKind::Asked,
    };
    let event = TimelineEvent::ours(case, ctx.now(), kind, why);
    acted.events.push(event);
    Ok(acted)
}

fn ask(ctx: &Ctx, close: Closable<'_>, acted: &mut Acted, why: &str) -> String {
    let case = close.subject.case;
    acted.outcome = Outcome::AwaitingApproval;
    acted.event = CaseEvent::Asked;
    let severity = close.subject.facts.severity;
    let expires = ctx.now() + ctx.config.closing.expire_after(severity);
    acted.approvals.push(NewApproval {
        action: "close".to_owned(),
        summary: format!("close {case}: {why}"),
        binding: gate::close_binding(ctx, case, (close.alerts, close.verdicts), expires),
        expires,
        effect: None,
        needed: 1,
    });
    format!("a person is asked to confirm closing: {why}")
}
