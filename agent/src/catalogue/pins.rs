//! Pins: the digest of each tool's definition as the operator reviewed it; a definition that differs is not called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mcp_clients::ToolDef;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::data::sha256_hex;

/// Name of the lock file in the working directory, unless `[paths] lock` names another.
const FILE: &str = "nightdesk.lock";

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

/// The lock file: SHA-256 of each tool's canonical definition, hex, by `server.tool`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    tools: BTreeMap<String, String>,
}

impl Pins {
    /// The lock file in force.
    #[must_use]
    pub fn path(configured: Option<&Path>) -> PathBuf {
        configured.map_or_else(|| PathBuf::from(FILE), Path::to_owned)
    }

    /// Reads the lock file; none pins nothing.
    ///
    /// # Errors
    /// When it can't be read or is not one: then no tool may be called.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        toml::from_str(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    /// Pins a definition as it is now.
    pub fn pin(&mut self, name: &str, tool: &ToolDef) {
        self.tools.insert(name.to_owned(), digest(tool));
    }

    /// The lock file's text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = "# Written by `nightdesk tools pin`: the tool definitions that were reviewed.\n[tools]\n".to_owned();
        for (name, digest) in &self.tools {
            text.push_str(&format!("{} = \"{digest}\"\n", json!(name)));
        }
        text
    }

    /// How many tools are pinned.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tools.len()
    }

    /// How a live definition stands to its pin.
    #[must_use]
    pub fn state(&self, name: &str, tool: &ToolDef) -> PinState {
        match self.tools.get(name) {
            None => PinState::Unpinned,
            Some(pin) if *pin == digest(tool) => PinState::Pinned,
            Some(_) => PinState::Changed,
        }
    }
}

/// SHA-256 over the canonical definition: keys sorted, and arrays whose order means nothing sorted too, since real
/// servers list them differently at every start.
fn digest(tool: &ToolDef) -> String {
    let definition = json!({
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
const SETS: [&str; 6] = ["required", "enum", "examples", "type", "anyOf", "oneOf"];

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

    #[test]
    fn order_of_sets_does_not_count_and_anything_else_does() {
        let mut pins = Pins::default();
        let reviewed = tool(
            json!({"required": ["a", "b"], "properties": {"a": {}, "b": {"type": ["string", "null"]}}}),
            "reads",
        );
        pins.pin("s.t", &reviewed);
        let same = tool(
            json!({"properties": {"b": {"type": ["null", "string"]}, "a": {}}, "required": ["b", "a"]}),
            "reads",
        );
        assert_eq!(pins.state("s.t", &same), PinState::Pinned);
        assert_eq!(
            pins.state(
                "s.t",
                &tool(reviewed.input_schema.clone(), "reads and sends")
            ),
            PinState::Changed
        );
        assert_eq!(
            pins.state("s.t", &tool(json!({"required": ["a"]}), "reads")),
            PinState::Changed
        );
        assert_eq!(pins.state("s.u", &same), PinState::Unpinned);
    }

    #[test]
    fn the_lock_file_reads_back() -> Result<(), String> {
        let dir = std::env::temp_dir().join(format!("nightdesk-pins-{}", std::process::id()));
        let mut pins = Pins::default();
        pins.pin("siem.query_logs", &tool(json!({}), "x"));
        std::fs::write(&dir, pins.text()).map_err(|e| e.to_string())?;
        let read = Pins::load(&dir);
        std::fs::write(&dir, "tools = 3").map_err(|e| e.to_string())?;
        assert!(
            Pins::load(&dir).is_err(),
            "a lock that can't be read must not pin nothing"
        );
        std::fs::remove_file(&dir).map_err(|e| e.to_string())?;
        assert_eq!(read?, pins);
        Ok(())
    }
}
