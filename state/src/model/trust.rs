//! How far a value may be believed; the labels of the taint rule, not the rule itself.

use serde::{Deserialize, Serialize};

words! {
    /// Integrity of a value. The join of two values takes the worse one.
    pub enum Trust {
        /// Configuration, clock, daemon ids, and fields the mapping or catalogue lists as machine-asserted.
        Trusted = "trusted",
        /// An untrusted value that parses as its closed type and is in the inventory or the trusted entity set.
        Endorsed = "endorsed",
        /// Everything else: what an attacker may have written, and all model output.
        Untrusted = "untrusted",
    }
}

impl Trust {
    /// The trust of something made from both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        self.max(other)
    }

    /// Whether a benign-leaning signal may read it.
    #[must_use]
    pub fn is_usable_for_closing(self) -> bool {
        self != Self::Untrusted
    }
}

/// A text value with its trust. Numbers and booleans are kept in their JSON spelling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The value, verbatim.
    pub value: String,
    /// How far it may be believed.
    pub trust: Trust,
}

impl Fact {
    /// A value from the listed trusted fields.
    #[must_use]
    pub fn trusted(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            trust: Trust::Trusted,
        }
    }

    /// A value an attacker may have written.
    #[must_use]
    pub fn untrusted(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            trust: Trust::Untrusted,
        }
    }
}
