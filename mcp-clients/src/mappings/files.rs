//! Finding and reading mapping files, embedded and the operator's, and collecting their faults; what a key means is decided elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::source::{OneOrMany, Source};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/mappings");

pub(crate) fn built_in() -> &'static Dir<'static> {
    &EMBEDDED
}

/// Where a mapping file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is part of the binary.
    Embedded,
    /// The operator's folder has it, in place of an embedded one or beside them.
    Overridden(PathBuf),
}

/// One mapping file in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingFile {
    /// `alerts/NAME.toml`, `events/NAME.toml` or `verdicts/NAME.toml`.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// SHA-256 of its bytes, hex.
    pub sha256: String,
}

/// Something wrong in a mapping file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}: {message}")]
pub struct MappingFault {
    /// File concerned.
    pub file: String,
    /// Key concerned, dotted; empty for the whole file.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

pub(crate) struct Text {
    pub(crate) file: MappingFile,
    pub(crate) body: String,
}

/// Every file in force, the operator's first where both have the name.
pub(crate) fn read_all(folder: Option<&Path>, faults: &mut Vec<MappingFault>) -> Vec<Text> {
    let mut texts = BTreeMap::new();
    for room in ["alerts", "events", "verdicts"] {
        for file in EMBEDDED.get_dir(room).into_iter().flat_map(Dir::files) {
            let body = String::from_utf8_lossy(file.contents()).into_owned();
            let name = file.path().to_string_lossy().into_owned();
            if !name.ends_with(".toml") {
                continue;
            }
            add(&mut texts, name, Origin::Embedded, body);
        }
        let Some(dir) = folder.map(|f| f.join(room)).filter(|d| d.exists()) else {
            continue;
        };
        match toml_files(&dir) {
            Err(e) => faults.push(fault(&dir.to_string_lossy(), "", e.to_string())),
            Ok(paths) => {
                for path in paths {
                    let stem = path.file_name().unwrap_or_default().to_string_lossy();
                    let name = format!("{room}/{stem}");
                    match std::fs::read_to_string(&path) {
                        Ok(body) => add(&mut texts, name, Origin::Overridden(path), body),
                        Err(e) => faults.push(fault(&path.to_string_lossy(), "", e.to_string())),
                    }
                }
            }
        }
    }
    if let Some(folder) = folder.filter(|f| !f.is_dir()) {
        let message = "there is no such folder; correct the path or leave it out".to_owned();
        faults.push(fault(&folder.to_string_lossy(), "", message));
    }
    texts.into_values().collect()
}

fn add(texts: &mut BTreeMap<String, Text>, name: String, origin: Origin, body: String) {
    let sha256 = super::hex(&Sha256::digest(body.as_bytes()));
    let file = MappingFile {
        name: name.clone(),
        origin,
        sha256,
    };
    texts.insert(name, Text { file, body });
}

fn toml_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn fault(file: &str, place: &str, message: String) -> MappingFault {
    MappingFault {
        file: file.to_owned(),
        place: place.to_owned(),
        message,
    }
}

/// A file's keys, taken one by one so that every fault of the file is found at once.
pub(crate) struct Keys<'f> {
    file: String,
    table: Table,
    faults: &'f mut Vec<MappingFault>,
}

impl<'f> Keys<'f> {
    /// Parses the file; a file that is not TOML is one fault.
    pub(crate) fn parse(text: &Text, faults: &'f mut Vec<MappingFault>) -> Option<Self> {
        let file = match &text.file.origin {
            Origin::Embedded => text.file.name.clone(),
            Origin::Overridden(path) => path.to_string_lossy().into_owned(),
        };
        match text.body.parse::<Table>() {
            Ok(table) => Some(Self {
                file,
                table,
                faults,
            }),
            Err(e) => {
                faults.push(fault(&file, "", e.message().to_owned()));
                None
            }
        }
    }

    pub(crate) fn fault(&mut self, place: &str, message: impl Into<String>) {
        self.faults.push(fault(&self.file, place, message.into()));
    }

    /// Takes a key of a plain type.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.table.remove(key)?;
        match value.try_into() {
            Ok(value) => Some(value),
            Err(e) => {
                self.fault(key, e.message().to_owned());
                None
            }
        }
    }

    /// Takes a source or a list of sources.
    pub(crate) fn sources(&mut self, key: &str) -> Vec<Source> {
        let value = self.table.remove(key);
        value.map_or_else(Vec::new, |value| self.compile(key, value))
    }

    /// Takes a table whose every value is a source or a list of sources.
    pub(crate) fn table_of_sources(&mut self, key: &str) -> Vec<(String, Vec<Source>)> {
        let Some(table) = self.take::<Table>(key) else {
            return Vec::new();
        };
        table
            .into_iter()
            .map(|(name, value)| {
                let sources = self.compile(&format!("{key}.{name}"), value);
                (name, sources)
            })
            .collect()
    }

    fn compile(&mut self, place: &str, value: Value) -> Vec<Source> {
        let many = match value {
            Value::Array(values) => OneOrMany::Many(values),
            one => OneOrMany::One(one),
        };
        let mut sources = Vec::new();
        for (at, value) in many.into_vec().into_iter().enumerate() {
            match Source::parse(value) {
                Ok(source) => sources.push(source),
                Err(why) => self.fault(&format!("{place}[{at}]"), why),
            }
        }
        sources
    }

    /// Every key nobody took is a fault.
    pub(crate) fn finish(mut self) {
        for key in std::mem::take(&mut self.table).keys() {
            self.fault(key, "is not a key of this kind of mapping");
        }
    }
}
