//! Evaluation on the caller's own thread: a hop to another one costs more than the evaluation. The engine's clock bounds it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use regorus::{Engine, LimitError, Value};
use serde::Serialize;

use super::engine::told;

/// Engines that are kept for the next questions; more than that many at a time is rare.
const KEPT: usize = 8;

/// Why there is no answer. Each is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PolicyError {
    /// No rule gives one.
    #[error("`{0}` has no answer for this input; give it a default in the policy folder")]
    Undefined(String),
    /// The rule gives something else.
    #[error("`{rule}` answers in another shape than policy/README.md says: {why}")]
    Shape {
        /// Path of the rule.
        rule: String,
        /// What is wrong with it.
        why: String,
    },
    /// The rule contradicts itself, calls what is not there, or fails.
    #[error("{0}")]
    Evaluation(String),
    /// It took too long.
    #[error("the policy took too long to answer; `nightdesk check` runs its unit tests")]
    Timeout,
}

/// Answers questions, several at a time.
#[derive(Debug)]
pub(super) struct Evaluator {
    fresh: Engine,
    idle: Mutex<Vec<Engine>>,
}

impl Evaluator {
    /// Answers by the rules of this engine.
    pub(super) fn new(fresh: Engine) -> Self {
        Self {
            fresh,
            idle: Mutex::default(),
        }
    }

    /// The value of a rule for an input; never [`Value::Undefined`].
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn ask(&self, rule: &str, input: &impl Serialize) -> Result<Value, PolicyError> {
        let input =
            serde_json::to_string(input).map_err(|e| PolicyError::Evaluation(e.to_string()))?;
        let input = Value::from_json_str(&input).map_err(|e| {
            PolicyError::Evaluation(format!("the input can't be read: {}", told(&e)))
        })?;
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut engine = idle.unwrap_or_else(|| self.fresh.clone());
        let answer = catch_unwind(AssertUnwindSafe(|| evaluate(&mut engine, rule, input)));
        let Ok(answer) = answer else {
            // What a panic leaves of an engine is not used again.
            let why = format!("the evaluator gave up on `{rule}`");
            return Err(PolicyError::Evaluation(why));
        };
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < KEPT
        {
            idle.push(engine);
        }
        answer
    }
}

fn evaluate(engine: &mut Engine, rule: &str, input: Value) -> Result<Value, PolicyError> {
    engine.set_input(input);
    let value = engine.eval_rule(rule.to_owned());
    for line in engine.take_prints().unwrap_or_default() {
        tracing::debug!(%line, "the policy prints");
    }
    match value {
        Ok(Value::Undefined) => Err(PolicyError::Undefined(rule.to_owned())),
        Ok(value) => Ok(value),
        Err(e) if e.downcast_ref::<LimitError>().is_some() => Err(PolicyError::Timeout),
        Err(e) => Err(PolicyError::Evaluation(told(&e))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_evaluator_is_a_refusal_and_not_the_end() {
        let mut engine = Engine::new();
        let rules = "package p\nfine := 1\nbroken := breaks()\n";
        engine
            .add_policy("p.rego".to_owned(), rules.to_owned())
            .unwrap();
        let breaks = |_| panic!("on purpose");
        engine
            .add_extension("breaks".to_owned(), 0, Box::new(breaks))
            .unwrap();
        let evaluator = Evaluator::new(engine);
        for _ in 0..2 {
            let answer = evaluator.ask("data.p.broken", &());
            assert!(
                matches!(answer, Err(PolicyError::Evaluation(_))),
                "{answer:?}"
            );
            assert_eq!(evaluator.ask("data.p.fine", &()), Ok(Value::from(1)));
        }
    }
}
