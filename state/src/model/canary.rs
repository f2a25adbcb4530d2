//! A known bad alert that the daemon sends through its own pipeline, and whether it came out as it must.

use serde::{Deserialize, Serialize};

use super::{AlertId, CaseId, Time};

/// Name of the source that canary alerts come from; no configured source may have it.
pub const CANARY_SOURCE: &str = "nightdesk-canary";

words! {
    /// Where a canary stands.
    pub enum CanaryState {
        /// Under way.
        Started = "started",
        /// Handed to a person, as it must be.
        Escalated = "escalated",
        /// Closed, proposed for closing, or found closable.
        Missed = "missed",
        /// Not settled in time.
        Late = "late",
    }
}

impl CanaryState {
    /// Whether it shows that closing can't be relied on.
    #[must_use]
    pub fn failed(self) -> bool {
        matches!(self, Self::Missed | Self::Late)
    }
}

/// One canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryRun {
    /// Row id.
    pub id: i64,
    /// When it was sent.
    pub at: Time,
    /// Its alert.
    pub alert: AlertId,
    /// Its case, once the alert was taken in.
    pub case: Option<CaseId>,
    /// Where it stands.
    pub state: CanaryState,
    /// One sentence on that.
    pub why: String,
    /// When it was judged.
    pub judged: Option<Time>,
}
