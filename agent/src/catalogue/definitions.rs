//! Live tool definitions held against their pins, with compiled argument schemas; asked anew, decided on in `gate`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonschema::Validator;
use mcp_clients::{ToolBox, ToolDef};
use serde_json::{Value, json};
use state::model::Time;
use tokio::sync::RwLock;

use super::{Entry, PinState, Pins, names, pins};

/// Why a tool can't be called as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// The server did not say.
    #[error("the definition of `{tool}` can't be had: {why}")]
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
    /// Its name can't be trusted to mean it.
    #[error("`{tool}` is refused: {why}")]
    Name {
        /// `server.tool`.
        tool: String,
        /// Why.
        why: String,
    },
    /// Nobody has reviewed the definition.
    #[error(
        "the definition of `{tool}` is not pinned: review it and run `nightdesk tools pin {tool}`"
    )]
    Unpinned {
        /// `server.tool`.
        tool: String,
    },
    /// The definition is not the one that was reviewed.
    #[error(
        "the definition of `{tool}` is not the one that was pinned: review it and run `nightdesk tools pin {tool}`"
    )]
    Changed {
        /// `server.tool`.
        tool: String,
    },
    /// What the server or the catalogue gives is no JSON Schema.
    #[error("the schema of `{tool}` is not one: {why}")]
    NotASchema {
        /// `server.tool`.
        tool: String,
        /// Why.
        why: String,
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

/// How old the server's word may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Asked for this very call.
    Now,
    /// As old as `[servers.NAME.limits] recheck` allows.
    Settled,
}

/// A tool that may be called: as pinned, with its compiled schema.
#[derive(Debug)]
pub struct Definition {
    /// The live definition, equal to the pinned one.
    pub tool: ToolDef,
    /// All names its server offered when it was looked at.
    offered: Vec<String>,
    own: Validator,
    narrower: Validator,
}

type Listing = Arc<(Time, Vec<ToolDef>)>;

/// What the servers say of their tools.
#[derive(Default)]
pub struct Definitions {
    pins: Pins,
    listings: RwLock<HashMap<String, Listing>>,
    known: RwLock<HashMap<String, Arc<Definition>>>,
}

impl Definitions {
    /// Definitions that must be as pinned.
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

    /// Forgets what a server said that was restarted or changed its tools.
    pub async fn forget(&self, server: &str) {
        self.listings.write().await.remove(server);
    }

    /// Digest of the definition that a tool had when its server was last asked; none when it offered none.
    pub async fn last_seen(&self, entry: &Entry) -> Option<String> {
        let listings = self.listings.read().await;
        let offered = &listings.get(&entry.server)?.1;
        let tool = offered.iter().find(|t| t.name == entry.tool)?;
        Some(pins::digest(&entry.identity, tool))
    }

    /// The definition of a tool, if it may be called as it is at `now`.
    ///
    /// # Errors
    /// When it can't be had, is not as pinned, or its name is refused.
    pub async fn of(
        &self,
        toolbox: &dyn ToolBox,
        entry: &Entry,
        asked: (Freshness, Time),
    ) -> Result<Arc<Definition>, DefinitionError> {
        let name = entry.name();
        let listing = self.listing(toolbox, entry, asked).await?;
        let Some(tool) = listing.1.iter().find(|t| t.name == entry.tool) else {
            return Err(DefinitionError::NoTool {
                server: entry.server.clone(),
                tool: entry.tool.clone(),
            });
        };
        if let Some(known) = self.known.read().await.get(&name)
            && known.tool == *tool
            && known.offered.iter().eq(listing.1.iter().map(|t| &t.name))
        {
            return Ok(known.clone());
        }
        let definition = Arc::new(self.reviewed(entry, tool, &listing.1)?);
        self.known.write().await.insert(name, definition.clone());
        Ok(definition)
    }

