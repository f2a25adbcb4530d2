//! What a case may spend and what it has spent; enforcing it is the gate's and the model loop's.

use serde::{Deserialize, Serialize};

/// Limits of one tier of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Tool calls.
    pub tool_calls: u32,
    /// Model turns.
    pub turns: u32,
    /// Model tokens, in and out together.
    pub tokens: u64,
    /// Model cost in US dollars, from the configured prices.
    pub usd: f64,
    /// Wall time, seconds.
    pub seconds: u64,
    /// How often one tool may be called with equal arguments.
    pub identical_calls: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            tool_calls: 40,
            turns: 8,
            tokens: 120_000,
            usd: 1.0,
            seconds: 180,
            identical_calls: 2,
        }
    }
}

/// What one tier of one case has spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Tool calls.
    pub tool_calls: u32,
    /// Model turns.
    pub turns: u32,
    /// Tokens sent to the model.
    pub tokens_in: u64,
    /// Tokens the model wrote.
    pub tokens_out: u64,
    /// Cost in US dollars.
    pub usd: f64,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            tool_calls: self.tool_calls + other.tool_calls,
            turns: self.turns + other.turns,
            tokens_in: self.tokens_in + other.tokens_in,
            tokens_out: self.tokens_out + other.tokens_out,
            usd: self.usd + other.usd,
        }
    }
}
