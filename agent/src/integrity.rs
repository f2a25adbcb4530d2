//! The integrity manifest: SHA-256 of everything that decides what the daemon does, and whether it still is what a person accepted; it stops nothing itself.

mod learned;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use include_dir::Dir;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::config::{PathsConfig, overrides};
use crate::data::{PLAYBOOKS, POLICY, PROMPTS, SCANNER, sha256_hex};

pub use learned::{learned_in_force, learned_is_accepted};

use learned::LEARNED;

/// Name of the manifest file beside the configuration file, unless `[paths] manifest` names another.
const FILE: &str = "nightdesk.manifest";
/// Name of the lock file, unless `[paths] lock` names another.
const LOCK: &str = "nightdesk.lock";
/// How deep folders may lie in each other; a link to a folder above would never end.
const DEEPEST: usize = 16;
/// First lines of the manifest file.
const HEAD: &str = "# Written by `nightdesk check --accept`: SHA-256 of all that decides, as it was reviewed.\n# It is not edited by hand.\n[sha256]\n";

/// Why the state can't be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntegrityError {
    /// A file or folder can't be read, or is not a plain file.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// From the system, or what to do.
        why: String,
    },
    /// The manifest file is not one.
    #[error(
        "{}: is not as `nightdesk check --accept` wrote it: {why}; review the configuration and write it anew with that command", path.display()
    )]
    Invalid {
        /// The manifest file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The manifest file can't be written.
    #[error("{}: can't be written: {why}; see [paths] manifest", path.display())]
    Unwritten {
        /// The manifest file.
        path: PathBuf,
        /// From the system.
        why: String,
    },
}

/// SHA-256, 64 hex digits, of each thing that decides, by its name (`playbooks/x.yaml`, `built-in`, …).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    sha256: BTreeMap<String, String>,
}

impl Manifest {
    /// The state as it is now: configuration file, overriding files, lock file, learned weights, settings in the
    /// environment, data in the binary.
    ///
    /// # Errors
    /// [`IntegrityError::Unreadable`]: what can't be read can't be trusted.
    pub fn now(paths: &PathsConfig) -> Result<Self, IntegrityError> {
        let mut manifest = Self::default();
        if let Some(path) = &paths.file {
            manifest.add_file("configuration".to_owned(), path)?;
        }
        for (name, folder) in [
            ("playbooks", &paths.playbooks),
            ("prompts", &paths.prompts),
            ("policy", &paths.policy),
            ("scanner", &paths.scanner),
            ("mappings", &paths.mappings),
            ("presets", &paths.presets),
        ] {
            if let Some(folder) = folder {
                manifest.add_folder(name, folder, DEEPEST)?;
            }
        }
        let lock = paths.lock.as_deref().unwrap_or(Path::new(LOCK));
        let learned = paths.learned_file();
        for (name, file) in [("lock", Some(lock)), (LEARNED, learned.as_deref())] {
            // Only a file that is not there is none; one that can't be looked at is an error below.
            if let Some(file) = file.filter(|f| !matches!(f.try_exists(), Ok(false))) {
                manifest.add_file(name.to_owned(), file)?;
            }
        }
        let mut environment = Sha256::new();
        for (name, value) in overrides() {
            part(&mut environment, &name);
            part(&mut environment, &value);
        }
        manifest.put("environment", environment);
        manifest.put("built-in", built_in());
        Ok(manifest)
    }

    fn put(&mut self, name: &str, digest: Sha256) {
        self.sha256.insert(name.to_owned(), hex(digest));
    }

    fn add_file(&mut self, name: String, path: &Path) -> Result<(), IntegrityError> {
        let fault = unreadable(path);
        let plain = std::fs::metadata(path).map_err(&fault)?.is_file();
        if !plain {
            return Err(unreadable(path)("is not a plain file; take it out"));
        }
        let digest = sha256_hex(std::fs::read(path).map_err(fault)?);
        self.sha256.insert(name, digest);
        Ok(())
    }

