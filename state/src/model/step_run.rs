//! One execution of a playbook step, so that a crash does not repeat what is done.

use serde::{Deserialize, Serialize};

use super::{AlertId, CaseId, EvidenceRef, Tier, Time, ToolClass};

words! {
    /// Where a step stands.
    pub enum StepState {
        /// Begun; its call may have been sent.
        Started = "started",
        /// Ended with evidence, be it a failure.
        Done = "done",
    }
}

/// One execution of a step for one alert of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRun {
    /// Case.
    pub case: CaseId,
    /// Alert the step was run for.
    pub alert: AlertId,
    /// Step id in the playbook.
    pub step: String,
    /// Tier it belongs to.
    pub tier: Tier,
    /// Class of its tool: only read-only steps are repeated after a crash.
    pub class: ToolClass,
    /// Where it stands.
    pub state: StepState,
    /// What it found.
    pub evidence: Option<EvidenceRef>,
    /// When it began.
    pub started: Time,
}
