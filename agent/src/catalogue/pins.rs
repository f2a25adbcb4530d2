//! Pins: each tool's definition as the operator reviewed it; a definition that differs is not called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mcp_clients::ToolDef;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::data::sha256_hex;

use super::Entry;

/// Name of the lock file in the working directory, unless `[paths] lock` names another.
const FILE: &str = "nightdesk.lock";

/// The pins of the embedded servers, as this binary has them.
const EMBEDDED: &str = include_str!("../../../mcp-clients/presets/lab.lock");

/// How a live definition stands to its pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PinState {
    /// As reviewed.
    Pinned,
    /// Nobody has reviewed it.
    Unpinned,
    /// It is not what was reviewed.
    Changed,
}

/// One reviewed definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    /// SHA-256 over the server's identity and the canonical definition, hex.
    digest: String,
    /// The description that was reviewed.
    description: String,
}

/// The lock file: the reviewed definition of each tool by `server.tool`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    #[serde(default)]
    tools: BTreeMap<String, Pin>,
    #[serde(skip)]
    embedded: BTreeMap<String, Pin>,
}

impl Pins {
    /// The lock file in force.
    #[must_use]
    pub fn path(configured: Option<&Path>) -> PathBuf {
        configured.map_or_else(|| PathBuf::from(FILE), Path::to_owned)
    }

    /// Reads the lock file; without one the embedded servers alone are pinned.
    ///
    /// # Errors
    /// When it can't be read or is not one: then no tool may be called.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        let embedded: Self = toml::from_str(EMBEDDED).map_err(|e| e.to_string())?;
        let mut pins: Self = toml::from_str(&text)
            .map_err(|e| format!("{}: {}", path.display(), e.to_string().trim()))?;
        pins.embedded = embedded.tools;
        Ok(pins)
    }

    /// Pins a definition as it is now.
    pub fn pin(&mut self, entry: &Entry, tool: &ToolDef) {
        let pin = Pin {
            digest: digest(&entry.identity, tool),
            description: tool.description.clone(),
        };
        self.tools.insert(entry.name(), pin);
    }

    /// The lock file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text =
            "# Written by `nightdesk tools pin`: tool definitions as they were reviewed. A tool whose definition is another is\n\
             # not called. The description is what a model is told.\n"
                .to_owned();
        for (name, pin) in &self.tools {
            text.push_str(&format!(
                "\n[tools.{}]\ndigest = {}\ndescription = {}\n",
                quoted(name),
                quoted(&pin.digest),
                quoted(&pin.description)
            ));
        }
        text
    }

    /// How many tools the lock file pins.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tools.len()
    }

    /// How a live definition stands to its pin. The lock file comes before what the binary knows of embedded servers.
    #[must_use]
    pub fn state(&self, entry: &Entry, tool: &ToolDef) -> PinState {
        match self.of(entry) {
            None => PinState::Unpinned,
            Some(pin) if pin.digest == digest(&entry.identity, tool) => PinState::Pinned,
            Some(_) => PinState::Changed,
        }
    }

    /// Digest of the reviewed definition, if there is one.
    #[must_use]
    pub fn digest_of(&self, entry: &Entry) -> Option<&str> {
        self.of(entry).map(|p| p.digest.as_str())
    }

    /// What a model is told of a tool: the catalogue's words, else those that were reviewed.
    #[must_use]
    pub fn description<'s>(&'s self, entry: &'s Entry) -> &'s str {
        let own = entry.spec.description.as_deref();
        own.or_else(|| self.of(entry).map(|p| p.description.as_str()))
            .unwrap_or_default()
    }

    fn of(&self, entry: &Entry) -> Option<&Pin> {
        let built_in = || {
            let server = entry.embedded.as_deref()?;
            self.embedded.get(&format!("{server}.{}", entry.tool))
        };
        self.tools.get(&entry.name()).or_else(built_in)
    }
}

/// A text as a TOML basic string; JSON's escapes are a subset, once DEL is escaped too.
fn quoted(text: &str) -> String {
    json!(text).to_string().replace('\u{7f}', "\\u007f")
}

/// SHA-256 over the server's identity and the canonical definition: keys sorted, and arrays whose order means nothing
/// sorted too, since real servers list them differently at every start.
pub(super) fn digest(identity: &str, tool: &ToolDef) -> String {
    let definition = json!({
        "server": identity,
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "input": tool.input_schema,
        "output": tool.output_schema,
        "annotations": tool.annotations,
    });
    sha256_hex(canonical(&definition, "").to_string())
}

/// Keywords of JSON Schema whose arrays are sets.
const SETS: [&str; 7] = [
    "required", "enum", "examples", "type", "anyOf", "oneOf", "allOf",
];

fn canonical(value: &Value, under: &str) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            keys.into_iter()
                .map(|k| (k.clone(), canonical(&map[k], k)))
                .collect()
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(|v| canonical(v, "")).collect();
            if SETS.contains(&under) {
                items.sort_by_key(Value::to_string);
            }
            Value::Array(items)
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tool(schema: Value, description: &str) -> ToolDef {
        ToolDef {
            name: "t".to_owned(),
            title: None,
            description: description.to_owned(),
            input_schema: schema,
            output_schema: None,
            annotations: Value::Null,
        }
    }

    fn entry(command: &str) -> Entry {
        let text = format!(
            "command = {}\n[tools.t]\nclass = \"read_internal\"",
            json!(command)
        );
        let config: mcp_clients::config::ServerConfig = toml::from_str(&text).unwrap();
        let spec = config.resolve("s", None).unwrap();
        let servers = BTreeMap::from([("s".to_owned(), spec)]);
        let catalogue = super::super::Catalogue::of(&servers, Pins::default());
        catalogue.entries.into_values().next().unwrap()
    }

    #[test]
    fn order_of_sets_does_not_count_and_anything_else_does() {
        let mut pins = Pins::default();
        let reviewed = tool(
            json!({"required": ["a", "b"], "properties": {"a": {}, "b": {"type": ["string", "null"]}}}),
            "reads",
        );
        let ours = entry("x");
        pins.pin(&ours, &reviewed);
        let same = tool(
            json!({"properties": {"b": {"type": ["null", "string"]}, "a": {}}, "required": ["b", "a"]}),
            "reads",
        );
        assert_eq!(pins.state(&ours, &same), PinState::Pinned);
        for changed in [
            tool(reviewed.input_schema.clone(), "reads and sends"),
            tool(json!({"required": ["a"]}), "reads"),
        ] {
            assert_eq!(pins.state(&ours, &changed), PinState::Changed);
        }
        assert_eq!(
            pins.state(&entry("another program"), &same),
            PinState::Changed,
            "a pin is bound to its server"
        );
        assert_eq!(Pins::default().state(&ours, &same), PinState::Unpinned);
    }

    #[test]
    fn the_lock_file_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nightdesk.lock");
        let mut pins = Pins::load(&path).unwrap();
        assert!(!pins.embedded.is_empty());
        let odd = "two\nlines \"quoted\" \u{7f}\u{1b}[31m\u{202e} \\ end";
        pins.pin(&entry("x"), &tool(json!({}), odd));
        std::fs::write(&path, pins.text()).unwrap();
        assert_eq!(Pins::load(&path).unwrap(), pins);
        assert_eq!(pins.description(&entry("x")), odd);
        std::fs::write(&path, "tools = 3").unwrap();
        assert!(
            Pins::load(&path).is_err(),
            "a lock that can't be read must not pin nothing"
        );
    }
}
