//! Whether anything may be closed or done outside at all: kill switch and integrity; what can't be told stops.

use state::model::Switch;

use crate::ctx::Ctx;
use crate::integrity::Standing;

use super::standing;

/// Why closing or outside effects are stopped now; none when nothing stops them.
pub async fn stopped(ctx: &Ctx, switch: Switch) -> Option<String> {
    if let Some(why) = standing(ctx, switch).await {
        return Some(why);
    }
    match ctx.guard.integrity.check().await {
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
    }
}
