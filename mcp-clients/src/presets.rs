//! Presets: what is known of one MCP server product, as data; where a given server runs is configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::{Deserialize, Serialize};

use crate::config::{LimitsConfig, ReplyRules, Responses, Tickets, ToolConfig, WriteBack};

static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/presets");

pub(crate) fn built_in() -> &'static Dir<'static> {
    &SHIPPED
}

/// One server of a preset file: `[SERVER]` in `presets/NAME.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// Which product, package and version it was made from.
    pub about: String,
    /// Times and counts that differ from the defaults.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Tools with their classes.
    #[serde(default)]
    pub tools: BTreeMap<String, ToolConfig>,
    /// How the server says that its backend failed.
    #[serde(default)]
    pub reply: ReplyRules,
    /// How alerts that it lists are answered; its tools are named without the server.
    #[serde(default)]
    pub write_back: WriteBack,
    /// Which countermeasures of playbooks its tools do, by D3FEND id.
    #[serde(default)]
    pub responses: Responses,
    /// How it keeps the tickets of cases; its tools are named without the server.
    #[serde(default)]
    pub tickets: Tickets,
}

/// A preset file: where it is from and the servers it describes.
#[derive(Debug, Clone, PartialEq)]
pub struct PresetFile {
    /// The operator's file, or nothing when it is the one shipped in the binary.
    pub from: Option<PathBuf>,
    /// By server name.
    pub servers: BTreeMap<String, Preset>,
}

/// Why a preset can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// No such file, shipped or in the operator's folder.
    #[error("no preset named {name:?}: there are {}", known.join(", "))]
    Missing {
        /// Name asked for.
        name: String,
        /// Names there are.
        known: Vec<String>,
    },
    /// The file can't be read.
    #[error("preset {path} can't be read: {reason}")]
    Unreadable {
        /// Its path.
        path: String,
        /// From the system.
        reason: String,
    },
    /// The file is not a preset.
    #[error("preset {path} is not valid: {reason}")]
    Invalid {
        /// Its path, or its name when it is shipped.
        path: String,
        /// From the parser, with line and column.
        reason: String,
    },
    /// The file does not describe the server asked for.
    #[error("preset {name} describes no server named {server:?}: write preset = \"{name}.SERVER\" with one of {}", known.join(", "))]
    NoServer {
        /// File name.
        name: String,
        /// Server asked for.
        server: String,
        /// Servers in it.
        known: Vec<String>,
    },
}

/// Reads a preset file: `overrides/NAME.toml` if it is there, else the shipped one. Unknown keys are errors.
pub fn load(name: &str, overrides: Option<&Path>) -> Result<PresetFile, PresetError> {
    let file = format!("{name}.toml");
    let plain = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let own = overrides.map(|dir| dir.join(&file)).filter(|_| plain);
    if let Some(path) = own.filter(|path| path.exists()) {
        let text = std::fs::read_to_string(&path).map_err(|e| PresetError::Unreadable {
            path: path.display().to_string(),
            reason: e.to_string(),
        })?;
        let servers = parse(&text, &path.display().to_string())?;
        return Ok(PresetFile {
            from: Some(path),
            servers,
        });
    }
    let Some(text) = SHIPPED.get_file(&file).and_then(|f| f.contents_utf8()) else {
        return Err(PresetError::Missing {
            name: name.to_owned(),
            known: names(overrides).into_iter().collect(),
        });
    };
    let servers = parse(text, &file)?;
    Ok(PresetFile {
        from: None,
        servers,
    })
}

/// The preset for one server. `reference` is `FILE.SERVER`, or `FILE` for the server in it named like the file,
/// else like `server`.
pub fn pick(
    reference: &str,
    server: &str,
    overrides: Option<&Path>,
) -> Result<Preset, PresetError> {
    let (name, part) = match reference.split_once('.') {
        Some((name, part)) => (name, Some(part)),
        None => (reference, None),
    };
    let mut file = load(name, overrides)?;
    let found = match part {
        Some(part) => file.servers.remove(part),
        None => file
            .servers
            .remove(name)
            .or_else(|| file.servers.remove(server)),
    };
    found.ok_or_else(|| PresetError::NoServer {
        name: name.to_owned(),
        server: part.unwrap_or(server).to_owned(),
        known: file.servers.into_keys().collect(),
    })
}

/// Names of all presets, shipped and the operator's.
#[must_use]
pub fn names(overrides: Option<&Path>) -> BTreeSet<String> {
    let shipped = SHIPPED.files().map(|f| f.path().to_path_buf());
    let own = overrides
        .and_then(|dir| std::fs::read_dir(dir).ok())
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|entry| entry.path());
    shipped
        .chain(own)
        .filter(|path| path.extension().is_some_and(|e| e == "toml"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

fn parse(text: &str, path: &str) -> Result<BTreeMap<String, Preset>, PresetError> {
    toml::from_str(text).map_err(|e| PresetError::Invalid {
        path: path.to_owned(),
        reason: e.to_string(),
    })
}
