//! What the daemon tells of its own work: logs, meters, traces; nothing is decided by any of it.

mod logs;
mod meters;
pub mod spans;
mod traces;
mod ways;

pub use logs::{LogFormat, start};
pub use meters::{Exposition, Given, Meters, SourceStanding};
pub use traces::{Destination, Exporter, Traces};
pub use ways::{Link, WayFault, WayStanding};
