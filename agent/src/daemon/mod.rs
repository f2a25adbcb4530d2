//! Puts the parts together and keeps them running: assemble, work the queue, stop cleanly; no room's work is done here.

mod assemble;
mod baselines;
mod canary;
mod definitions;
mod effects;
mod off_pattern;
mod once;
mod people;
mod run;
mod sources;
mod telling;
mod watch;
mod weekly;

pub use assemble::{Assembled, Data, assemble, assemble_at, context, data};
pub use baselines::{Round, Share};
pub use canary::beat;
pub use effects::{carry_out, take_stock};
pub use off_pattern::look;
pub use once::{Progress, work_until_empty};
pub use people::People;
pub use run::run;
pub use sources::{Pollable, pollable, webhook};
pub use telling::{Told, tell, tell_on};
pub use watch::Watch;
pub use weekly::{Exported, digest, export_due};
