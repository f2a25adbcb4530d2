//! What a person, or the daemon itself, can switch off: closing without a person, and outside effects.

use serde::{Deserialize, Serialize};

use super::Time;

words! {
    /// What can be switched off.
    pub enum Switch {
        /// Closing without a person, and proposing to.
        Closing = "closing",
        /// Outside effects.
        Effects = "effects",
    }
}

words! {
    /// How a switch stands.
    pub enum SwitchState {
        /// Nothing of it happens; investigation goes on.
        Off = "off",
        /// As configured.
        On = "on",
    }
}

/// One turn of a switch; the last one stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Which.
    pub switch: Switch,
    /// How it stands since then.
    pub state: SwitchState,
    /// Who turned it: a person, or `nightdesk`.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Time,
}
