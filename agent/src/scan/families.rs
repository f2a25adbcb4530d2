//! The YAML form of a family of attacks, unknown keys refused, and what its patterns mean as regexes; `matcher` runs them.

use std::collections::BTreeMap;

use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::normal;
use crate::data::{DataFile, Folder};

/// One file of `scanner/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    family: String,
    about: String,
    #[serde(default)]
    words: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    phrases: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    patterns: Vec<PatternForm>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternForm {
    name: String,
    #[serde(default, rename = "in")]
    reads: Reads,
    near: Option<String>,
    regex: String,
}

/// Which form of a text a pattern reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reads {
    /// Words with one blank between them.
    #[default]
    Words,
    /// With punctuation and line ends.
    Text,
    /// Text carried by characters that show nothing.
    Hidden,
}

/// What a hit is reported as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Label {
    /// Family.
    pub(super) family: String,
    /// Pattern or list of phrases.
    pub(super) name: String,
}

/// A phrase in the form of words, and its label.
#[derive(Debug)]
pub(super) struct Phrase {
    pub(super) label: usize,
    pub(super) words: String,
}

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) label: usize,
    pub(super) reads: Reads,
    /// One of these stands in all that it matches; empty for hidden text, which is read whole.
    pub(super) near: Vec<String>,
    pub(super) regex: Regex,
}

/// All families, their parts in the order of files and names.
#[derive(Debug, Default)]
pub(super) struct Families {
    pub(super) names: Vec<String>,
    pub(super) labels: Vec<Label>,
    pub(super) phrases: Vec<Phrase>,
    pub(super) patterns: Vec<Pattern>,
}

impl Families {
    /// Reads every family of the folder.
    ///
    /// # Errors
    /// Every fault of every file.
    pub(super) fn load(folder: &Folder) -> Result<Self, Vec<String>> {
        let (mut families, mut faults) = (Self::default(), Vec::new());
        for file in folder.list("", ".yaml") {
            if let Err(found) = families.add(file) {
                faults.extend(found.iter().map(|f| format!("{}: {f}", file.name)));
            }
        }
        if families.labels.is_empty() && faults.is_empty() {
            faults.push("there is no family; put at least one `.yaml` file there".to_owned());
        }
        if faults.is_empty() {
            Ok(families)
        } else {
            Err(faults)
        }
    }

    fn add(&mut self, file: &DataFile) -> Result<(), Vec<String>> {
        let form: Form = serde_saphyr::from_str(&file.text).map_err(|e| vec![e.to_string()])?;
        let mut faults = Vec::new();
        if form.family != file.stem() {
            faults.push(format!(
                "family `{}` must be called like its file",
                form.family
            ));
        }
        if form.about.trim().is_empty() {
            faults.push("`about` is empty; say what the family is".to_owned());
        }
        for (name, texts) in &form.phrases {
            let label = self.label(&form.family, name);
            for text in texts {
                let words = normal::words(&normal::fold(text));
                if words.len() < SHORTEST_PHRASE {
                    faults.push(format!(
                        "phrase `{text}` of `{name}` is too short to mean anything; lengthen it"
                    ));
                }
                self.phrases.push(Phrase { label, words });
            }
        }
        for pattern in &form.patterns {
            let label = self.label(&form.family, &pattern.name);
            match compile(pattern, &form.words) {
                Ok((near, regex)) => self.patterns.push(Pattern {
                    label,
                    reads: pattern.reads,
                    near,
                    regex,
                }),
                Err(e) => faults.push(format!("pattern `{}`: {e}", pattern.name)),
            }
        }
        self.names.push(form.family);
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    fn label(&mut self, family: &str, name: &str) -> usize {
        self.labels.push(Label {
            family: family.to_owned(),
            name: name.to_owned(),
        });
        self.labels.len() - 1
    }
}

/// Shortest phrase, bytes.
const SHORTEST_PHRASE: usize = 10;
/// Largest compiled pattern, bytes.
const LARGEST_PATTERN: usize = 4 << 20;

/// The words that stand near, and the regex with lists and gaps written out.
fn compile(
    form: &PatternForm,
    lists: &BTreeMap<String, Vec<String>>,
) -> Result<(Vec<String>, Regex), String> {
    let near = match (&form.near, form.reads) {
        (None, Reads::Hidden) => Vec::new(),
        (None, _) => return Err("has no `near`; name a list of `words` that it uses".to_owned()),
        (Some(_), Reads::Hidden) => {
            return Err("reads hidden text, which needs no `near`".to_owned());
        }
        (Some(name), reads) => literals(name, lists, reads)?,
    };
    let mut regex = form.regex.clone();
    for name in lists.keys() {
        let mark = format!("%{name}%");
        if regex.contains(&mark) {
            let any = literals(name, lists, form.reads)?;
            let any: Vec<String> = any.iter().map(|l| regex::escape(l)).collect();
            regex = regex.replace(&mark, &format!("(?:{})", any.join("|")));
        }
    }
    if form.reads == Reads::Words {
        for most in 0..=9 {
            regex = regex.replace(&format!(" ~{most} "), &format!("(?: [^ ]+){{0,{most}}} "));
        }
        regex = format!("(?:^| )(?:{regex})(?: |$)");
    }
    let regex = RegexBuilder::new(&regex)
        .multi_line(true)
        // Over bytes: a class of all Unicode letters would make patterns with gaps far too large.
        .unicode(false)
        .size_limit(LARGEST_PATTERN)
        .build()
        .map_err(|e| e.to_string())?;
    Ok((near, regex))
}

/// The entries of a list as they stand in the text that is read.
fn literals(
    name: &str,
    lists: &BTreeMap<String, Vec<String>>,
    reads: Reads,
) -> Result<Vec<String>, String> {
    let list = lists
        .get(name)
        .filter(|list| !list.is_empty())
        .ok_or_else(|| format!("there is no list `{name}` under `words`"))?;
    let form = |entry: &String| match reads {
        Reads::Words => normal::words(&normal::fold(entry)),
        Reads::Text | Reads::Hidden => normal::fold(entry),
    };
    let list: Vec<String> = list.iter().map(form).collect();
    match list.iter().position(String::is_empty) {
        Some(at) => Err(format!("entry {} of list `{name}` is empty", at + 1)),
        None => Ok(list),
    }
}
