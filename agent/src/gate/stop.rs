//! Whether anything may be closed or done outside at all: kill switch and integrity; what can't be told stops.

use state::model::Switch;

use crate::ctx::Ctx;
use crate::integrity::Standing;

use super::switch::off;
use super::{Refusal, Unsent};

/// Why closing or outside effects are stopped now; none when nothing stops them.
pub async fn stopped(ctx: &Ctx, switch: Switch) -> Option<String> {
    stop(ctx, switch).await.unwrap_or_else(Some)
}

/// Rule 13 for a call: nothing stops it.
///
/// # Errors
/// What does, or that it can't be told.
pub(super) async fn goes_on(ctx: &Ctx, switch: Switch) -> Result<(), Unsent> {
    match stop(ctx, switch).await {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Err(Refusal::new(13, why).into()),
        Err(why) => Err(Unsent::cannot_tell(13, why)),
    }
}

async fn stop(ctx: &Ctx, switch: Switch) -> Result<Option<String>, String> {
    if let Some(why) = off(&ctx.store, &ctx.config.closing.pause_file, switch).await? {
        return Ok(Some(why));
    }
    Ok(match ctx.guard.integrity.check().await {
        Standing::Sound => None,
        Standing::Unaccepted if switch == Switch::Closing => None,
        Standing::Unaccepted => Some(
            "nobody has accepted the state of configuration, policy and playbooks: run `nightdesk check --accept`"
                .to_owned(),
        ),
        Standing::Broken(found) => Some(format!(
            "integrity: not as accepted or started from: {}",
            found.join(", ")
        )),
    })
}
