//! Which steps' rows a playbook's conditions read at all: only those are carried into the views, which keeps them small.

use std::collections::BTreeSet;

use regex::Regex;

use super::form::Playbook;

/// Steps whose rows are read, by root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// Under `trusted`.
    pub trusted: BTreeSet<String>,
    /// Under `any`.
    pub any: BTreeSet<String>,
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
        for condition in conditions {
            for found in named.captures_iter(condition.source()) {
                let root = match &found[1] {
                    "trusted" => &mut reads.trusted,
                    _ => &mut reads.any,
                };
                match found.get(2) {
                    Some(step) => drop(root.insert(step.as_str().to_owned())),
                    None => root.extend(all()),
                }
            }
        }
        for signal in &playbook.signals {
            let steps = told.captures_iter(&signal.says);
            reads.any.extend(steps.map(|c| c[1].to_owned()));
        }
        Ok(reads)
    }
}
