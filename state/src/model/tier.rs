//! The three tiers; their settings are configuration, not types.

use serde::{Deserialize, Serialize};

/// A tier of investigation. In files it is the number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Tier {
    /// Triage: enrich; close or hand on.
    One,
    /// Investigation: correlate; close, hand on or escalate.
    Two,
    /// Forensics: reconstruct; never closes as benign by itself.
    Three,
}

/// A number that is not a tier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a tier; tiers are 1, 2 and 3")]
pub struct NotATier(u8);

impl Tier {
    /// All tiers in order.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    /// 1, 2 or 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// The tier after this one.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::One => Some(Self::Two),
            Self::Two => Some(Self::Three),
            Self::Three => None,
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "triage",
            Self::Two => "investigation",
            Self::Three => "forensics",
        }
    }
}

impl From<Tier> for u8 {
    fn from(tier: Tier) -> Self {
        tier.number()
    }
}

impl TryFrom<u8> for Tier {
    type Error = NotATier;
    fn try_from(n: u8) -> Result<Self, NotATier> {
        Self::ALL
            .into_iter()
            .find(|t| t.number() == n)
            .ok_or(NotATier(n))
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.number())
    }
}
