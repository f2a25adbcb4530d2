//! Refits weights and priors from people's verdicts; it proposes a file and changes nothing that is in force.

mod fit;
mod propose;
mod validate;
mod words;

pub use fit::{FitError, Fitted, fit};
pub use propose::{Change, LEAST_CASES, Proposal, file, propose};
pub use validate::{Effect, Figures, validate};
pub use words::{Row, Weighed, Weight, What, words};
