//! A run of the golden lab, and whether it came out above the floor; what follows from it is decided elsewhere.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Time;

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssuranceRun {
    /// When it ended.
    pub at: Time,
    /// Name of the lab, or the folder when it could not be read.
    pub lab: String,
    /// Whether it came out above the floor.
    pub passed: bool,
    /// One sentence on that.
    pub why: String,
    /// What was measured; none when the lab could not be worked.
    pub figures: Option<Value>,
}
