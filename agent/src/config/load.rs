//! Reads the configuration file and reports every fault at once with its place; it does not look at the world.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use config::{Value, ValueKind};
use mcp_clients::config::ServerConfig;
use mcp_clients::sources::SourceConfig;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use state::store::Store;

use super::Config;
use super::meaning::meaning;
use super::places::Places;

/// One thing that is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFault {
    /// `file:line`, `file`, or `the environment`.
    pub place: String,
    /// Dotted path of the setting; empty for the whole file.
    pub key: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl std::fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.key.is_empty() {
            write!(f, "{}: {}", self.place, self.message)
        } else {
            write!(f, "{}: `{}`: {}", self.place, self.key, self.message)
        }
    }
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigFaults(pub Vec<ConfigFault>);

/// The configuration file in force: the one named, else `$NIGHTDESK_CONFIG`, `./nightdesk.toml`, the XDG and `/etc` places.
#[must_use]
pub fn find(named: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = named {
        return Some(path.to_owned());
    }
    let home =
        |var: &str, below: &str| std::env::var_os(var).map(|dir| Path::new(&dir).join(below));
    [
        Some(PathBuf::from("nightdesk.toml")),
        home("XDG_CONFIG_HOME", "nightdesk/nightdesk.toml"),
        home("HOME", ".config/nightdesk/nightdesk.toml"),
        Some(PathBuf::from("/etc/nightdesk/nightdesk.toml")),
    ]
    .into_iter()
    .flatten()
    .find(|path| path.is_file())
}

/// Reads a configuration file and the `NIGHTDESK_SECTION__KEY` environment on top of it.
///
/// # Errors
/// All faults found, in file order.
pub fn load(path: &Path) -> Result<Config, ConfigFaults> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| {
        ConfigFaults(vec![ConfigFault {
            place: shown.clone(),
            key: String::new(),
            message: format!("cannot be read: {e}"),
        }])
    })?;
    let mut config = from_text(&text, &shown)?;
    config.store.url = beside(&config.store.url, path);
    config.paths.file = Some(path.to_owned());
    Ok(config)
}

/// Where the store is: a relative path is meant from the folder of the configuration file, so that every command with this
/// configuration opens the same one.
fn beside(url: &str, file: &Path) -> String {
    match (Store::file(url), file.parent()) {
        (Some(place), Some(folder)) if place.is_relative() => {
            format!("sqlite:{}", folder.join(place).display())
        }
        _ => url.to_owned(),
    }
}

/// Names and values, as bytes, of the environment variables that stand over the file, sorted.
#[must_use]
pub fn overrides() -> Vec<(Vec<u8>, Vec<u8>)> {
    let is_setting = |name: &str| {
        let name = name.to_lowercase();
        let section = name
            .strip_prefix("nightdesk_")
            .and_then(|n| n.split("__").next());
        section.is_some_and(|s| SECTIONS.contains(&s))
    };
    let mut found: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| is_setting(&name.to_string_lossy()))
        .map(|(name, value)| (name.into_encoded_bytes(), value.into_encoded_bytes()))
        .collect();
    found.sort();
    found
}

/// Reads configuration from text; `name` stands for the file in messages.
///
/// # Errors
/// All faults found, in file order.
pub fn from_text(text: &str, name: &str) -> Result<Config, ConfigFaults> {
    let whole = |message: String| {
        ConfigFaults(vec![ConfigFault {
            place: name.to_owned(),
            key: String::new(),
            message,
        }])
    };
    let tree = config::Config::builder()
        .add_source(config::File::from_str(text, config::FileFormat::Toml))
        .add_source(
            config::Environment::with_prefix("NIGHTDESK")
                .prefix_separator("_")
                .separator("__"),
        )
        .build()
        .map_err(|e| whole(e.to_string().trim().to_owned()))?;
    let root: Value = tree.cache;
    let places = Places::new(text, name);
    let mut faults = Vec::new();
    let config = sections(root, &places, &mut faults);
    meaning(&config, &places, &mut faults);
    if faults.is_empty() {
        Ok(config)
    } else {
        Err(ConfigFaults(faults))
    }
}

/// Sections of the file; environment variables that are not settings (`NIGHTDESK_CONFIG`, …) are left out.
const SECTIONS: [&str; 15] = [
    "store",
    "run",
    "sources",
    "servers",
    "queries",
    "baselines",
    "model",
    "tiers",
    "closing",
    "effects",
    "approvals",
    "notify",
    "metrics",
    "protection",
    "paths",
];

