//! Room `plan`: case to playbook graph, for each alert of the case that has no verdict yet.

use serde_json::json;
use state::model::{Alert, Case, Entity, TimelineEvent, TimelineKind};

use crate::ctx::Ctx;
use crate::gate::Subject;
use crate::playbook::Slots;
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
    let entry = ctx.library.choose(&alert)?;
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
        as_of: ctx.config.run.as_of(alert.time),
        subject: Subject::of(case.id, std::slice::from_ref(&alert), entities, &[]),
        entry,
        alert,
        entities: entities.to_vec(),
    })
}
