//! `lab.toml`: what a lab folder says of itself. It checks the manifest alone; the files it names
//! are opened by the servers.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use toml::de::{DeTable, DeValue};

use crate::{
    LabError,
    files::{LABELS, bounded, stays_inside},
};

mod reader;

use reader::Reader;

/// The manifest's file name.
pub const FILE: &str = "lab.toml";

/// A lab's manifest, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct LabManifest {
    /// The lab's name.
    pub name: String,
    /// "Now" where a question names no time.
    pub clock: DateTime<Utc>,
    /// Where alerts come from, in the order of the file.
    pub feeds: Vec<Feed>,
    /// Time and id keys of log tables, by table; a table not named here has the defaults.
    pub tables: BTreeMap<String, Table>,
    /// The sources that exist in this environment, if the lab says.
    pub sources: Option<Vec<String>>,
}

/// One file of alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// Unique in the lab; the file's stem unless set.
    pub name: String,
    /// Path inside the lab folder.
    pub file: String,
    /// Name of the daemon's mapping for this form of alert.
    pub mapping: String,
    /// JSON pointers for the daemon's `generic` mapping, handed on as they stand.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

/// Which keys of a log row hold its time and its id: a top-level key, or a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Key of the time, RFC 3339.
    pub time: String,
    /// Key of the id, unique in the table.
    pub id: String,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            time: "event_time".to_owned(),
            id: "event_uid".to_owned(),
        }
    }
}

/// Reads and checks `lab.toml` in `dir`.
///
/// # Errors
/// `Unreadable` when there is none, `Manifest` with every fault and its line otherwise.
pub fn load(dir: &Path) -> Result<LabManifest, LabError> {
    let file = dir.join(FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(source) => return Err(LabError::Unreadable { file, source }),
    };
    parse(file, &text)
}

fn parse(file: PathBuf, text: &str) -> Result<LabManifest, LabError> {
    let mut reader = Reader::new(text);
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let place = error.span().map_or(0, |span| span.start);
            reader.fault(place, "", bounded(error.message(), 200));
            return Err(reader.into_error(file));
        }
    };
    let top = document.get_ref();
    reader.only(top, "", &["name", "clock", "alerts", "tables", "sources"]);
    let name = reader.text(top, "", "name");
    let clock = reader.clock(top);
    let feeds = feeds(&mut reader, top);
    let tables = tables(&mut reader, top);
    let sources = sources(&mut reader, top);
    match (name, clock) {
        (Some(name), Some(clock)) if reader.clean() => Ok(LabManifest {
            name,
            clock,
            feeds,
            tables,
            sources,
        }),
        _ => Err(reader.into_error(file)),
    }
}

fn feeds(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Vec<Feed> {
    let mut feeds = Vec::new();
    let mut seen = BTreeSet::new();
    let Some(value) = top.get("alerts") else {
        return feeds;
    };
    let place = value.span().start;
    let entries = match value.get_ref() {
        DeValue::Table(table) => vec![(place, table)],
        DeValue::Array(list) => list
            .iter()
            .filter_map(|entry| match entry.get_ref() {
                DeValue::Table(table) => Some((entry.span().start, table)),
                _ => {
                    reader.fault(entry.span().start, "alerts", "must hold tables only");
                    None
                }
            })
            .collect(),
        _ => {
            reader.fault(place, "alerts", "must be a table or an array of tables");
            return feeds;
        }
    };
    for (place, entry) in entries {
        if let Some(feed) = feed(reader, place, entry) {
            if !seen.insert(feed.name.clone()) {
                let problem = format!("`{}` is taken by an earlier feed", bounded(&feed.name, 60));
                reader.fault(place, "alerts.name", problem);
            }
            feeds.push(feed);
        }
    }
    feeds
}

fn feed(reader: &mut Reader<'_>, place: usize, entry: &DeTable<'_>) -> Option<Feed> {
    reader.only(entry, "alerts", &["file", "mapping", "name", "fields"]);
    let file = reader.required(entry, place, "alerts", "file");
    let mapping = reader.required(entry, place, "alerts", "mapping");
    let name = reader.optional(entry, "alerts", "name");
    let fields = match entry
        .get("fields")
        .map(|value| (value.span(), value.get_ref()))
    {
        None => serde_json::Map::new(),
        Some((_, DeValue::Table(table))) => reader::json_table(table),
        Some((span, _)) => {
            reader.fault(span.start, "alerts.fields", "must be a table");
            return None;
        }
    };
    let (file, mapping) = (file?, mapping?);
    let stem = Path::new(&file).file_stem()?.to_string_lossy().into_owned();
    if !stays_inside(&file) {
        let problem = "must be a path inside the lab folder, without `..`";
        reader.fault(place, "alerts.file", problem);
        return None;
    }
    let last = Path::new(&file).file_name()?;
    if last.eq_ignore_ascii_case(LABELS) {
        let problem = format!("must not be {LABELS}: labels are never served");
        reader.fault(place, "alerts.file", problem);
        return None;
    }
    Some(Feed {
        name: name.unwrap_or(stem),
        file,
        mapping,
        fields,
    })
}

fn tables(reader: &mut Reader<'_>, top: &DeTable<'_>) -> BTreeMap<String, Table> {
    let mut tables = BTreeMap::new();
    let Some(value) = top.get("tables") else {
        return tables;
    };
    let DeValue::Table(entries) = value.get_ref() else {
        reader.fault(value.span().start, "tables", "must be a table of tables");
        return tables;
    };
    for (name, entry) in entries {
        let key = format!("tables.{}", bounded(name.get_ref(), 60));
        let DeValue::Table(entry) = entry.get_ref() else {
            reader.fault(name.span().start, &key, "must be a table");
            continue;
        };
        reader.only(entry, &key, &["time", "id"]);
        let default = Table::default();
        let time = reader.optional(entry, &key, "time");
        let id = reader.optional(entry, &key, "id");
        let table = Table {
            time: time.unwrap_or(default.time),
            id: id.unwrap_or(default.id),
        };
        tables.insert(name.get_ref().to_string(), table);
    }
    tables
}

fn sources(reader: &mut Reader<'_>, top: &DeTable<'_>) -> Option<Vec<String>> {
    let value = top.get("sources")?;
    let problem = "must be a list of names";
    let DeValue::Array(list) = value.get_ref() else {
        reader.fault(value.span().start, "sources", problem);
        return None;
    };
    let mut names = Vec::new();
    for entry in list {
        match entry.get_ref() {
            DeValue::String(name) => names.push(name.to_string()),
            _ => reader.fault(entry.span().start, "sources", problem),
        }
    }
    Some(names)
}
