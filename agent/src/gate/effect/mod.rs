//! Calls that change something: proposed, decided, approved by a person, sent once, looked up when nobody knows; reading
//! calls have their own way.

mod again;
mod binding;
mod carry_out;
mod checks;
mod dry_run;
mod elicit;
mod hold;
mod in_force;
mod look_up;
mod propose;
mod stand;
mod write_back;

pub use again::propose_again;
pub use binding::close_binding;
pub use carry_out::{Carried, Lane, carry_out, carry_out_of, take_stock};
pub use elicit::{ELICITATION, answer_record, answers};
pub use look_up::{at, verify};
pub use propose::{Proposal, propose, raise_marker};
pub use write_back::{Saying, Speaks, Stands, comment, sayings};
