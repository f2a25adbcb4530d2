//! Which alerts belong together: what they name, how much sharing it weighs, and the cases that follow; it reads no store.
//!
//! Alerts and cases are joined through the trusted entities they share. An entity weighs less the more different actors
//! it joins (an office address, a scanner, a domain controller), and an account less the more machines it is used on.
//! Sharing alone is not enough: the alerts must also be alike in rule, in time, or by a known incident.

mod mentions;
mod sort;
mod weight;

pub use mentions::{is_hub, key, mentions};
pub use sort::{Newcomer, Placed, sort};
pub use weight::{Alike, Link, NEEDED, Share};
