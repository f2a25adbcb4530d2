//! The ATT&CK technique table and event patterns: data-driven mapping, never a guess.

mod next;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::condition::{Condition, Conditions, Roots};

use next::NextFile;
pub use next::{Expectation, Likelihood};

/// One ATT&CK technique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Technique {
    /// For instance `T1078.004`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Tactics, as ATT&CK short names.
    pub tactics: Vec<String>,
}

/// An event pattern that shows a technique.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    technique: String,
    /// CEL over `any.act`.
    when: Condition,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternFile {
    /// Version of ATT&CK that the table and the patterns are from.
    version: String,
    patterns: Vec<Pattern>,
    /// Old ids and what became of them.
    #[serde(default)]
    renamed: BTreeMap<String, String>,
}

/// The table and the patterns.
#[derive(Debug, Clone, Default)]
pub struct Attack {
    version: String,
    techniques: BTreeMap<String, Technique>,
    patterns: Vec<Pattern>,
    renamed: BTreeMap<String, String>,
    next: NextFile,
}

impl Attack {
    /// Reads `techniques.csv` (`technique_id,name,tactics`, tactics parted by `;` or blanks), `patterns.yaml` and
    /// `next.yaml`.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn read(table: &str, patterns: &str, next: &str) -> Result<Self, String> {
        let mut techniques = BTreeMap::new();
        for (i, line) in table.lines().enumerate().skip(1) {
            let Some((id, rest)) = line.split_once(',') else {
                return Err(format!(
                    "techniques.csv:{}: is not `id,name,tactics`",
                    i + 1
                ));
            };
            let (name, tactics) = rest.rsplit_once(',').unwrap_or((rest, ""));
            let technique = Technique {
                id: id.to_owned(),
                name: name.trim_matches('"').to_owned(),
                tactics: tactics
                    .trim_matches('"')
                    .split([';', ' ', '|'])
                    .filter(|t| !t.is_empty())
                    .map(str::to_owned)
                    .collect(),
            };
            techniques.insert(id.to_owned(), technique);
        }
        let file: PatternFile =
            serde_saphyr::from_str(patterns).map_err(|e| format!("patterns.yaml: {e}"))?;
        let unknown: Vec<&str> = file
            .patterns
            .iter()
            .map(|p| p.technique.as_str())
            .chain(file.renamed.values().map(String::as_str))
            .filter(|id| !techniques.contains_key(*id))
            .collect();
        if !unknown.is_empty() {
            return Err(format!(
                "patterns.yaml: not in techniques.csv: {}",
                unknown.join(", ")
            ));
        }
        let next = NextFile::read(next, &file.version, &techniques)?;
        Ok(Self {
            next,
            version: file.version,
            techniques,
            patterns: file.patterns,
            renamed: file.renamed,
        })
    }

    /// Version of ATT&CK that the ids are from, for instance `17`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A technique by id; an old id gives what became of it.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Technique> {
        let id = self.renamed.get(id).map_or(id, String::as_str);
        self.techniques.get(id)
    }

    /// The first technique whose pattern an activity (in the `any` view) shows.
    #[must_use]
    pub fn of_activity(&self, activity: &Value) -> Option<&Technique> {
        let view = serde_json::json!({"act": activity});
        let conditions = Conditions::new(&Value::Null, &view).ok()?;
        self.patterns
            .iter()
            .find(|p| conditions.holds(&p.when, Roots::All) == Ok(true))
            .and_then(|p| self.techniques.get(&p.technique))
    }
}
