//! A trusted entity that an alert names, as correlation reads it; how much sharing one weighs is decided elsewhere.

use serde::{Deserialize, Serialize};

words! {
    /// The part an entity plays in an alert.
    pub enum Part {
        /// Who acted.
        User = "user",
        /// The machine it happened on, or the sensor that saw it.
        Host = "host",
        /// Address it came from.
        Source = "source",
        /// Address it went to.
        Destination = "destination",
        /// Account it was done to.
        Target = "target",
        /// Bucket, repository, key or mailbox it was done to.
        Resource = "resource",
    }
}

/// One trusted entity that an alert names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mention {
    /// The part it plays.
    pub part: Part,
    /// Kind and value, lower case, for instance `host:web-1`: two mentions of one entity are equal here.
    pub key: String,
}

/// What correlation reads of an alert: trusted fields alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Every entity once a part, sorted.
    pub all: Vec<Mention>,
    /// Key of who or what acted: the user, else the source address, else the machine; empty when nothing is named.
    pub actor: String,
    /// Key of the machine; empty when none is named.
    pub place: String,
}