    fn add_folder(
        &mut self,
        name: &str,
        folder: &Path,
        deeper: usize,
    ) -> Result<(), IntegrityError> {
        if deeper == 0 {
            return Err(unreadable(folder)(
                "folders lie too deep in each other here",
            ));
        }
        for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
            let entry = entry.map_err(unreadable(folder))?;
            let path = entry.path();
            // Two names must never be spelled alike in the manifest.
            let own = entry.file_name().into_string().ok();
            let own = own.filter(|n| !n.contains(char::is_control));
            let own = own.ok_or_else(|| {
                unreadable(folder)(
                    "holds a file whose name is not plain UTF-8 text; rename or remove it",
                )
            })?;
            let name = format!("{name}/{own}");
            if path.is_dir() {
                self.add_folder(&name, &path, deeper - 1)?;
            } else {
                self.add_file(name, &path)?;
            }
        }
        Ok(())
    }

    /// The manifest file in force; none for a configuration that is no file and names none.
    #[must_use]
    pub fn path(paths: &PathsConfig) -> Option<PathBuf> {
        let beside = || Some(paths.file.as_ref()?.parent()?.join(FILE));
        paths.manifest.clone().or_else(beside)
    }

    /// The state that a person accepted; none when there is no manifest file yet.
    ///
    /// # Errors
    /// When the file can't be read or any byte of it is not as [`Manifest::write`] wrote it.
    pub fn accepted(paths: &PathsConfig) -> Result<Option<Self>, IntegrityError> {
        let Some(path) = Self::path(paths) else {
            return Ok(None);
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unreadable(&path)(e)),
        };
        let invalid = |why: String| IntegrityError::Invalid {
            path: path.clone(),
            why,
        };
        let read: Self =
            toml::from_str(&text).map_err(|e| invalid(e.message().trim().to_owned()))?;
        if read.text() != text {
            return Err(invalid("it was edited".to_owned()));
        }
        Ok(Some(read))
    }

    /// Writes the manifest file, whole or not at all.
    ///
    /// # Errors
    /// [`IntegrityError::Unwritten`].
    pub fn write(&self, path: &Path) -> Result<(), IntegrityError> {
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let written = || -> std::io::Result<()> {
            let mut file = std::fs::File::create(&new)?;
            file.write_all(self.text().as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&new, path)
        };
        written().map_err(|e| IntegrityError::Unwritten {
            path: path.to_owned(),
            why: e.to_string(),
        })
    }

    fn text(&self) -> String {
        let lines = self
            .sha256
            .iter()
            .map(|(name, digest)| format!("{} = \"{digest}\"\n", serde_json::json!(name)));
        HEAD.to_owned() + &lines.collect::<String>()
    }

    /// How many things it covers.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sha256.len()
    }

    /// What differs between this, the earlier state, and a later one: `NAME changed`, `NAME added`, `NAME removed`.
    #[must_use]
    pub fn difference(&self, later: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (name, digest) in &self.sha256 {
            match later.sha256.get(name) {
                None => found.push(format!("{name} removed")),
                Some(d) if d != digest => found.push(format!("{name} changed")),
                Some(_) => {}
            }
        }
        let added = later
            .sha256
            .keys()
            .filter(|n| !self.sha256.contains_key(*n));
        found.extend(added.map(|n| format!("{n} added")));
        found
    }
}

/// How the state stands to what was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// As accepted, and as it was at the start.
    Sound,
    /// As it was at the start; nobody has accepted it yet.
    Unaccepted,
    /// Not as accepted, or not as it was at the start, or it can't be told: one sentence each.
    Broken(Vec<String>),
}

/// The daemon's guard over what decides.
///
/// What it once found broken stays broken until the daemon is started again: what was changed and changed back may
/// have been read in between.
pub struct Integrity {
    paths: PathsConfig,
    at_start: Manifest,
    was_accepted: bool,
    broken: OnceLock<Vec<String>>,
}

impl Integrity {
    /// Takes the state as it is now for what the daemon starts from; call it before the files are read. What can't be
    /// read, the manifest file included, is a break.
    #[must_use]
    pub fn start(paths: &PathsConfig) -> Self {
        let broken = OnceLock::new();
        let mut note = |e: IntegrityError| drop(broken.set(vec![e.to_string()]));
        let accepted = Manifest::accepted(paths).map_err(&mut note);
        let at_start = Manifest::now(paths).map_err(&mut note);
        Self {
            paths: paths.clone(),
            at_start: at_start.unwrap_or_default(),
            was_accepted: accepted.is_ok_and(|a| a.is_some()),
            broken,
        }
    }

