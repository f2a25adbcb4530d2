//! What another analyst, prompt or playbook says of an alert beside the live verdict; it decides nothing.

use serde::{Deserialize, Serialize};

use super::{AlertId, CaseId, Time, VerdictKind};

/// A shadow's verdict on one alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowVerdict {
    /// The alert.
    pub alert: AlertId,
    /// Digest of the shadow's settings and data, hex.
    pub setting: String,
    /// What it says.
    pub kind: VerdictKind,
    /// Probability that the activity is malicious, 0 to 1.
    pub probability: f64,
    /// Whether it would let trusted facts alone close it.
    pub close_allowed: bool,
    /// Model turns it took.
    pub model_turns: u32,
    /// Calls of its case that have no record: where there are any, it is not known what it would say.
    pub unrecorded: u32,
    /// When it was said.
    pub at: Time,
}

/// A shadow's verdict beside the live one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShadowPair {
    /// Case of the alert.
    pub case: CaseId,
    /// Rule that raised the alert.
    pub rule: String,
    /// The daemon's verdict.
    pub live: VerdictKind,
    /// Whether the daemon's trusted facts allowed a close.
    pub live_close_allowed: bool,
    /// A person's verdict, if there is one.
    pub human: Option<VerdictKind>,
    /// The shadow's.
    pub shadow: ShadowVerdict,
}