fn sections(root: Value, places: &Places, faults: &mut Vec<ConfigFault>) -> Config {
    let mut table = match root.kind {
        ValueKind::Table(table) => table,
        _ => config::Map::new(),
    };
    for (key, value) in &table {
        let from_environment = value.origin() == Some("the environment");
        if !SECTIONS.contains(&key.as_str()) && !from_environment {
            let message = format!("is not a section; expected one of {}", SECTIONS.join(", "));
            faults.push(places.fault(key, message));
        }
    }
    let mut take = |name: &str| table.remove(name);
    let mut config = Config::default();
    macro_rules! section {
        ($within:expr => $($field:ident),+) => { $(
            if let Some(value) = take(stringify!($field)) {
                if let Some(read) = read(value, stringify!($field), places, faults) {
                    $within.$field = read;
                }
            }
        )+ };
    }
    section!(config => store, run, queries, model, tiers, closing, effects, protection, paths);
    section!(config.queries => baselines);
    section!(config.people => approvals, notify, metrics);
    match take("sources").map(|v| v.kind) {
        Some(ValueKind::Array(items)) => {
            for (i, item) in items.into_iter().enumerate() {
                let source = read::<SourceConfig>(item, &format!("sources.{i}"), places, faults);
                config.sources.extend(source);
            }
        }
        Some(_) => faults.push(places.fault("sources", "is a list: write [[sources]]".to_owned())),
        None => {}
    }
    match take("servers").map(|v| v.kind) {
        Some(ValueKind::Table(items)) => {
            for (name, item) in items {
                server(&mut config, (name, item), places, faults);
            }
        }
        Some(_) => {
            faults.push(places.fault("servers", "is a table: write [servers.NAME]".to_owned()))
        }
        None => {}
    }
    config
}

fn server(
    config: &mut Config,
    named: (String, Value),
    places: &Places,
    faults: &mut Vec<ConfigFault>,
) {
    let (name, item) = named;
    let key = format!("servers.{name}");
    let Some(server) = read::<ServerConfig>(item, &key, places, faults) else {
        return;
    };
    match server.resolve(&name, config.paths.presets.as_deref()) {
        Ok(spec) => drop(config.servers.insert(name, spec)),
        Err(e) => faults.extend(e.faults.into_iter().map(|m| places.fault(&key, m))),
    }
}

/// Reads one section; on a fault it notes it, drops the setting concerned and goes on, so that all faults come out.
fn read<T: DeserializeOwned>(
    mut value: Value,
    section: &str,
    places: &Places,
    faults: &mut Vec<ConfigFault>,
) -> Option<T> {
    let mut taken = Taken::default();
    for _ in 0..50 {
        let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
            Ok(read) => return Some(read),
            Err(error) => error,
        };
        let mut path: Vec<String> = error
            .path()
            .iter()
            .map(|segment| match segment {
                Segment::Seq { index } => index.to_string(),
                other => other.to_string(),
            })
            .filter(|segment| segment != "?")
            .collect();
        let message = plain(&error.inner().to_string());
        if let Some(unknown) = message.strip_prefix("unknown field `") {
            let name = unknown.split('`').next().unwrap_or_default().to_owned();
            if path.last() != Some(&name) {
                path.push(name);
            }
        }
        let whole = taken.place(&path);
        let key = [vec![section.to_owned()], whole.clone()].concat().join(".");
        let fault = places.fault(&key, message);
        if faults.contains(&fault) {
            return None;
        }
        faults.push(fault);
        match remove(&mut value, &path) {
            Some(Gone::Item) => taken.note(whole),
            Some(Gone::Key) => {}
            None => return None,
        }
    }
    None
}

/// Items that were dropped from lists, by the list: those behind them have moved up since.
#[derive(Default)]
struct Taken(BTreeMap<Vec<String>, BTreeSet<usize>>);

impl Taken {
    /// Where something stands in the file.
    fn place(&self, path: &[String]) -> Vec<String> {
        let mut whole: Vec<String> = Vec::with_capacity(path.len());
        for segment in path {
            let own = match (self.0.get(&whole), segment.parse::<usize>()) {
                (Some(taken), Ok(at)) => {
                    let behind = |at, gone: &usize| if *gone <= at { at + 1 } else { at };
                    taken.iter().fold(at, behind).to_string()
                }
                _ => segment.clone(),
            };
            whole.push(own);
        }
        whole
    }

    /// Notes an item that is dropped, by its place in the file.
    fn note(&mut self, mut whole: Vec<String>) {
        if let Some(Ok(at)) = whole.pop().map(|last| last.parse()) {
            self.0.entry(whole).or_default().insert(at);
        }
    }
}

/// What was dropped.
enum Gone {
    /// A setting.
    Key,
    /// An item of a list.
    Item,
}

/// The message without the parts that repeat the key and the origin.
fn plain(message: &str) -> String {
    // The value would be the secret itself.
    if message.contains("enum SecretRef") {
        return "is no place of a secret, which never stands here itself: write { env = \"NAME\" }, { file = \"PATH\" } or { command = \"…\" }".to_owned();
    }
    let message = message.split(" for key `").next().unwrap_or(message);
    let message = message
        .split(" in the environment")
        .next()
        .unwrap_or(message);
    // It names the place among the items that are left.
    match message
        .trim()
        .strip_prefix("missing configuration field \"")
    {
        Some(place) => {
            let name = place.trim_end_matches('"').rsplit([']', '.']).next();
            format!("has no `{}`", name.unwrap_or_default())
        }
        None => message.trim().to_owned(),
    }
}

fn remove(value: &mut Value, path: &[String]) -> Option<Gone> {
    let (first, rest) = path.split_first()?;
    match &mut value.kind {
        ValueKind::Table(table) if rest.is_empty() => table.remove(first).map(|_| Gone::Key),
        ValueKind::Table(table) => remove(table.get_mut(first)?, rest),
        ValueKind::Array(items) => {
            let index = first.parse::<usize>().ok()?;
            if rest.is_empty() {
                (index < items.len()).then(|| items.remove(index))?;
                return Some(Gone::Item);
            }
            remove(items.get_mut(index)?, rest)
        }
        _ => None,
    }
}
