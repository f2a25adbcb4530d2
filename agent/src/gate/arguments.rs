//! Arguments against a closed schema, bounded, in canonical form; where they come from is not known here.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::Validator;
use mcp_clients::ToolBox;
use serde_json::{Map, Value};
use tokio::sync::RwLock;

use crate::ctx::Ctx;

use super::{Entry, Refusal};

/// Longest argument object, bytes of JSON.
const LARGEST: usize = 64 * 1024;

/// The value with every object's keys sorted.
#[must_use]
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            keys.into_iter().map(|k| (k.clone(), canonical(&map[k]))).collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// Compiled argument schemas by `server.tool`, read once per start of their server.
#[derive(Default)]
pub struct Schemas {
    compiled: RwLock<HashMap<String, Arc<Validator>>>,
}

impl Schemas {
    /// Forgets the schemas of a server that was restarted or changed its tools.
    pub async fn forget(&self, server: &str) {
        let prefix = format!("{server}.");
        self.compiled.write().await.retain(|name, _| !name.starts_with(&prefix));
    }

    async fn of(&self, toolbox: &dyn ToolBox, entry: &Entry) -> Result<Arc<Validator>, Refusal> {
        let name = format!("{}.{}", entry.server, entry.tool);
        if let Some(known) = self.compiled.read().await.get(&name) {
            return Ok(known.clone());
        }
        let tools = toolbox
            .tools(&entry.server)
            .await
            .map_err(|e| Refusal::new(3, format!("the schema of `{name}` can't be had: {e}")))?;
        let tool = tools
            .iter()
            .find(|t| t.name == entry.tool)
            .ok_or_else(|| Refusal::new(1, format!("server `{}` offers no tool `{}`", entry.server, entry.tool)))?;
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&closed(&tool.input_schema))
            .map_err(|e| Refusal::new(3, format!("the schema of `{name}` is not one: {e}")))?;
        let validator = Arc::new(validator);
        self.compiled.write().await.insert(name, validator.clone());
        Ok(validator)
    }
}

/// Checks arguments against the tool's own schema, closed.
///
/// # Errors
/// Rule 3, naming the first fault; also when the schema can't be had.
pub(super) async fn check(ctx: &Ctx, entry: &Entry, arguments: &Map<String, Value>) -> Result<(), Refusal> {
    let value = Value::Object(arguments.clone());
    if value.to_string().len() > LARGEST {
        return Err(Refusal::new(3, format!("the arguments are over {LARGEST} bytes")));
    }
    let validator = ctx.schemas.of(ctx.toolbox.as_ref(), entry).await?;
    match validator.iter_errors(&value).next() {
        None => Ok(()),
        Some(e) => {
            let why: String = e.to_string().chars().take(300).collect();
            Err(Refusal::new(3, format!("the arguments do not fit `{}`: {why}", entry.tool)))
        }
    }
}

/// The schema with `additionalProperties: false` at the top, unless it says something itself.
fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(map) = &mut schema {
        map.entry("type").or_insert_with(|| Value::String("object".to_owned()));
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}
