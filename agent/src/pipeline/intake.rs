//! Room `intake`: alerts to cases; each opens one or joins an open one that shares what matters. How much sharing
//! weighs is `correlate`'s.

use std::collections::{BTreeSet, HashMap};

use chrono::TimeDelta;
use serde_json::json;
use state::model::{
    Alert, CANARY_SOURCE, CaseId, Entity, EntityKind, Mentions, Role, TimelineEvent, TimelineKind,
};

use crate::correlate::{self, Link, NEEDED, Newcomer, Placed};
use crate::ctx::Ctx;
use crate::text::oneline;

/// Puts alerts into cases; gives what became of each, in the order of `alerts`. They are correlated together, so that
/// the order in which they came does not matter.
///
/// # Errors
/// When nothing could be read or noted. One that fails stays without a case and is taken in again.
pub async fn intake(ctx: &Ctx, alerts: &[Alert]) -> anyhow::Result<Vec<anyhow::Result<CaseId>>> {
    let newcomers: Vec<Newcomer> = alerts.iter().cloned().map(newcomer).collect();
    let window = TimeDelta::from_std(ctx.config.run.join_window.0)?;
    let placed = match span(alerts) {
        Some((first, last)) => {
            let named: Vec<_> = newcomers.iter().map(|n| (&n.alert, &n.named)).collect();
            ctx.store.note_mentions(&named).await?;
            let keys = newcomers.iter().flat_map(|n| &n.named.all);
            let keys: BTreeSet<String> = keys.map(|m| m.key.clone()).collect();
            let keys: Vec<String> = keys.into_iter().collect();
            let (since, until) = (first - window, last + window);
            let spread = ctx.store.spread(&keys, since, until).await?;
            let candidates = ctx.store.candidates(&keys, since, until).await?;
            correlate::sort(&newcomers, candidates, &spread, window)
        }
        None => Vec::new(),
    };
    let mut opened: HashMap<usize, CaseId> = HashMap::new();
    let mut done: Vec<anyhow::Result<CaseId>> = Vec::new();
    done.resize_with(alerts.len(), || Err(anyhow::anyhow!("it was not placed")));
    for place in placed {
        let at = place.newcomer;
        done[at] = put(ctx, &alerts[at], &place, &mut opened).await;
    }
    Ok(done)
}

/// A canary is a story of its own: it names nothing, so that no alert joins its case and it joins none.
fn newcomer(alert: Alert) -> Newcomer {
    let named = match alert.source.as_str() {
        CANARY_SOURCE => Mentions::default(),
        _ => correlate::mentions(&alert),
    };
    Newcomer { alert, named }
}

fn span(alerts: &[Alert]) -> Option<(state::model::Time, state::model::Time)> {
    let times = || alerts.iter().map(|a| a.time);
    Some((times().min()?, times().max()?))
}

async fn put(
    ctx: &Ctx,
    alert: &Alert,
    place: &Placed,
    opened: &mut HashMap<usize, CaseId>,
) -> anyhow::Result<CaseId> {
    let case = place.case.or_else(|| opened.get(&place.group).copied());
    match (case, &place.link) {
        (Some(case), Some(link)) => {
            join(ctx, alert, case, link).await?;
            Ok(case)
        }
        // Also a joiner whose case could not be opened: it opens one for those that follow.
        _ => {
            let case = open(ctx, alert).await?;
            opened.insert(place.group, case);
            Ok(case)
        }
    }
}

async fn join(ctx: &Ctx, alert: &Alert, case: CaseId, link: &Link) -> anyhow::Result<()> {
    let message = oneline(&format!("{} joined: {link}", title(alert)), 1000);
    let event = TimelineEvent::ours(case, ctx.now(), TimelineKind::Joined, message).with(json!({
        "alert": alert.source_alert_id,
        "shared": link.shared,
        "alike": link.alike,
        "score": link.score,
        "needed": NEEDED,
    }));
    Ok(ctx
        .store
        .join_case(case, alert, ctx.now(), vec![event])
        .await?)
}

async fn open(ctx: &Ctx, alert: &Alert) -> anyhow::Result<CaseId> {
    let (title, now) = (title(alert), ctx.now());
    let event = TimelineEvent::ours(CaseId(0), now, TimelineKind::Opened, title.clone()).with(
        json!({"alert": alert.source_alert_id, "source": alert.source, "rule": alert.rule.id}),
    );
    let case = ctx.store.open_case(alert, &title, now, vec![event]).await?;
    Ok(case.id)
}

/// One line that says what an alert is about.
#[must_use]
pub fn title(alert: &Alert) -> String {
    let who = principal(&alert.entities).unwrap_or("unknown principal");
    format!("{} ({who})", alert.rule.name)
}

/// The entity that an alert is mainly about: the principal user, else the host, else anything.
#[must_use]
pub fn principal(entities: &[Entity]) -> Option<&str> {
    let of = |kind: EntityKind, role: Option<Role>| {
        let matching =
            |e: &&Entity| e.kind == kind && role.is_none_or(|r| e.role == r) && !e.value.is_empty();
        entities.iter().find(matching)
    };
    of(EntityKind::User, Some(Role::Principal))
        .or_else(|| of(EntityKind::Host, None))
        .or_else(|| of(EntityKind::User, None))
        .or_else(|| of(EntityKind::Resource, None))
        .or_else(|| of(EntityKind::Address, None))
        .or_else(|| entities.first())
        .map(|e| e.value.as_str())
}
