//! Policy as code: the operator's Rego has the last word on calls and closes, and can only narrow; the other rules are the gate's.

mod engine;
mod evaluator;
mod input;

use regorus::Value;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::config::CloseMode;
use crate::data::{Folder, sha256_hex};
use crate::text::oneline;

use engine::{CALL, CLOSE, TestRule};
use evaluator::{Evaluator, PolicyError};

pub use input::{Asker, Asset, CallInput, CaseFacts, CloseInput, Moment};

/// Longest reason that is kept, characters: a rule may put outside text into it.
const WHY: usize = 300;

/// The policy in force, parsed once.
#[derive(Debug)]
pub struct Policy {
    evaluator: Evaluator,
    version: String,
    tests: Vec<TestRule>,
}

/// What the policy says of a call. The gate takes the stricter of this and its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallDecision {
    /// Nothing against it.
    Allow,
    /// A person has to approve it, and why.
    Approval(String),
    /// Not at all, and why. A policy that fails to answer says this.
    Deny(String),
    /// Not now, and why: the answer did not come in time.
    CannotTell(String),
}

/// What the policy says of a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseDecision {
    /// What may happen: never wider than what was configured, and never at all when the policy fails to answer.
    pub mode: CloseMode,
    /// Why.
    pub why: String,
}

/// How one unit test of the policy ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTest {
    /// Name of the rule.
    pub name: String,
    /// File it stands in.
    pub file: String,
    /// Whether it came out true.
    pub passed: bool,
    /// Why not; empty when it passed.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallAnswer {
    decision: Word,
    #[serde(default)]
    why: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Allow,
    Approval,
    Deny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseAnswer {
    mode: CloseMode,
    #[serde(default)]
    why: String,
}

impl Policy {
    /// Reads the folder's `.rego` files.
    ///
    /// # Errors
    /// Every fault with file and line; also when one of the two rules that decide is missing.
    pub fn load(folder: &Folder) -> Result<Self, Vec<String>> {
        let (engine, tests) = engine::build(folder)?;
        let mut hashed = String::new();
        for file in folder.list("", ".rego").filter(|f| !engine::is_test(f)) {
            hashed.push_str(&format!("{}\0{}\0", file.name, file.text));
        }
        Ok(Self {
            evaluator: Evaluator::new(engine),
            version: sha256_hex(hashed),
            tests,
        })
    }

    /// SHA-256 over the files that decide, hex; unit tests are left out.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Decides on a tool call.
    pub fn call(&self, input: &CallInput) -> CallDecision {
        match self.answer::<CallAnswer>(CALL, input) {
            Ok(answer) => match answer.decision {
                Word::Allow => CallDecision::Allow,
                Word::Approval => CallDecision::Approval(reason(&answer.why)),
                Word::Deny => CallDecision::Deny(reason(&answer.why)),
            },
            Err(e @ PolicyError::Timeout) => CallDecision::CannotTell(failed(&e)),
            Err(e) => CallDecision::Deny(failed(&e)),
        }
    }

    /// Decides how far a case may be closed without a person.
    pub fn close(&self, input: &CloseInput) -> CloseDecision {
        match self.answer::<CloseAnswer>(CLOSE, input) {
            Ok(answer) => CloseDecision {
                mode: answer.mode.min(input.mode),
                why: reason(&answer.why),
            },
            Err(e) => CloseDecision {
                mode: CloseMode::Never,
                why: failed(&e),
            },
        }
    }

    /// Runs the unit tests that stand beside the policy, in order of file and name.
    pub fn self_test(&self) -> Vec<PolicyTest> {
        let mut ended = Vec::new();
        for test in &self.tests {
            let why = match self.evaluator.ask(&test.path, &()) {
                Ok(Value::Bool(true)) => String::new(),
                Ok(other) => format!("is {}, not true", oneline(&other.to_string(), WHY)),
                Err(PolicyError::Undefined(_)) => "does not hold".to_owned(),
                Err(e) => e.to_string(),
            };
            ended.push(PolicyTest {
                name: test.path.rsplit('.').next().unwrap_or_default().to_owned(),
                file: test.file.clone(),
                passed: why.is_empty(),
                why,
            });
        }
        ended
    }

    fn answer<T: DeserializeOwned>(
        &self,
        rule: &str,
        input: &impl serde::Serialize,
    ) -> Result<T, PolicyError> {
        let value = self.evaluator.ask(rule, input)?;
        let read = serde_json::to_value(&value).and_then(serde_json::from_value);
        read.map_err(|e| PolicyError::Shape {
            rule: rule.to_owned(),
            why: oneline(&e.to_string(), WHY),
        })
    }
}

fn reason(why: &str) -> String {
    match oneline(why, WHY) {
        why if why.is_empty() => "the policy says so".to_owned(),
        why => why,
    }
}

fn failed(error: &PolicyError) -> String {
    tracing::error!(%error, "the policy failed, so nothing is allowed");
    format!("the policy failed: {error}")
}
