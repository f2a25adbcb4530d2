//! Open cases that stand against closing another one: incidents, and suspicions about somebody who is not everybody.

use chrono::TimeDelta;
use state::model::{CaseId, Entity, Time};

use crate::correlate;
use crate::ctx::Ctx;

/// The open cases that share an entity with this one and hold something real or suspicious, one sentence each.
///
/// A real one stands against every close on the entity. A suspicious one does so unless the entity is one that many share
/// around the given time: else one open question about a jump host would keep everything open.
///
/// # Errors
/// When the store fails.
pub async fn open_cases(
    ctx: &Ctx,
    (case, at): (CaseId, Time),
    entities: &[Entity],
) -> anyhow::Result<Vec<String>> {
    let joining: Vec<&Entity> = entities.iter().filter(|e| e.joins()).collect();
    let keys: Vec<String> = joining.iter().map(|e| e.key()).collect();
    let incidents = ctx.store.open_incidents(&keys, case).await?;
    let own = own(ctx, at, &joining).await?;
    let suspicions = ctx.store.open_suspicions(&own, case).await?;
    let incident = incidents
        .iter()
        .map(|c| format!("{c} is an open incident on the same entity"));
    let suspicion = suspicions
        .iter()
        .filter(|c| !incidents.contains(c))
        .map(|c| format!("{c} is open and suspicious, on the same entity"));
    Ok(incident.chain(suspicion).collect())
}

/// Keys of the entities that are one person's or one machine's, as correlation sees it.
async fn own(ctx: &Ctx, at: Time, entities: &[&Entity]) -> anyhow::Result<Vec<String>> {
    let window = TimeDelta::from_std(ctx.config.run.join_window.0)?;
    let named: Vec<String> = entities.iter().map(|e| correlate::key(e)).collect();
    let spread = ctx.store.spread(&named, at - window, at + window).await?;
    let of = |entity: &Entity| {
        let key = correlate::key(entity);
        spread.iter().find(|s| s.key == key)
    };
    let own = entities.iter().filter(|e| !correlate::is_hub(e, of(e)));
    Ok(own.map(|e| e.key()).collect())
}
