//! The rooms an alert goes through, one file and one public function each; their order is `triage`.

mod act;
mod claim;
mod intake;
mod investigate;
mod judge;
mod plan;
mod poll;
mod record;

pub use act::{Acted, act};
pub use claim::{Held, claim};
pub use intake::{intake, principal, title};
pub use investigate::investigate;
pub use judge::{Judgement, judge};
pub use plan::plan;
pub use poll::{Polled, accept, poll};
pub use record::{give_up, record};