    /// Reads everything again and compares; an error in reading is a break.
    pub async fn check(&self) -> Standing {
        if let Some(found) = self.broken.get() {
            return Standing::Broken(found.clone());
        }
        let paths = self.paths.clone();
        let read = tokio::task::spawn_blocking(move || -> Result<_, IntegrityError> {
            let now = Manifest::now(&paths)?;
            Ok((now, Manifest::accepted(&paths)?))
        });
        let standing = match read.await {
            Ok(Ok((now, accepted))) => self.compare(&now, accepted.as_ref()),
            Ok(Err(e)) => Standing::Broken(vec![e.to_string()]),
            Err(e) => Standing::Broken(vec![format!("the files could not be read: {e}")]),
        };
        match standing {
            Standing::Broken(found) => Standing::Broken(self.broken.get_or_init(|| found).clone()),
            sound => sound,
        }
    }

    /// Tells one break from another: digest of the state as it is now, of the accepted one, and of when that was written.
    pub async fn mark(&self) -> String {
        let paths = self.paths.clone();
        let read = tokio::task::spawn_blocking(move || {
            let said = |read: Result<Option<Manifest>, IntegrityError>| match read {
                Ok(manifest) => manifest.unwrap_or_default().text(),
                Err(e) => e.to_string(),
            };
            let written = Manifest::path(&paths).and_then(|p| p.metadata().ok()?.modified().ok());
            let (now, accepted) = (Manifest::now(&paths).map(Some), Manifest::accepted(&paths));
            sha256_hex(format!("{}{}{written:?}", said(now), said(accepted)))
        });
        read.await.unwrap_or_else(|e| e.to_string())
    }

    /// What was found broken, as far as somebody has looked; the daemon looks every minute.
    #[must_use]
    pub fn broken(&self) -> Option<&[String]> {
        self.broken.get().map(Vec::as_slice)
    }

    /// Breaks it for another reason, for instance an audit log that was written anew.
    pub fn break_for(&self, why: String) {
        // The first reason stays.
        drop(self.broken.set(vec![why]));
    }

    fn compare(&self, now: &Manifest, accepted: Option<&Manifest>) -> Standing {
        let mut found = self.at_start.difference(now);
        match accepted {
            None if self.was_accepted => found.push("the manifest removed".to_owned()),
            None if found.is_empty() => return Standing::Unaccepted,
            None => {}
            Some(accepted) => found.extend(accepted.difference(now)),
        }
        found.sort();
        found.dedup();
        if found.is_empty() {
            Standing::Sound
        } else {
            Standing::Broken(found)
        }
    }
}

fn unreadable<E: ToString>(path: &Path) -> impl Fn(E) -> IntegrityError {
    move |why| IntegrityError::Unreadable {
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// The program's version and every data file it carries.
fn built_in() -> Sha256 {
    let mut digest = Sha256::new();
    part(&mut digest, env!("CARGO_PKG_VERSION").as_bytes());
    let own = [
        ("playbooks", &PLAYBOOKS),
        ("prompts", &PROMPTS),
        ("policy", &POLICY),
        ("scanner", &SCANNER),
    ];
    for (name, dir) in own.into_iter().chain(mcp_clients::built_in()) {
        part(&mut digest, name.as_bytes());
        folder(&mut digest, dir);
    }
    digest
}

fn folder(digest: &mut Sha256, dir: &Dir<'_>) {
    for file in dir.files() {
        part(digest, file.path().as_os_str().as_encoded_bytes());
        part(digest, file.contents());
    }
    dir.dirs().for_each(|inner| folder(digest, inner));
}

/// Adds a part with its length, so that no two lists of parts are digested alike.
fn part(digest: &mut Sha256, bytes: &[u8]) {
    digest.update((bytes.len() as u64).to_be_bytes());
    digest.update(bytes);
}

fn hex(digest: Sha256) -> String {
    digest
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}
