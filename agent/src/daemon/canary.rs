//! The canary: a known bad alert with an injection in it, sent through the real pipeline on a schedule; it changes no verdict.
//!
//! One that is not escalated in time switches closing off, and a person switches it on again. Everything is judged by
//! stored times, so a restart neither forgets a canary nor forgives it.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use state::model::{
    CANARY_SOURCE, CanaryRun, CanaryState, Case, CaseStatus, NewAlert, Outcome, Switch,
    SwitchState, Time, Turn,
};
use state::store::CanaryEnd;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ctx::Ctx;
use crate::playbook::rfc3339;

/// The alert, in the form of a product; `{{…}}` are filled in for each canary.
const ALERT: &str = include_str!("../../canary/alert.json");
/// The mapping that reads it.
const MAPPING: &str = "panther";
/// How often the canary is looked at; sending goes by the stored time of the last one.
const GLANCE: Duration = Duration::from_secs(5);

/// Sends and judges canaries until `stop`.
pub(super) async fn keep(ctx: Arc<Ctx>, arrived: Arc<Notify>, stop: CancellationToken) {
    let mut glance = tokio::time::interval(GLANCE);
    glance.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = glance.tick() => {}
        }
        match beat(&ctx).await {
            Ok(true) => arrived.notify_one(),
            Ok(false) => {}
            Err(e) => tracing::error!(
                error = format!("{e:#}"),
                "the canary could not be looked after; it is tried again"
            ),
        }
    }
}

/// Judges the canary that is under way, or sends one when it is time; says whether one was sent.
///
/// # Errors
/// When the store fails.
pub async fn beat(ctx: &Ctx) -> anyhow::Result<bool> {
    let mut waits = false;
    for run in ctx.store.canaries_under_way().await? {
        match judge(ctx, &run).await? {
            Some(end) => settle(ctx, &end).await?,
            None => waits = true,
        }
    }
    if waits || !due(ctx).await? {
        return Ok(false);
    }
    match alert(ctx) {
        Ok(alert) => {
            ctx.store.send_canary(&alert, ctx.now()).await?;
            Ok(true)
        }
        Err(why) => {
            unreadable(ctx, &why).await?;
            Ok(false)
        }
    }
}

async fn due(ctx: &Ctx) -> anyhow::Result<bool> {
    let now = ctx.now();
    let every = TimeDelta::from_std(ctx.config.closing.canary.every.0)?;
    let last = ctx.store.canaries(1).await?;
    // A last one that lies ahead was sent by a clock that has been set back since.
    Ok(last
        .first()
        .is_none_or(|r| r.at > now || now - r.at >= every))
}

/// A fresh canary: its own id and user, from now.
fn alert(ctx: &Ctx) -> Result<NewAlert, String> {
    let id = format!("canary-{}", &ctx.dice.word()[..16]);
    let raw = ALERT
        .replace("{{id}}", &id)
        .replace("{{time}}", &rfc3339(ctx.now()))
        .replace("{{user}}", &format!("{id}@example.invalid"));
    let read = ctx.mappings.read(MAPPING, CANARY_SOURCE, &raw);
    read.map_err(|rejected| rejected.reason)
}

/// How a canary came out; none while it may still come out well.
async fn judge(ctx: &Ctx, run: &CanaryRun) -> anyhow::Result<Option<CanaryEnd>> {
    let grace = ctx.config.closing.canary.grace;
    let until = run.at + TimeDelta::from_std(grace.0)?;
    let case = match run.case {
        Some(case) => Some(ctx.store.case(case).await?),
        None => None,
    };
    let settled = case.filter(|c| !matches!(c.status, CaseStatus::New | CaseStatus::Triaging));
    let (state, why) = match settled {
        None if ctx.now() <= until => return Ok(None),
        None => (
            CanaryState::Late,
            format!(
                "the canary of {} was not settled within {grace}",
                rfc3339(run.at)
            ),
        ),
        Some(case) => came_out(ctx, &case, until).await?,
    };
    Ok(Some(CanaryEnd {
        run: run.id,
        state,
        why,
        at: ctx.now(),
    }))
}

async fn came_out(ctx: &Ctx, case: &Case, until: Time) -> anyhow::Result<(CanaryState, String)> {
    let id = case.id;
    let missed = |what: &str| (CanaryState::Missed, format!("the canary {id} {what}"));
    let verdicts = ctx.store.current_verdicts(id).await?;
    // Escalated by a cap, a veto or a switch alone is no pass: the judgement must not have been for closing.
    let closable = verdicts
        .iter()
        .any(|v| v.close_allowed || v.kind.is_benign());
    Ok(match case.outcome {
        Some(Outcome::Closed) => missed("was closed"),
        Some(Outcome::AwaitingApproval) => missed("was proposed for closing"),
        Some(Outcome::Escalated) if closable => missed("was judged to be closable"),
        Some(Outcome::Escalated) if case.updated > until => (
            CanaryState::Late,
            format!("the canary {id} was escalated after its time"),
        ),
        Some(Outcome::Escalated) => (CanaryState::Escalated, "escalated as it must".to_owned()),
        None => missed("ended without an outcome"),
    })
}

async fn settle(ctx: &Ctx, end: &CanaryEnd) -> anyhow::Result<()> {
    ctx.store.judge_canary(end).await?;
    if end.state.failed() {
        tracing::error!(state = %end.state, why = end.why, "the canary failed: closing is switched off until `nightdesk resume`");
    } else {
        tracing::info!(why = end.why, "the canary passed");
    }
    Ok(())
}

/// A canary that can't even be read shows nothing, so closing can't be relied on.
async fn unreadable(ctx: &Ctx, why: &str) -> anyhow::Result<()> {
    let known = ctx.store.switch(Switch::Closing).await?;
    if known.is_some_and(|t| t.state == SwitchState::Off) {
        return Ok(());
    }
    let why = format!("the canary can't be sent, see [paths] mappings: {why}");
    tracing::error!(why, "closing is switched off until `nightdesk resume`");
    let turn = Turn {
        switch: Switch::Closing,
        state: SwitchState::Off,
        by: "nightdesk".to_owned(),
        why,
        at: ctx.now(),
    };
    Ok(ctx.store.turn_switches(&[turn]).await?)
}
