//! Room `plan`: case to playbook graph, for each alert of the case that has no verdict yet.

use chrono::TimeDelta;
use serde_json::{Value, json};
use state::model::{Alert, Case, Entity, Time, TimelineEvent, TimelineKind};

use crate::ctx::Ctx;
use crate::gate::Subject;
use crate::playbook::{Conditions, Entry, Scene, Slots};
use crate::tier::Plan;

/// Chooses the playbook of an alert and says why.
///
/// # Errors
/// When the alert can't be read into conditions or the store fails.
pub async fn plan<'c>(
    ctx: &'c Ctx,
    case: &Case,
    alert: Alert,
    entities: &[Entity],
) -> anyhow::Result<Plan<'c>> {
    let entry = choose(ctx, &alert)?;
    let playbook = &entry.playbook;
    let (steps, edges) = entry.graph.size();
    let message = format!(
        "playbook {}: {} ({steps} steps)",
        playbook.id, playbook.title
    );
    let event =
        TimelineEvent::ours(case.id, ctx.now(), TimelineKind::Planned, message).with(json!({
            "playbook": playbook.id,
            "hash": entry.hash,
            "why": playbook.select.source(),
            "alert": alert.source_alert_id,
            "steps": steps,
            "edges": edges,
        }));
    ctx.store.add_events(vec![event]).await?;
    Ok(Plan {
        case: case.id,
        slots: Slots::of(&alert),
        as_of: as_of(ctx, &alert)?,
        subject: Subject::of(case.id, std::slice::from_ref(&alert), entities, &[]),
        entry,
        alert,
        entities: entities.to_vec(),
    })
}

/// The playbook of an alert: the highest whose selector holds over its trusted fields.
pub(super) fn choose<'c>(ctx: &'c Ctx, alert: &Alert) -> anyhow::Result<&'c Entry> {
    let scene = Scene::bare(alert);
    let conditions = Conditions::new(&scene.trusted(), &Value::Null)?;
    let entry = ctx.library.choose(&conditions);
    entry.ok_or_else(|| anyhow::anyhow!("there is no default playbook"))
}

/// The "now" of an alert.
pub(super) fn as_of(ctx: &Ctx, alert: &Alert) -> anyhow::Result<Time> {
    let look_ahead = TimeDelta::from_std(ctx.config.run.look_ahead.0)?;
    let until = alert.time.checked_add_signed(look_ahead);
    Ok(until.unwrap_or(alert.time))
}
