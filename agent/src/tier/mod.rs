//! The analysts and what holds for both; what a tier may do is configuration, what follows is `pipeline::judge`.

mod dossier;
mod grounding;
mod model_analyst;
mod model_context;
mod playbook_analyst;
mod reconstruct;
mod veil;

pub use dossier::{Dossier, Plan, Unasked};
pub use grounding::{Grounded, ground};
pub use model_analyst::{ModelFailure, ModelView, assess as ask_model};
pub(crate) use playbook_analyst::sentence;
pub use playbook_analyst::{PlaybookView, assess as ask_playbook};
pub use reconstruct::{Line, earliest, reconstruct};
