//! What goes out to people through one notifier and where it stands; what it says and how it looks is the daemon's.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CaseId, Time};

words! {
    /// Where a post stands.
    pub enum PostState {
        /// People do not see it yet, or see an earlier form.
        Due = "due",
        /// People see it as it is.
        Sent = "sent",
        /// The same, and nothing more is to come.
        Settled = "settled",
        /// The notifier refused it for good.
        Failed = "failed",
    }
}

/// Something that people are to see, or no longer as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPost {
    /// Who shows it.
    pub notifier: String,
    /// What it is about, such as `case:7`; one post a notifier.
    pub key: String,
    /// The case it is about.
    pub case: Option<CaseId>,
    /// Key of the post that it belongs under.
    pub under: Option<String>,
    /// What it says, as the daemon spells it.
    pub body: Value,
    /// Last event of the case that it tells of; 0 without one.
    pub seq: i64,
    /// Whether nothing more is to be told after it.
    pub settles: bool,
}

/// A stored post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredPost {
    /// Row id.
    pub id: i64,
    /// Who shows it.
    pub notifier: String,
    /// What it is about.
    pub key: String,
    /// The case it is about.
    pub case: Option<CaseId>,
    /// What it says.
    pub body: Value,
    /// Digest of the body.
    pub digest: String,
    /// Where it stands with the notifier, once it is shown.
    pub place: Option<Value>,
    /// Where the post stands that it belongs under.
    pub under: Option<Value>,
    /// Where it stands with us.
    pub state: PostState,
    /// Failed attempts in a row.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub why: String,
    /// When people first saw it.
    pub first_sent: Option<Time>,
}

/// A case that a notifier tells of, or is to tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Telling {
    /// The case.
    pub case: CaseId,
    /// Last event that the post tells of; none while there is no post.
    pub told: Option<i64>,
}

/// Equal proposed closes that one answer can settle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Row id; another set of questions is another batch.
    pub id: i64,
    /// What its cases have in common, a digest.
    pub likeness: String,
    /// The first batch of this question, for people one card; 0 in a new one.
    pub root: i64,
    /// The questions, ascending.
    pub approvals: Vec<i64>,
    /// Digest over the digests of the questions, hex.
    pub digest: String,
    /// Cases drawn at random, which are shown whole.
    pub sample: Vec<CaseId>,
    /// Whether a person wants to see each case by itself.
    pub split: bool,
}
