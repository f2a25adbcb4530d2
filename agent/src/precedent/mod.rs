//! How earlier alerts of a rule ended by people's word, and how far that speaks for a new one; the daemon's own verdicts
//! do not count, so it does not teach itself.

mod history;
mod keys;
mod likeness;
mod told;
mod usual;
mod words;

pub use history::{Counts, History, Said, Support, Word};
pub use likeness::likeness;
pub use usual::{AROUND, Habit, concerned, habits, unsuspected};
