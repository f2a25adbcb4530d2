//! How people are told: the edge to Slack, webhooks and mail; what is told is built from the store, who may answer is checked elsewhere.

mod batch;
pub mod card;
mod compose;
mod deliver;
mod facts;
mod ladder;
pub mod mail;
mod marks;
mod plain;
pub mod slack;
mod sync;
pub mod webhook;
mod word;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{NotifyConfig, PostKind};
use crate::ctx::{Clock, Dice};
use crate::rights::{Groups, NoGroups};

pub use card::Post;
pub use deliver::deliver;
pub use marks::{Looked, Marks};
pub use sync::{compose, note, notice_watches, tell_of};
pub use word::Words;

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
    /// People see a part of it; the rest may go through later.
    #[error("{why}")]
    Partly {
        /// Where the part stands.
        place: Place,
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
    fn takes(&self, kind: PostKind) -> bool;

    /// Tells people, or brings up to date what they were told; gives where it stands now.
    ///
    /// # Errors
    /// [`PostError`]: it may have arrived all the same.
    async fn post(&self, post: &Post, at: At<'_>) -> Result<Place, PostError>;
}

/// Every notifier that is configured and takes no answers; Slack is opened with its clicks.
///
/// # Errors
/// When a secret can't be had or an address can't be read, naming the setting.
pub async fn notifiers(config: &NotifyConfig) -> anyhow::Result<Vec<Arc<dyn Notifier>>> {
    let mut all: Vec<Arc<dyn Notifier>> = Vec::new();
    for hook in &config.webhooks {
        all.push(Arc::new(webhook::Webhook::new(hook).await?));
    }
    if let Some(mail) = &config.mail {
        all.push(Arc::new(mail::Mail::new(mail).await?));
    }
    Ok(all)
}

/// Who is in the user groups that may answer, as Slack says; nobody without Slack, or while it can't be asked.
pub async fn groups(config: &NotifyConfig, clock: Arc<dyn Clock>) -> Arc<dyn Groups> {
    let Some(settings) = &config.slack else {
        return Arc::new(NoGroups::default());
    };
    match slack::Slack::new(settings, clock, Dice::unforeseen()).await {
        Ok(slack) => Arc::new(slack),
        Err(e) => Arc::new(NoGroups::because(e.to_string())),
    }
}
