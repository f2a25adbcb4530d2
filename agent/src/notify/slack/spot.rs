//! Where a message stands at Slack and how often it has been written: what the store keeps of it.

use serde::{Deserialize, Serialize};

use super::click::Click;
use super::paper::Drawn;
use crate::data::sha256_hex;
use crate::notify::Place;

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// `C…`
    pub channel: String,
    /// Its time stamp, by which Slack names it.
    pub ts: String,
    /// How often it has been written: 1 is the first. The buttons of an earlier form are told by it.
    pub rev: u64,
    /// Digest of what stands in its thread because it did not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
}

impl Spot {
    /// Reads what [`Self::place`] gave; another notifier's place is none.
    #[must_use]
    pub fn of(place: &Place) -> Option<Self> {
        Self::deserialize(&place.0).ok()
    }

    /// For the store.
    #[must_use]
    pub fn place(&self) -> Place {
        Place(serde_json::to_value(self).unwrap_or_default())
    }

    /// Whether a click came from this message as it is now.
    #[must_use]
    pub fn is_of(&self, click: &Click) -> bool {
        self.channel == click.channel && self.ts == click.message_ts && self.rev == click.rev
    }
}

/// Digest of the messages for the thread; none when there are none.
pub(super) fn digest(rest: &[Drawn]) -> Option<String> {
    let text = serde_json::to_string(rest)
        .ok()
        .filter(|_| !rest.is_empty())?;
    Some(sha256_hex(text))
}
