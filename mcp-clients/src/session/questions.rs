//! What a server asks during a call: kept for whoever made the call, answered only as a person has answered it, else declined.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::{ElicitRequestParams, ElicitResult, ElicitationAction, InputRequest};
use serde_json::{Value, json};

use crate::toolbox::{Answer, Question};
use crate::words::one_line;

/// Longest message of a question, characters.
const LONGEST: usize = 2_000;
/// Most questions kept of one call.
const MOST: usize = 8;
/// Largest form, bytes of JSON; a larger one is declined and not kept.
const LARGEST: usize = 16 * 1024;

/// The questions of one session; shared by its handler and its calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Questions(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    /// Whether one call is alone in the session, so that a question is its own.
    alone: bool,
    /// A person's answer, given once.
    answer: Option<Answer>,
    answered: bool,
    asked: Vec<Question>,
}

/// What came up during a call.
#[derive(Debug, Default)]
pub(super) struct Heard {
    pub(super) asked: Vec<Question>,
    pub(super) answered: bool,
}

impl Questions {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on what is asked belongs to the one call that is under way. Ends when the guard is dropped.
    pub(super) fn begin(&self, answer: Option<Answer>) -> Listening<'_> {
        *self.book() = Book {
            alone: true,
            answer,
            ..Book::default()
        };
        Listening { questions: self }
    }

    /// Decides on one question: the very one that a person has answered gets that answer, once.
    pub(crate) fn decide(&self, request: &ElicitRequestParams) -> ElicitResult {
        let declined = ElicitResult::new(ElicitationAction::Decline);
        let mut book = self.book();
        let Some(question) = question(request).filter(|_| book.alone) else {
            tracing::info!("a server asked for input: declined");
            return declined;
        };
        let theirs = book.answer.take_if(|a| a.digest == question.digest);
        if let Some(answer) = theirs {
            book.answered = true;
            tracing::info!(digest = %question.digest, "a server asked what a person has answered: answered");
            let content = Value::Object(answer.content);
            return ElicitResult::new(ElicitationAction::Accept).with_content(content);
        }
        tracing::info!(digest = %question.digest, "a server asked for input: declined");
        if book.asked.len() < MOST {
            book.asked.push(question);
        }
        declined
    }

    /// The same for a question that came instead of an answer.
    pub(super) fn decide_required(&self, request: &InputRequest) -> Option<Value> {
        let InputRequest::Elicitation(elicit) = request else {
            return None;
        };
        let result = self.decide(&elicit.params);
        (result.action == ElicitationAction::Accept)
            .then(|| serde_json::to_value(result).ok())
            .flatten()
    }
}

/// A call that hears what is asked.
pub(super) struct Listening<'q> {
    questions: &'q Questions,
}

impl Listening<'_> {
    pub(super) fn heard(&self) -> Heard {
        let mut book = self.questions.book();
        Heard {
            asked: std::mem::take(&mut book.asked),
            answered: book.answered,
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        *self.questions.book() = Book::default();
    }
}

/// A form that a person could fill in; a link is none.
fn question(request: &ElicitRequestParams) -> Option<Question> {
    let ElicitRequestParams::FormElicitationParams {
        message,
        requested_schema,
        ..
    } = request
    else {
        return None;
    };
    let schema = serde_json::to_value(requested_schema).ok()?;
    let whole = json!({ "message": message, "schema": schema });
    if whole.to_string().len() > LARGEST {
        return None;
    }
    let digest = Question::digest_of(&whole);
    Some(Question {
        message: one_line(message, LONGEST),
        schema,
        digest,
    })
}
