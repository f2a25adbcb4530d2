//! Which steps' rows a playbook's conditions read at all: only those are carried into the views, which keeps them small.

use std::collections::BTreeSet;

use regex::Regex;

use super::Condition;
use super::form::{Lean, Playbook};

/// Steps whose rows are read, by root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Under `trusted`.
    pub trusted: BTreeSet<String>,
    /// Under `any`.
    pub any: BTreeSet<String>,
    /// By signals that speak for malicious: what could have spoken there is silent where the answer is not whole.
    pub against: BTreeSet<String>,
}

impl Reads {
    /// Reads all conditions and sentences of a playbook.
    ///
    /// A condition that reaches a step in another way than `ROOT.steps.NAME` makes every step count as read.
    ///
    /// # Errors
    /// When the pattern that finds them can't be compiled: a defect of this file.
    pub fn of(playbook: &Playbook) -> Result<Self, regex::Error> {
        let named =
            Regex::new(r"\b(trusted|any)\s*\.\s*steps\b(?:\s*\.\s*([A-Za-z_][A-Za-z0-9_]*))?")?;
        let told = Regex::new(r"\bsteps\.([A-Za-z_][A-Za-z0-9_]*)")?;
        let mut reads = Self::default();
        let all = || playbook.steps.iter().map(|s| s.id.clone());
        let steps_in = |condition: &Condition| {
            let mut found: Vec<(bool, String)> = Vec::new();
            for read in named.captures_iter(condition.source()) {
                let trusted = &read[1] == "trusted";
                match read.get(2) {
                    Some(step) => found.push((trusted, step.as_str().to_owned())),
                    None => found.extend(all().map(|step| (trusted, step))),
                }
            }
            found
        };
        let close = playbook
            .scoring
            .close
            .as_ref()
            .and_then(|c| c.when.as_ref());
        let conditions = playbook
            .signals
            .iter()
            .map(|s| &s.when)
            .chain(playbook.steps.iter().filter_map(|s| s.when.as_ref()))
            .chain(close)
            .chain([&playbook.select]);
        for (trusted, step) in conditions.flat_map(steps_in) {
            match trusted {
                true => reads.trusted.insert(step),
                false => reads.any.insert(step),
            };
        }
        for signal in &playbook.signals {
            let steps = told.captures_iter(&signal.says);
            reads.any.extend(steps.map(|c| c[1].to_owned()));
            if signal.lean == Lean::Malicious {
                let read = steps_in(&signal.when).into_iter().map(|(_, step)| step);
                reads.against.extend(read);
                reads.against.extend(signal.evidence.iter().cloned());
            }
        }
        Ok(reads)
    }
}
