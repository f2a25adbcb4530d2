//! Closing is suppression: what stands against closing a case without a person, in code that no setting removes; what
//! stands against a single verdict is `pipeline::judge`'s.

use std::collections::BTreeSet;

use anyhow::Context as _;
use chrono::TimeDelta;
use serde_json::json;
use state::model::{Alert, CaseId, RuleAt, Switch, TimelineEvent, TimelineKind, Verdict};
use state::store::metrics::Lottery;

use crate::config::CloseMode;
use crate::ctx::Ctx;
use crate::policy::{CloseInput, Moment};

use super::{Subject, open_cases, stopped};

/// How a veto of the scanner begins.
pub const SPEAKING: &str = "the scanner found";

/// A case that the playbook's close rule and every analyst let close.
#[derive(Debug, Clone, Copy)]
pub struct Closable<'a> {
    /// The case as the gate sees it.
    pub subject: &'a Subject,
    /// Its alerts.
    pub alerts: &'a [Alert],
    /// Their verdicts, all harmless and without a veto.
    pub verdicts: &'a [Verdict],
}

/// What may happen to a closable case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseRuling {
    /// It is closed.
    Close,
    /// A person is asked to confirm, and why.
    Ask(String),
    /// A person gets the case, and why.
    Keep(String),
}

/// Rules on a close and records the decision in the audit chain.
///
/// # Errors
/// When a check can't be made or the decision can't be recorded: then nothing is closed.
pub async fn rule_on_close(ctx: &Ctx, close: Closable<'_>) -> anyhow::Result<CloseRuling> {
    let (rule, ruling) = decide(ctx, close).await?;
    let (decision, why) = match &ruling {
        CloseRuling::Close => ("allow", "no veto stands"),
        CloseRuling::Ask(why) => ("approval", why.as_str()),
        CloseRuling::Keep(why) => {
            ctx.guard.meters.refused(rule);
            ("deny", why.as_str())
        }
    };
    let record = json!({
        "kind": "close",
        "case": close.subject.case,
        "decision": decision,
        "rule": rule,
        "why": why,
        "policy": ctx.guard.policy.version(),
    });
    ctx.store.append_audit(ctx.now(), &record).await?;
    Ok(ruling)
}

/// Records each veto that keeps open what the playbook's close rule allows: the scanner's by its own rule.
///
/// # Errors
/// When it can't be recorded.
pub async fn record_vetoes(
    ctx: &Ctx,
    case: CaseId,
    verdicts: &[Verdict],
) -> state::store::Result<()> {
    let vetoed = verdicts.iter().filter(|v| v.close_allowed);
    let vetoes: BTreeSet<&String> = vetoed.flat_map(|v| &v.vetoes).collect();
    for why in vetoes {
        let rule = if why.starts_with(SPEAKING) { 9 } else { 13 };
        let record =
            json!({"kind": "close", "case": case, "decision": "deny", "rule": rule, "why": why});
        ctx.store.append_audit(ctx.now(), &record).await?;
    }
    Ok(())
}

/// The ruling with the rule of the design that made it.
async fn decide(ctx: &Ctx, close: Closable<'_>) -> anyhow::Result<(u8, CloseRuling)> {
    let keep = |rule, why: String| Ok((rule, CloseRuling::Keep(why)));
    let case = close.subject.case;
    if close.verdicts.is_empty() || close.verdicts.iter().any(stands_against) {
        return keep(13, "a verdict does not allow it".to_owned());
    }
    if let Some(why) = stopped(ctx, Switch::Closing).await {
        return keep(13, format!("closing is off: {why}"));
    }
    match by_policy(ctx, close).await {
        (CloseMode::Never, why) => return keep(11, why),
        (CloseMode::Propose, why) => return Ok((11, CloseRuling::Ask(why))),
        (CloseMode::Auto, _) => {}
    }
    if let Some(why) = off_pattern(ctx, close.alerts).await? {
        return keep(13, why);
    }
    if had_a_person(ctx, case).await? {
        let why = "a person has had this case before, so a person closes it";
        return keep(13, why.to_owned());
    }
    if let Some(by) = ctx.store.owner_of(case).await? {
        return keep(13, format!("{by} has taken the case over"));
    }
    // Once more: another case may have become one since the alerts were judged.
    let at = close.alerts.iter().map(|a| a.time).max();
    let at = at.unwrap_or_else(|| ctx.now());
    let standing = open_cases(ctx, (case, at), &close.subject.entities).await?;
    if let Some(why) = standing.into_iter().next() {
        return keep(13, why);
    }
    let most = ctx.config.closing.cap();
    let hour = ctx.now() - TimeDelta::hours(1);
    if ctx.store.closes_since(hour).await? >= most {
        return keep(13, format!("the cap of {most} closes an hour is reached"));
    }
    if drawn_for_review(ctx, case).await? {
        let why = "drawn for review: a person checks this close";
        return keep(13, why.to_owned());
    }
    Ok((13, CloseRuling::Close))
}

/// Whether a person checks this close. Drawn once a case, so that working it again changes nothing, and before anybody
/// looks: precision is measured on what was drawn, not on what was answered.
async fn drawn_for_review(ctx: &Ctx, case: CaseId) -> anyhow::Result<bool> {
    let (now, closing) = (ctx.now(), &ctx.config.closing);
    let zone = ctx.config.people.metrics.time_zone;
    let lottery = Lottery {
        week: zone.week_of(now).context("the calendar has no such week")?,
        share: closing.sample() / 100.0,
        least: closing.sample_least(),
    };
    let luck = ctx.dice.share();
    Ok(ctx
        .store
        .draw_for_review((case, now), &lottery, luck)
        .await?)
}

fn stands_against(verdict: &Verdict) -> bool {
    !verdict.kind.is_benign() || !verdict.close_allowed || !verdict.vetoes.is_empty()
}

/// Rule 11: how far the policy lets it close; never wider than configured.
async fn by_policy(ctx: &Ctx, close: Closable<'_>) -> (CloseMode, String) {
    let mode = ctx.config.closing.mode;
    if mode == CloseMode::Never {
        return (mode, "closing without a person is switched off".to_owned());
    }
    let Some(worst) = close.verdicts.iter().max_by_key(|v| v.kind.rank()) else {
        return (CloseMode::Never, "there is no verdict".to_owned());
    };
    let least = close.verdicts.iter().map(|v| v.confidence).min();
    let probability = close.verdicts.iter().map(|v| v.basis.probability);
    let input = CloseInput {
        mode,
        case: close.subject.facts.clone(),
        verdict: worst.kind,
        confidence: least.unwrap_or_default(),
        probability: probability.fold(0.0, f64::max),
        playbook: worst.provenance.playbook.clone(),
        tier: worst.provenance.tier,
        analyst: worst.provenance.analyst,
        time: Moment::at(ctx.now()),
    };
    let said = ctx.guard.policy.close(&input);
    match (said.mode, mode) {
        (CloseMode::Propose, CloseMode::Propose) => (
            said.mode,
            "harmless by the playbook's close rule".to_owned(),
        ),
        (CloseMode::Auto, _) => (said.mode, said.why),
        (narrower, _) => (narrower, format!("policy: {}", said.why)),
    }
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

async fn had_a_person(ctx: &Ctx, case: CaseId) -> anyhow::Result<bool> {
    let with_person =
        |e: &TimelineEvent| matches!(e.kind, TimelineKind::Escalated | TimelineKind::Asked);
    Ok(ctx.store.timeline(case).await?.iter().any(with_person))
}
