//! Compiled argument schemas of the tools, closed; read from the servers, checked here, decided on in `gate`.

use std::collections::HashMap;
use std::sync::Arc;

use jsonschema::Validator;
use mcp_clients::ToolBox;
use serde_json::Value;
use tokio::sync::RwLock;

use super::{Entry, PinState, Pins};

/// Why arguments were not found to fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The server did not say.
    #[error("the schema of `{tool}` can't be had: {why}")]
    NotRead {
        /// `server.tool`.
        tool: String,
        /// Why.
        why: String,
    },
    /// The server has no such tool.
    #[error("server `{server}` offers no tool `{tool}`")]
    NoTool {
        /// Server.
        server: String,
        /// Tool.
        tool: String,
    },
    /// What the server gives is no JSON Schema.
    #[error("the schema of `{tool}` is not one: {why}")]
    NotASchema {
        /// `server.tool`.
        tool: String,
        /// Why.
        why: String,
    },
    /// The definition is not the one that was reviewed.
    #[error(
        "the definition of `{tool}` is not the one that was pinned: review it and run `nightdesk tools pin`"
    )]
    Changed {
        /// `server.tool`.
        tool: String,
    },
    /// They do not fit.
    #[error("the arguments do not fit `{tool}`: {why}")]
    Misfit {
        /// `server.tool`.
        tool: String,
        /// The first fault.
        why: String,
    },
}

/// Compiled argument schemas by `server.tool`, read once per start of their server.
#[derive(Default)]
pub struct Schemas {
    pins: Pins,
    compiled: RwLock<HashMap<String, Arc<Validator>>>,
}

impl Schemas {
    /// Schemas of which those that are pinned must be as reviewed.
    #[must_use]
    pub fn pinned(pins: Pins) -> Self {
        Self {
            pins,
            ..Self::default()
        }
    }

    /// The pins in force.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.pins
    }

    /// Forgets the schemas of a server that was restarted or changed its tools.
    pub async fn forget(&self, server: &str) {
        let prefix = format!("{server}.");
        self.compiled
            .write()
            .await
            .retain(|name, _| !name.starts_with(&prefix));
    }

    /// Checks arguments against the tool's own schema, in which no further argument is allowed.
    ///
    /// # Errors
    /// The first fault; also when the schema can't be had.
    pub async fn check(
        &self,
        toolbox: &dyn ToolBox,
        entry: &Entry,
        arguments: &Value,
    ) -> Result<(), SchemaError> {
        let validator = self.of(toolbox, entry).await?;
        match validator.iter_errors(arguments).next() {
            None => Ok(()),
            Some(e) => Err(SchemaError::Misfit {
                tool: format!("{}.{}", entry.server, entry.tool),
                why: e.to_string().chars().take(300).collect(),
            }),
        }
    }

    async fn of(
        &self,
        toolbox: &dyn ToolBox,
        entry: &Entry,
    ) -> Result<Arc<Validator>, SchemaError> {
        let name = format!("{}.{}", entry.server, entry.tool);
        if let Some(known) = self.compiled.read().await.get(&name) {
            return Ok(known.clone());
        }
        let listed = toolbox.tools(&entry.server).await;
        let tools = listed.map_err(|e| SchemaError::NotRead {
            tool: name.clone(),
            why: e.to_string(),
        })?;
        let tool =
            tools
                .iter()
                .find(|t| t.name == entry.tool)
                .ok_or_else(|| SchemaError::NoTool {
                    server: entry.server.clone(),
                    tool: entry.tool.clone(),
                })?;
        if self.pins.state(&name, tool) == PinState::Changed {
            return Err(SchemaError::Changed { tool: name });
        }
        let built = jsonschema::options()
            .should_validate_formats(true)
            .build(&closed(&tool.input_schema));
        let validator = Arc::new(built.map_err(|e| SchemaError::NotASchema {
            tool: name.clone(),
            why: e.to_string(),
        })?);
        self.compiled.write().await.insert(name, validator.clone());
        Ok(validator)
    }
}

/// The schema with `additionalProperties: false` at the top, unless it says something itself.
fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(map) = &mut schema {
        map.entry("type")
            .or_insert_with(|| Value::String("object".to_owned()));
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}
