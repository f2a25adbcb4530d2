//! One thread that evaluates: an evaluation that does not end takes no worker of the daemon with it, and its caller goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use regorus::{Engine, LimitError, Value};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use super::engine::told;

/// Longest wait for an answer, evaluations before this one included.
const WAIT: Duration = Duration::from_secs(2);

/// Questions that may wait; one more waits to be put.
const QUEUE: usize = 64;

/// Stack of the thread, bytes: the evaluator recurses over nested values and rules.
const STACK: usize = 8 << 20;

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
    /// The thread is gone.
    #[error("the policy is not being evaluated any more; restart nightdesk")]
    Gone,
}

struct Question {
    rule: String,
    input: String,
    answer: oneshot::Sender<Result<Value, PolicyError>>,
}

/// The way to the thread. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    questions: mpsc::Sender<Question>,
}

impl Worker {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(engine: Engine) -> std::io::Result<Self> {
        let (questions, queue) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("policy".to_owned())
            .stack_size(STACK)
            .spawn(move || work(&engine, queue))?;
        Ok(Self { questions })
    }

    /// The value of a rule for an input; never [`Value::Undefined`].
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn ask(
        &self,
        rule: &str,
        input: &impl Serialize,
    ) -> Result<Value, PolicyError> {
        let input =
            serde_json::to_string(input).map_err(|e| PolicyError::Evaluation(e.to_string()))?;
        let (answer, answered) = oneshot::channel();
        let question = Question {
            rule: rule.to_owned(),
            input,
            answer,
        };
        let asked = async {
            let sent = self.questions.send(question).await;
            sent.map_err(|_| PolicyError::Gone)?;
            answered.await.map_err(|_| PolicyError::Gone)?
        };
        tokio::time::timeout(WAIT, asked)
            .await
            .map_err(|_| PolicyError::Timeout)?
    }
}

fn work(fresh: &Engine, mut queue: mpsc::Receiver<Question>) {
    let mut engine = fresh.clone();
    while let Some(question) = queue.blocking_recv() {
        if question.answer.is_closed() {
            continue;
        }
        let answer = catch_unwind(AssertUnwindSafe(|| evaluate(&mut engine, &question)));
        let answer = answer.unwrap_or_else(|_| {
            engine = fresh.clone();
            let rule = &question.rule;
            Err(PolicyError::Evaluation(format!(
                "the evaluator gave up on `{rule}`"
            )))
        });
        // Nobody listens when the caller has waited long enough.
        let _ = question.answer.send(answer);
    }
}

fn evaluate(engine: &mut Engine, question: &Question) -> Result<Value, PolicyError> {
    let input = Value::from_json_str(&question.input)
        .map_err(|e| PolicyError::Evaluation(format!("the input can't be read: {}", told(&e))))?;
    engine.set_input(input);
    let value = engine.eval_rule(question.rule.clone());
    for line in engine.take_prints().unwrap_or_default() {
        tracing::debug!(%line, "the policy prints");
    }
    match value {
        Ok(Value::Undefined) => Err(PolicyError::Undefined(question.rule.clone())),
        Ok(value) => Ok(value),
        Err(e) if e.downcast_ref::<LimitError>().is_some() => Err(PolicyError::Timeout),
        Err(e) => Err(PolicyError::Evaluation(told(&e))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, mpsc as std_mpsc};

    use super::*;

    fn engine() -> Engine {
        let mut engine = Engine::new();
        let rules = "package p\nfine := 1\nbroken := breaks()\nendless := blocks()\n";
        engine
            .add_policy("p.rego".to_owned(), rules.to_owned())
            .unwrap();
        engine
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_without_end_holds_up_nobody_for_ever() {
        let (release, wait) = std_mpsc::channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let mut engine = engine();
        let blocks = move |_| {
            let _ = wait.lock().unwrap().recv();
            Ok(Value::from(1))
        };
        engine
            .add_extension("blocks".to_owned(), 0, Box::new(blocks))
            .unwrap();
        let worker = Worker::start(engine).unwrap();
        // The clock is paused: it jumps to the end of the wait as soon as nothing else can go on.
        for rule in ["data.p.endless", "data.p.fine"] {
            let answer = worker.ask(rule, &()).await;
            assert_eq!(answer, Err(PolicyError::Timeout), "{rule}");
        }
        tokio::time::resume();
        drop(release);
        assert_eq!(worker.ask("data.p.fine", &()).await, Ok(Value::from(1)));
    }

    #[tokio::test]
    async fn a_panic_of_the_evaluator_is_a_refusal_and_not_the_end() {
        let mut engine = engine();
        let breaks = |_| panic!("on purpose");
        engine
            .add_extension("breaks".to_owned(), 0, Box::new(breaks))
            .unwrap();
        let worker = Worker::start(engine).unwrap();
        for _ in 0..2 {
            let answer = worker.ask("data.p.broken", &()).await;
            assert!(
                matches!(answer, Err(PolicyError::Evaluation(_))),
                "{answer:?}"
            );
            assert_eq!(worker.ask("data.p.fine", &()).await, Ok(Value::from(1)));
        }
    }
}
