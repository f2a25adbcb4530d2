//! What the daemon did with a case, append-only; the activity under investigation is in the report.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CaseId, Time};

words! {
    /// The closed list of things the daemon does with a case.
    pub enum TimelineKind {
        /// The case was opened by an alert.
        Opened = "opened",
        /// Another alert joined.
        Joined = "joined",
        /// A worker took it.
        Claimed = "claimed",
        /// A worker let go.
        Released = "released",
        /// A playbook was chosen.
        Planned = "planned",
        /// A step found its answer.
        StepDone = "step_done",
        /// A step could not be answered.
        StepFailed = "step_failed",
        /// The gate refused something.
        Denied = "denied",
        /// An analyst gave an assessment.
        Assessed = "assessed",
        /// The case went to the next tier.
        TierReached = "tier_reached",
        /// The model could not be used.
        ModelFailed = "model_failed",
        /// The scanner found text that speaks to whoever reads it.
        Flagged = "flagged",
        /// An outside effect was proposed.
        EffectProposed = "effect_proposed",
        /// An outside effect was sent, refused at the last check, or looked up.
        EffectCarriedOut = "effect_carried_out",
        /// A verdict was stored.
        VerdictGiven = "verdict_given",
        /// The case was closed.
        Closed = "closed",
        /// The case was handed to a person.
        Escalated = "escalated",
        /// A person was asked.
        Asked = "asked",
        /// A person answered.
        Answered = "answered",
    }
}

/// One thing the daemon did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineEvent {
    /// Case.
    pub case: CaseId,
    /// Place in the case's timeline, from 1; given by the store.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// `nightdesk`, or who did it.
    pub actor: String,
    /// What kind of thing.
    pub kind: TimelineKind,
    /// One sentence for people.
    pub message: String,
    /// Details for machines.
    pub data: Value,
}

impl TimelineEvent {
    /// An event of the daemon's own, still without a place.
    #[must_use]
    pub fn ours(case: CaseId, at: Time, kind: TimelineKind, message: impl Into<String>) -> Self {
        Self {
            case,
            seq: 0,
            at,
            actor: "nightdesk".to_owned(),
            kind,
            message: message.into(),
            data: Value::Null,
        }
    }

    /// The same event with details.
    #[must_use]
    pub fn with(mut self, data: Value) -> Self {
        self.data = data;
        self
    }
}
