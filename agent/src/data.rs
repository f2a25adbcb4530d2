//! Data folders carried in the binary and an operator's folder that overrides them by file name; it does not read what is in the files.

use std::collections::BTreeMap;
use std::path::Path;

use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

/// `playbooks/`, as built in.
pub static PLAYBOOKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../playbooks");
/// `policy/`, as built in.
pub static POLICY: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policy");
/// `prompts/`, as built in.
pub static PROMPTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../prompts");
/// `agent/scanner/`, as built in.
pub static SCANNER: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scanner");
/// One data file in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path inside the folder, with `/`.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Whether it comes from the operator's folder.
    pub overridden: bool,
}

impl DataFile {
    /// File name without folder and ending.
    #[must_use]
    pub fn stem(&self) -> &str {
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// A data folder with the operator's files laid over the built-in ones.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    files: BTreeMap<String, DataFile>,
}

impl Folder {
    /// Lays `over` on the built-in folder.
    ///
    /// # Errors
    /// The file or folder that can't be read.
    pub fn open(built_in: &Dir<'_>, over: Option<&Path>) -> Result<Self, String> {
        let mut folder = Self::default();
        folder.add_built_in(built_in);
        if let Some(path) = over {
            folder.add_over(path, "")?;
        }
        Ok(folder)
    }

    fn add_built_in(&mut self, dir: &Dir<'_>) {
        for file in dir.files() {
            if let Some(text) = file.contents_utf8() {
                let name = file.path().to_string_lossy().replace('\\', "/");
                self.put(DataFile {
                    name,
                    text: text.to_owned(),
                    overridden: false,
                });
            }
        }
        for inner in dir.dirs() {
            self.add_built_in(inner);
        }
    }

    fn add_over(&mut self, path: &Path, prefix: &str) -> Result<(), String> {
        let fault = |e: std::io::Error| format!("{}: {e}", path.display());
        for entry in std::fs::read_dir(path).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                self.add_over(&entry.path(), &format!("{name}/"))?;
                continue;
            }
            let text = std::fs::read_to_string(entry.path())
                .map_err(|e| format!("{}: {e}", entry.path().display()))?;
            self.put(DataFile {
                name,
                text,
                overridden: true,
            });
        }
        Ok(())
    }

    fn put(&mut self, file: DataFile) {
        self.files.insert(file.name.clone(), file);
    }

    /// One file by its path inside the folder.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&DataFile> {
        self.files.get(name)
    }

    /// Files directly in `under` (empty: the top) with an ending such as `.yaml`, by name.
    pub fn list<'s>(
        &'s self,
        under: &'s str,
        ending: &'s str,
    ) -> impl Iterator<Item = &'s DataFile> {
        self.files.values().filter(move |f| {
            let rest = if under.is_empty() {
                Some(f.name.as_str())
            } else {
                f.name.strip_prefix(under).and_then(|r| r.strip_prefix('/'))
            };
            rest.is_some_and(|r| !r.contains('/') && r.ends_with(ending))
        })
    }

    /// Names of the files that the operator overrides or adds.
    #[must_use]
    pub fn overridden(&self) -> Vec<&str> {
        self.files
            .values()
            .filter(|f| f.overridden)
            .map(|f| f.name.as_str())
            .collect()
    }
}

/// SHA-256 as lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes.as_ref())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}
