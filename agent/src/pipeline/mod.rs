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
mod storm;
mod tell;
mod ticket;

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
pub use tell::{tell, tell_some};
