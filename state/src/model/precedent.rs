//! A person's word on an earlier alert, with what was known of that alert; whether it is like another one is decided elsewhere.

use serde::{Deserialize, Serialize};

use super::{AlertId, CaseId, Time, VerdictKind};

/// What makes two alerts of one rule alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Likeness {
    /// Key of the trusted principal; empty when the alert has none.
    pub principal: String,
    /// SHA-256 over the normalised fields of its events, hex; empty without a principal.
    pub shape: String,
    /// SHA-256 over all its events say, numbers and ids left out, hex; empty without a principal. Equal content is equal
    /// shape.
    pub content: String,
}

/// A person's word on an alert, as it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    /// The alert.
    pub alert: AlertId,
    /// What they say.
    pub kind: VerdictKind,
    /// Who says so.
    pub by: String,
    /// How it came and who the channel says it was: `command line as ana`.
    pub channel: String,
    /// Their reason, in their words; may be empty.
    pub note: String,
    /// What makes another alert of the rule like it.
    pub likeness: Likeness,
    /// Ids of the signals that spoke for malicious when it was judged.
    pub signals: Vec<String>,
    /// When.
    pub at: Time,
}

/// A person's word in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precedent {
    /// Case of the alert.
    pub case: CaseId,
    /// The alert.
    pub alert: AlertId,
    /// What they say.
    pub kind: VerdictKind,
    /// Who says so.
    pub by: String,
    /// Their reason, in their words.
    pub note: String,
    /// What makes another alert of the rule like it.
    pub likeness: Likeness,
    /// Ids of the signals that spoke for malicious when it was judged.
    pub signals: Vec<String>,
    /// Time of the alert.
    pub alert_time: Time,
    /// When they said it.
    pub at: Time,
}
