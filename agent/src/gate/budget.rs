//! What one tier of one case may still spend; a limit reached is a refusal.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::Value;
use state::model::{Budget, Spent};

use super::{Refusal, printable};

/// Counts what a tier of a case spends against its budget.
#[derive(Debug)]
pub struct Meter {
    budget: Budget,
    spent: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: Spent,
    equal: HashMap<String, u32>,
}

impl Meter {
    /// Nothing spent yet.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            spent: Mutex::default(),
        }
    }

    /// Takes one tool call.
    ///
    /// # Errors
    /// Rule 10, when calls or equal calls are used up.
    pub fn take_call(&self, tool: &str, arguments: &Value) -> Result<(), Refusal> {
        let mut counts = self.counts()?;
        if counts.total.tool_calls >= self.budget.tool_calls {
            return Err(Refusal::new(
                10,
                format!(
                    "the tier's {} tool calls are used up",
                    self.budget.tool_calls
                ),
            ));
        }
        let key = format!("{tool} {arguments}");
        let equal = counts.equal.entry(key).or_default();
        if *equal >= self.budget.identical_calls {
            return Err(Refusal::new(
                10,
                format!(
                    "`{}` was already called {equal} times with these arguments",
                    printable(tool)
                ),
            ));
        }
        *equal += 1;
        counts.total.tool_calls += 1;
        Ok(())
    }

    /// Takes one model turn before it is asked.
    ///
    /// # Errors
    /// Rule 10, when turns, tokens or money are used up.
    pub fn take_turn(&self) -> Result<(), Refusal> {
        let mut counts = self.counts()?;
        let spent = counts.total;
        if spent.turns >= self.budget.turns {
            return Err(Refusal::new(
                10,
                format!("the tier's {} model turns are used up", self.budget.turns),
            ));
        }
        if spent.tokens_in + spent.tokens_out >= self.budget.tokens {
            return Err(Refusal::new(
                10,
                format!("the tier's {} tokens are used up", self.budget.tokens),
            ));
        }
        if spent.usd >= self.budget.usd {
            return Err(Refusal::new(
                10,
                format!("the tier's {} USD are used up", self.budget.usd),
            ));
        }
        counts.total.turns += 1;
        Ok(())
    }

    /// Adds what a turn has cost.
    pub fn add(&self, tokens_in: u64, tokens_out: u64, usd: f64) {
        if let Ok(mut counts) = self.spent.lock() {
            counts.total.tokens_in += tokens_in;
            counts.total.tokens_out += tokens_out;
            counts.total.usd += usd;
        }
    }

    /// What is spent.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.spent.lock().map(|c| c.total).unwrap_or_default()
    }

    /// The limits.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    fn counts(&self) -> Result<std::sync::MutexGuard<'_, Counts>, Refusal> {
        self.spent
            .lock()
            .map_err(|_| Refusal::new(10, "the budget can't be read"))
    }
}