    async fn listing(
        &self,
        toolbox: &dyn ToolBox,
        entry: &Entry,
        asked: (Freshness, Time),
    ) -> Result<Listing, DefinitionError> {
        let (freshness, now) = asked;
        if freshness == Freshness::Settled
            && entry.recheck > Duration::ZERO
            && let Some(listing) = self.listings.read().await.get(&entry.server)
            && (now - listing.0)
                .to_std()
                .is_ok_and(|age| age < entry.recheck)
        {
            return Ok(listing.clone());
        }
        let listed = toolbox.tools(&entry.server).await;
        let tools = listed.map_err(|e| DefinitionError::NotRead {
            tool: entry.name(),
            why: e.to_string(),
        })?;
        let listing = Arc::new((now, tools));
        let mut listings = self.listings.write().await;
        listings.insert(entry.server.clone(), listing.clone());
        Ok(listing)
    }

    fn reviewed(
        &self,
        entry: &Entry,
        tool: &ToolDef,
        all: &[ToolDef],
    ) -> Result<Definition, DefinitionError> {
        let name = entry.name();
        if let Some(why) = names::refused(all).remove(&tool.name) {
            return Err(DefinitionError::Name { tool: name, why });
        }
        match self.pins.state(entry, tool) {
            PinState::Pinned => {}
            PinState::Unpinned => return Err(DefinitionError::Unpinned { tool: name }),
            PinState::Changed => return Err(DefinitionError::Changed { tool: name }),
        }
        let compiled = |schema: &Value| {
            compile(schema).map_err(|why| DefinitionError::NotASchema {
                tool: name.clone(),
                why,
            })
        };
        Ok(Definition {
            tool: tool.clone(),
            offered: all.iter().map(|t| t.name.clone()).collect(),
            own: compiled(&closed(&tool.input_schema))?,
            narrower: compiled(&json!({"properties": entry.spec.args}))?,
        })
    }
}

impl Definition {
    /// Checks arguments against the tool's own schema, in which no further argument is allowed, and the catalogue's.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self, entry: &Entry, arguments: &Value) -> Result<(), DefinitionError> {
        let mut faults = self
            .own
            .iter_errors(arguments)
            .chain(self.narrower.iter_errors(arguments));
        match faults.next() {
            None => Ok(()),
            Some(e) => Err(DefinitionError::Misfit {
                tool: entry.name(),
                why: e.to_string().chars().take(300).collect(),
            }),
        }
    }
}

/// Whether values fit a form that a server asks to be filled in: one object, no other fields than it names, each a text, a
/// number, a boolean or a list of texts.
///
/// # Errors
/// The first fault, in a sentence.
pub fn form_fits(schema: &Value, content: &Value) -> Result<(), String> {
    let Value::Object(fields) = content else {
        return Err("the answer is one object of fields".to_owned());
    };
    let plain = |v: &Value| match v {
        Value::Array(items) => items.iter().all(Value::is_string),
        Value::Object(_) | Value::Null => false,
        Value::String(text) => text.chars().count() <= 2_000,
        Value::Bool(_) | Value::Number(_) => true,
    };
    if let Some((name, _)) = fields.iter().find(|(_, v)| !plain(v)) {
        return Err(format!(
            "`{}` is no text, number, boolean or list of texts",
            name.chars().take(100).collect::<String>()
        ));
    }
    let compiled = compile(&closed(schema)).map_err(|e| format!("the form can't be read: {e}"))?;
    let mut faults = compiled.iter_errors(content);
    faults
        .next()
        .map_or(Ok(()), |e| Err(e.to_string().chars().take(300).collect()))
}

/// Whether a form asked of a person can't be answered by a plain yes: an answer without fields does not fit it.
#[must_use]
pub fn form_needs_values(schema: &Value) -> bool {
    form_fits(schema, &Value::Object(serde_json::Map::new())).is_err()
}

fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .should_validate_formats(true)
        .build(schema)
        .map_err(|e| e.to_string().chars().take(300).collect())
}

/// What of a value a schema does not allow, a sentence each.
///
/// # Errors
/// When the schema is none.
pub fn misfits(schema: &Value, value: &Value) -> Result<Vec<String>, String> {
    let faults = compile(schema)?;
    let told = faults.iter_errors(value).map(|e| {
        format!("{}: {e}", e.instance_path())
            .chars()
            .take(300)
            .collect()
    });
    Ok(told.collect())
}

/// The schema with `additionalProperties: false` at the top, whatever it says itself.
fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Value::Object(map) = &mut schema {
        map.entry("type")
            .or_insert_with(|| Value::String("object".to_owned()));
        map.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    schema
}
