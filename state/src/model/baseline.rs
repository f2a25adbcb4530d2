//! What a log query answered about an entity, kept; whether it makes anything usual is decided where it is read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Time;

/// What a baseline is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BaselineOf {
    /// Named query.
    pub query: String,
    /// The entity it names, as alerts write it.
    pub value: String,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineAnswer {
    /// The first moment that was looked at.
    pub since: Time,
    /// The last moment that was looked at.
    pub until: Time,
    /// When it was answered.
    pub computed: Time,
    /// The rows as they were answered, so that the mappings of the day read them; none is an answer too.
    pub rows: Vec<Value>,
}

/// A kept answer, or that there is none yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// What it is about.
    pub of: BaselineOf,
    /// Tool and dialect that the answer is of: one of another is no answer.
    pub asked_of: String,
    /// The last whole answer.
    pub answer: Option<BaselineAnswer>,
    /// When it was asked last.
    pub tried: Time,
    /// Why that brought no whole answer; none when it did.
    pub stale: Option<String>,
}

/// A stretch in which what an entity did may have been an attack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The entity, lower case.
    pub key: String,
    /// Time of the first alert of the case.
    pub first: Time,
    /// Time of the last alert of the case.
    pub last: Time,
    /// When a person or the daemon closed the case; none while it is open.
    pub closed: Option<Time>,
    /// Whether an alert of the case is called malicious or suspicious; else it is only open.
    pub malicious: bool,
}
