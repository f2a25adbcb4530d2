//! Named conditions that playbooks share: `is(NAME)` in a data file stands for the condition of that name; it is put in before anything is read or compiled.

use std::collections::BTreeMap;

use regex::{Captures, Regex};
use serde::Deserialize;

use crate::data::{DataFile, Folder};

use super::library::PlaybookFault;

/// One term as it stands in `terms/NAME.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    /// What it means, for people.
    #[serde(rename = "means")]
    _means: String,
    /// CEL, in which further terms may stand.
    when: String,
}

/// Every term in force, by name, with no further term inside.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    named: BTreeMap<String, String>,
    call: Regex,
}

/// How deep terms may stand in each other; one that stands in itself would never end.
const DEEPEST: usize = 8;

impl Terms {
    /// Reads `terms/`; what is wrong is added to `faults` and left out.
    ///
    /// # Errors
    /// When the pattern that finds a term can't be compiled: a defect of this file.
    pub(super) fn read(
        folder: &Folder,
        faults: &mut Vec<PlaybookFault>,
    ) -> Result<Self, regex::Error> {
        let call = Regex::new(r"\bis\(([a-z][a-z0-9_]*)\)")?;
        let mut written: BTreeMap<String, (String, String)> = BTreeMap::new();
        for file in folder.list("terms", ".yaml") {
            match serde_saphyr::from_str::<BTreeMap<String, Term>>(&file.text) {
                Ok(terms) => {
                    for (name, term) in terms {
                        let text = term.when.split_whitespace().collect::<Vec<_>>().join(" ");
                        if written
                            .insert(name.clone(), (file.name.clone(), text))
                            .is_some()
                        {
                            let said = format!("term `{name}` is defined twice");
                            faults.push(PlaybookFault::new(&file.name, said));
                        }
                    }
                }
                Err(e) => faults.push(PlaybookFault::new(&file.name, e.to_string())),
            }
        }
        let mut terms = Self {
            named: BTreeMap::new(),
            call,
        };
        for (name, (file, text)) in &written {
            match terms.resolve(text, &written, 0) {
                Ok(text) => drop(terms.named.insert(name.clone(), text)),
                Err(why) => {
                    faults.push(PlaybookFault::new(file, format!("term `{name}`: {why}")));
                }
            }
        }
        Ok(terms)
    }

    fn resolve(
        &self,
        text: &str,
        written: &BTreeMap<String, (String, String)>,
        depth: usize,
    ) -> Result<String, String> {
        if depth > DEEPEST {
            return Err("it stands in itself, or in more than 8 others".to_owned());
        }
        self.replace(text, |name| {
            let (_, inner) = written.get(name).ok_or_else(|| unknown(name))?;
            self.resolve(inner, written, depth + 1)
        })
    }

    /// The file with every term put in, in brackets and on its line.
    ///
    /// # Errors
    /// The first term that there is not.
    pub(super) fn put_in(&self, file: &DataFile) -> Result<DataFile, PlaybookFault> {
        if let Some(line) = file.text.lines().position(|l| self.is_inline(l)) {
            let why = format!(
                "line {}: a condition with `is(…)` is written as block text: `when: >-` and the condition below",
                line + 1
            );
            return Err(PlaybookFault::new(&file.name, why));
        }
        let known = |name: &str| self.named.get(name).cloned().ok_or_else(|| unknown(name));
        match self.replace(&file.text, known) {
            Ok(text) => Ok(DataFile {
                text,
                ..file.clone()
            }),
            Err(why) => Err(PlaybookFault::new(&file.name, why)),
        }
    }

    /// Whether a term stands beside its key, where the quotes of what it stands for would end the YAML text.
    fn is_inline(&self, line: &str) -> bool {
        let beside = self.call.find(line).map(|found| &line[..found.start()]);
        beside.is_some_and(|before| before.contains("when: ") || before.contains("select: "))
    }

    /// The text with what the terms stand for under their names again, the longest first.
    pub(super) fn take_out(&self, text: &str) -> String {
        let mut terms: Vec<(&String, &String)> = self.named.iter().collect();
        terms.sort_by_key(|(_, condition)| std::cmp::Reverse(condition.len()));
        terms
            .iter()
            .fold(text.to_owned(), |text, (name, condition)| {
                text.replace(&format!("({condition})"), &format!("is({name})"))
            })
    }

    fn replace(
        &self,
        text: &str,
        of: impl Fn(&str) -> Result<String, String>,
    ) -> Result<String, String> {
        let mut wrong = None;
        let put = self
            .call
            .replace_all(text, |found: &Captures<'_>| match of(&found[1]) {
                Ok(condition) => format!("({condition})"),
                Err(why) => {
                    wrong.get_or_insert(why);
                    String::new()
                }
            });
        match wrong {
            None => Ok(put.into_owned()),
            Some(why) => Err(why),
        }
    }
}

fn unknown(name: &str) -> String {
    format!("`is({name})`: there is no such term in terms/")
}
