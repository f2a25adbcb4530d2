//! The rooms an alert goes through, one file and one public function each; their order is `triage`.

mod act;
mod baseline;
mod claim;
mod intake;
mod investigate;
mod judge;
mod plan;
mod poll;
mod record;
mod rows;
mod storm;
mod tell;
mod ticket;

use serde_json::{Map, Value};
use state::model::Effect;
use state::store::NewApproval;

use crate::ctx::Ctx;
use crate::gate;

pub use act::{Acted, act};
pub use baseline::{Renewed, questions, recorded, renew};
pub use claim::{Held, claim};
pub use intake::{intake, principal, title};
pub use investigate::investigate;
pub use judge::{Judgement, Led, echo, judge, leave, tell_echoes};
pub use plan::plan;
pub use poll::{Polled, accept, know_sources, poll};
pub use record::{give_up, record};
pub use storm::{Bout, MOST_LEADS, bouts, covers};
pub use tell::{Stuck, tell, tell_some};

/// Puts a proposed effect with what is to be stored, and the question that it waits for.
fn hang(
    (effects, approvals): (&mut Vec<Effect>, &mut Vec<NewApproval>),
    (effect, question): (Effect, Option<NewApproval>),
) {
    if let Some(mut question) = question {
        question.effect = Some(effects.len());
        approvals.push(question);
    }
    effects.push(effect);
}

/// Arguments without what the daemon adds itself.
fn bare(ctx: &Ctx, tool: &str, mut arguments: Map<String, Value>) -> Value {
    if let Some(entry) = ctx.catalogue.get(tool) {
        let own = [&entry.spec.as_of, &entry.spec.effect.marker];
        for name in own.into_iter().flatten() {
            arguments.remove(name);
        }
    }
    gate::canonical(&Value::Object(arguments))
}
