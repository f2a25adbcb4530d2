//! Verdict quality against labels that no server, prompt or analyst ever sees; it changes nothing outside its own scratch store.

mod calibration;
mod curve;
mod lab;
mod labels;
mod score;
mod teach;

pub use calibration::{Bin, Calibration};
pub use curve::{Curve, Point, run_curve};
pub use lab::{DEMO_MARK, Effort, LabReport, lab_config, lab_settings, run_lab};
pub use labels::{Label, Labels, read_labels};
pub use score::{Metrics, Rate, score};
pub use teach::FeedbackUntil;
