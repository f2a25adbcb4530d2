//! What intruders tend to do after what was seen: a shipped table with its basis; an expectation, read by no judgement.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Attack, Technique};

/// How often public reports name the two together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likelihood {
    /// More than once.
    Occasional,
    /// Again and again.
    Common,
}

impl std::fmt::Display for Likelihood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Occasional => "occasional",
            Self::Common => "common",
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    after: Vec<String>,
    then: String,
    likelihood: Likelihood,
    why: String,
}

/// The file `attack/next.yaml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NextFile {
    version: String,
    basis: String,
    pairs: Vec<Pair>,
}

/// Something an intruder is likely to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Expectation {
    /// ATT&CK id.
    pub technique: String,
    /// Its name.
    pub name: String,
    /// Tactics, as ATT&CK short names.
    pub tactics: Vec<String>,
    /// How likely, in words.
    pub likelihood: Likelihood,
    /// The techniques seen that it tends to follow.
    pub after: Vec<String>,
    /// Why, one sentence each.
    pub why: Vec<String>,
}

impl NextFile {
    /// Reads the file and checks its ids against the technique table.
    pub(super) fn read(
        text: &str,
        version: &str,
        table: &BTreeMap<String, Technique>,
    ) -> Result<Self, String> {
        let file: Self = serde_saphyr::from_str(text).map_err(|e| format!("next.yaml: {e}"))?;
        if file.version != version {
            return Err(format!(
                "next.yaml: is of ATT&CK {}, the patterns are of {version}; make them one",
                file.version
            ));
        }
        let ids = file
            .pairs
            .iter()
            .flat_map(|p| p.after.iter().chain([&p.then]));
        let unknown: Vec<&str> = ids
            .filter(|id| !table.contains_key(*id))
            .map(String::as_str)
            .collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            return Err(format!("next.yaml: not in techniques.csv: {unknown}"));
        }
        Ok(file)
    }
}

impl Attack {
    /// What intruders tend to do after these techniques and was not seen, the likeliest first, at most `most`.
    ///
    /// A sub-technique also counts as its parent.
    #[must_use]
    pub fn next(&self, seen: &[&str], most: usize) -> Vec<Expectation> {
        let mut found: BTreeMap<&str, Expectation> = BTreeMap::new();
        let seen: Vec<&str> = seen
            .iter()
            .filter_map(|id| self.get(id))
            .map(|t| t.id.as_str())
            .collect();
        for pair in &self.next.pairs {
            let is_seen = |id: &str| seen.iter().any(|s| covers(id, s));
            let after: Vec<&String> = pair.after.iter().filter(|id| is_seen(id)).collect();
            if after.is_empty() || is_seen(&pair.then) {
                continue;
            }
            let Some(technique) = self.get(&pair.then) else {
                continue;
            };
            let told = found.entry(&pair.then).or_insert_with(|| Expectation {
                technique: technique.id.clone(),
                name: technique.name.clone(),
                tactics: technique.tactics.clone(),
                likelihood: pair.likelihood,
                after: Vec::new(),
                why: Vec::new(),
            });
            told.likelihood = told.likelihood.max(pair.likelihood);
            told.after.extend(after.into_iter().cloned());
            told.after.sort_unstable();
            told.after.dedup();
            told.why.push(pair.why.clone());
        }
        let mut all: Vec<Expectation> = found.into_values().collect();
        all.sort_by_key(|e| std::cmp::Reverse((e.likelihood, e.after.len())));
        all.truncate(most);
        all
    }

    /// What the expectations rest on, in one line.
    #[must_use]
    pub fn next_basis(&self) -> &str {
        &self.next.basis
    }
}

/// Whether a technique that was seen is this one or one of its sub-techniques.
fn covers(id: &str, seen: &str) -> bool {
    let rest = seen.strip_prefix(id);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
