//! Which tool does a countermeasure of a playbook; whether it is done is the gate's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `[effects.responses.NAME]`, by D3FEND id: a tool of this server that does a countermeasure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseTool {
    /// The tool.
    pub tool: String,
    /// Slots of playbooks whose entity it can act on: `user`, `target_user`, `host`, …
    pub on: Vec<String>,
    /// Its arguments; `$target` as a whole value is the entity.
    #[serde(default)]
    pub args: BTreeMap<String, Value>,
}

/// By D3FEND id.
pub type Responses = BTreeMap<String, ResponseTool>;
