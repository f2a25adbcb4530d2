//! How people are told: the edge to Slack, webhooks and mail; what is told is built from the store, who may answer is checked elsewhere.

pub mod card;
pub mod slack;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use card::Post;

/// Where a post stands with a notifier, in that notifier's own words; kept in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(pub Value);

/// What a notifier knows of a post's surroundings.
#[derive(Debug, Clone, Copy, Default)]
pub struct At<'a> {
    /// Where an earlier form of it stands, which this one replaces.
    pub earlier: Option<&'a Place>,
    /// Where the post stands that this one belongs under.
    pub under: Option<&'a Place>,
}

/// Why people were not told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// It may go through later: outage, rate limit.
    #[error("{why}")]
    Later {
        /// How long the other side wants to be left alone.
        after: Option<Duration>,
        /// Why, in a sentence.
        why: String,
    },
    /// The same post will be refused again.
    #[error("{why}")]
    Refused {
        /// Why, in a sentence.
        why: String,
    },
}

/// One way of telling people.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Its name in the store and in logs, such as `slack`.
    fn name(&self) -> &str;

    /// Whether posts of this kind go this way.
    fn takes(&self, post: &Post) -> bool;

    /// Tells people, or brings up to date what they were told; gives where it stands now.
    ///
    /// # Errors
    /// [`PostError`]: it may have arrived all the same.
    async fn post(&self, post: &Post, at: At<'_>) -> Result<Place, PostError>;
}
