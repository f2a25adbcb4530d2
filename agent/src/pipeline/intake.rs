//! Room `intake`: alert to case; it opens one or joins an open one that shares what matters.

use chrono::TimeDelta;
use serde_json::json;
use state::model::{
    Alert, CANARY_SOURCE, CaseId, Entity, EntityKind, Field, Role, TimelineEvent, TimelineKind,
    VerdictKind,
};
use state::store::Candidate;

use crate::ctx::Ctx;

/// Puts an alert into a case.
///
/// # Errors
/// When the store fails; the alert then stays without a case and is taken in again.
pub async fn intake(ctx: &Ctx, alert: &Alert) -> anyhow::Result<CaseId> {
    let now = ctx.now();
    // A canary is a story of its own: the store lets no alert join its case, and it joins none.
    let keys = match alert.source.as_str() {
        CANARY_SOURCE => Vec::new(),
        _ => joining_keys(&alert.entities),
    };
    let window = TimeDelta::from_std(ctx.config.run.join_window.0)?;
    if !keys.is_empty() {
        let candidates = ctx
            .store
            .candidates(&keys, alert.time - window, alert.time + window)
            .await?;
        if let Some((candidate, why)) = best(&candidates, alert) {
            let case = candidate.case.id;
            let message = format!("{} joined: {why}", title(alert));
            let event = TimelineEvent::ours(case, now, TimelineKind::Joined, message)
                .with(json!({"alert": alert.source_alert_id, "shared": candidate.shared}));
            ctx.store.join_case(case, alert, now, vec![event]).await?;
            return Ok(case);
        }
    }
    let title = title(alert);
    let event = TimelineEvent::ours(CaseId(0), now, TimelineKind::Opened, title.clone()).with(
        json!({"alert": alert.source_alert_id, "source": alert.source, "rule": alert.rule.id}),
    );
    Ok(ctx
        .store
        .open_case(alert, &title, now, vec![event])
        .await?
        .id)
}

/// One line that says what an alert is about.
fn title(alert: &Alert) -> String {
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

fn joining_keys(entities: &[Entity]) -> Vec<String> {
    let mut keys: Vec<String> = entities
        .iter()
        .filter(|e| e.joins() && !shared_by_all(&e.value))
        .map(Entity::key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Built-in accounts that every machine has: sharing them says nothing.
fn shared_by_all(value: &str) -> bool {
    let name = value
        .rsplit(['\\', '/'])
        .next()
        .unwrap_or(value)
        .to_lowercase();
    matches!(
        name.as_str(),
        "" | "-"
            | "system"
            | "local service"
            | "network service"
            | "anonymous"
            | "anonymous logon"
            | "unknown"
            | "n/a"
    ) || name.ends_with('$')
}

/// Undecided cases of one principal this close together are one story.
const CLOSE_BY: TimeDelta = TimeDelta::hours(2);

/// The candidate to join and why: an incident that shares an entity, a case of the same rule about the same principal,
/// or one about the same principal at about the same time that nobody has judged yet.
fn best<'c>(candidates: &'c [Candidate], alert: &Alert) -> Option<(&'c Candidate, String)> {
    let incident = candidates
        .iter()
        .find(|c| c.worst == Some(VerdictKind::TruePositive));
    if let Some(c) = incident {
        return Some((
            c,
            format!("it shares {} with this incident", c.shared.join(", ")),
        ));
    }
    let about_same = |c: &&Candidate| c.shared.iter().any(|s| is_principal(alert, s));
    if let Some(c) = candidates
        .iter()
        .filter(about_same)
        .find(|c| c.rules.contains(&alert.rule.id))
    {
        return Some((
            c,
            format!("the same rule fired for {}", c.shared.join(", ")),
        ));
    }
    candidates
        .iter()
        .filter(about_same)
        .find(|c| c.worst.is_none() && (c.case.alert_time - alert.time).abs() <= CLOSE_BY)
        .map(|c| {
            (
                c,
                format!("it is about {} at the same time", c.shared.join(", ")),
            )
        })
}

fn is_principal(alert: &Alert, key: &str) -> bool {
    alert.primary().is_some_and(|a| {
        let user = a.get(Field::User);
        let named = if shared_by_all(user) {
            a.get(Field::Host)
        } else {
            user
        };
        named.trim().to_lowercase() == key
    })
}
