//! Chance from a seed, for fuzzing: the same seed draws the same; what is drawn for is the tests' business.

use agent::ctx::Dice;

/// A sequence of draws.
#[derive(Debug)]
pub struct Draw {
    seed: String,
    dice: Dice,
}

impl Draw {
    /// Draws by this seed.
    #[must_use]
    pub fn of(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            dice: Dice::seeded(seed),
        }
    }

    /// The seed, for the message of a test that failed.
    #[must_use]
    pub fn seed(&self) -> &str {
        &self.seed
    }

    /// A number below `n`; 0 when `n` is 0.
    #[must_use]
    pub fn below(&self, n: usize) -> usize {
        // A share is below 1 and `n` is small: the product is below `n`.
        (self.dice.share() * n as f64) as usize
    }

    /// Whether something of this chance, in percent, happens.
    #[must_use]
    pub fn percent(&self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of several; there must be one.
    #[must_use]
    pub fn of_these<'t, T>(&self, these: &'t [T]) -> &'t T {
        &these[self.below(these.len())]
    }

    /// The same in another order.
    pub fn shuffle<T>(&self, these: &mut [T]) {
        for at in (1..these.len()).rev() {
            these.swap(at, self.below(at + 1));
        }
    }
}

/// How often a test goes round: by this environment variable, else the count given.
#[must_use]
pub fn rounds(variable: &str, otherwise: usize) -> usize {
    let told = std::env::var(variable).ok();
    told.and_then(|n| n.parse().ok()).unwrap_or(otherwise)
}
