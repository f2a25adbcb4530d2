//! Baselines: answers of log queries kept about entities, so that a step need not ask each time; when they are made anew is
//! the daemon's, what may count as usual is `precedent`'s.

mod ask;
mod read;

use state::model::BaselineOf;

use crate::ctx::Ctx;
use crate::playbook::{Filled, Slots, Step, StepTarget};

pub use ask::{Renewed, questions, renew};
pub(super) use read::kept;
pub use read::recorded;

/// The slot that names the entity; a step that a baseline may answer fills no other.
const VALUE: &str = "value";

/// What a step would ask a baseline for, with its arguments.
fn question(step: &Step, slots: &Slots) -> Option<(BaselineOf, Filled)> {
    step.baseline?;
    let StepTarget::Query(query) = &step.target else {
        return None;
    };
    let filled = slots.fill(&step.args).ok()?;
    let value = filled.arguments.get(VALUE)?.as_str()?.to_owned();
    let query = query.clone();
    Some((BaselineOf { query, value }, filled))
}

/// Of which tool and dialect answers are now.
fn asked_of(ctx: &Ctx) -> String {
    format!(
        "{} in {}",
        ctx.config.queries.tool,
        ctx.library.dialect().name()
    )
}
