//! Puts a streamed answer together; a stream that ends too early is no answer.

use serde_json::Value;

use super::wire::{Completion, array, raw_call, text, word};

/// An answer that is still coming in.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    out: Completion,
    /// The stream's own number of each call.
    numbers: Vec<Option<u64>>,
    finished: bool,
    any: bool,
}

impl Assembly {
    /// Takes one chunk.
    pub(super) fn take(&mut self, chunk: &Value) {
        self.out.count(chunk.get("usage"));
        let Some(choice) = array(chunk.get("choices")).first() else {
            return;
        };
        self.any = true;
        if let Some(delta) = choice.get("delta").or_else(|| choice.get("message")) {
            append(&mut self.out.text, text(delta.get("content")));
            append(&mut self.out.refusal, text(delta.get("refusal")));
            for call in array(delta.get("tool_calls")) {
                self.call(call);
            }
            if let Some(function) = delta.get("function_call").filter(|f| f.is_object()) {
                self.call(&serde_json::json!({"index": 0, "function": function}));
            }
        }
        let finish = word(choice.get("finish_reason"));
        if !finish.is_empty() {
            self.out.finish = finish;
            self.finished = true;
        }
    }

    /// A piece of a call. Some servers leave the number out, others give every call the same one.
    fn call(&mut self, piece: &Value) {
        let number = piece.get("index").and_then(Value::as_u64);
        let piece = raw_call(piece);
        let known = match number {
            Some(_) => self.numbers.iter().rposition(|n| *n == number),
            None => self.numbers.len().checked_sub(1),
        };
        let other = |at: usize| {
            let id = &self.out.calls[at].id;
            !piece.id.is_empty() && !id.is_empty() && *id != piece.id
        };
        match known.filter(|at| !other(*at)) {
            Some(at) => {
                let call = &mut self.out.calls[at];
                if call.id.is_empty() {
                    call.id = piece.id;
                }
                if call.name.is_empty() {
                    call.name = piece.name;
                }
                call.arguments.push_str(&piece.arguments);
            }
            None => {
                self.numbers.push(number);
                self.out.calls.push(piece);
            }
        }
    }

    /// Whether the model said why it stopped: all that can still come is the token count.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// The whole answer, given that the stream said it was done.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn done(self) -> Result<Completion, String> {
        if self.any {
            Ok(self.out)
        } else {
            Err("the stream holds no answer".to_owned())
        }
    }
}

fn append(to: &mut Option<String>, more: Option<String>) {
    if let Some(more) = more {
        to.get_or_insert_default().push_str(&more);
    }
}
