//! Verdict quality against labels that no server, prompt or analyst ever sees; it changes nothing outside its own scratch store.

mod lab;
mod labels;
mod score;

pub use lab::{DEMO_MARK, LabReport, lab_config, lab_settings, run_lab};
pub use labels::{Label, read_labels};
pub use score::{Metrics, Rate, score, wilson};
