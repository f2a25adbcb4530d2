//! Where alerts come from: polled sources and the webhook, each behind one small edge; storing and queueing are not done here.

pub mod config;
pub mod file;
pub mod mcp;
mod pages;
pub mod webhook;
mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use state::model::{NewAlert, Time};

use crate::mappings::{CustomMapping, Mappings, Rejected};
use crate::toolbox::{ToolBox, ToolFailure};

pub use config::{Origin, SourceConfig};
pub use wire::{Bounded, Connection};

/// The time now, passed in so that a test can fix it.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// A source that is asked again and again.
#[async_trait]
pub trait AlertSource: Send {
    /// Configured name.
    fn name(&self) -> &str;

    /// What is new since `position`; null means from the beginning. The caller stores the batch
    /// and its position together. After an error the old position stands.
    async fn poll(&mut self, position: &Value) -> Result<Batch, SourceError>;
}

/// What one poll gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Alerts, the oldest first where the source has an order.
    pub alerts: Vec<NewAlert>,
    /// What could not be read, to be kept and shown.
    pub rejected: Vec<Rejected>,
    /// Where the source stands once the batch is stored.
    pub position: Value,
    /// There is more to be read at once.
    pub more: bool,
}

/// Why a poll gave nothing; the position stays where it was.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The tool gave no answer.
    #[error("{0}")]
    Tool(#[from] ToolFailure),
    /// The tool's answer can't be taken as a list of alerts.
    #[error("{tool} gave no usable list of alerts: {reason}")]
    Answer {
        /// `server.tool`.
        tool: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file can't be read.
    #[error("{path} can't be read: {reason}")]
    File {
        /// Path.
        path: String,
        /// From the system.
        reason: String,
    },
}

/// Reads the raw alerts of one source through its mapping.
#[derive(Debug, Clone)]
pub struct Reader {
    source: String,
    mappings: Arc<Mappings>,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    Named(String),
    Custom(Arc<CustomMapping>),
}

impl Reader {
    /// The reader of a configured source.
    ///
    /// # Errors
    /// One sentence for each fault of `mapping` and `fields`.
    pub fn new(config: &SourceConfig, mappings: Arc<Mappings>) -> Result<Self, Vec<String>> {
        let prefix = |faults: Vec<String>| -> Vec<String> {
            let place = format!("sources.{}", config.name);
            faults
                .into_iter()
                .map(|f| format!("{place}.fields: {f}"))
                .collect()
        };
        let how = if config.fields.is_empty() {
            if !mappings.alert_names().contains(&config.mapping.as_str()) {
                return Err(vec![format!(
                    "sources.{}.mapping: there is no alert mapping `{}`; known are {}",
                    config.name,
                    config.mapping,
                    mappings.alert_names().join(", ")
                )]);
            }
            How::Named(config.mapping.clone())
        } else {
            let custom = mappings.generic(&config.fields).map_err(prefix)?;
            How::Custom(Arc::new(custom))
        };
        Ok(Self {
            source: config.name.clone(),
            mappings,
            how,
        })
    }

    /// Configured name of the source.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Reads one alert.
    ///
    /// # Errors
    /// [`Rejected`] with the raw alert and the reason.
    pub fn read(&self, raw: &str) -> Result<NewAlert, Rejected> {
        match &self.how {
            How::Named(name) => self.mappings.read(name, &self.source, raw),
            How::Custom(custom) => self.mappings.read_with(custom, &self.source, raw),
        }
    }

    /// Reads one alert that may not be text at all.
    ///
    /// # Errors
    /// [`Rejected`] with the bytes in hex when they are not UTF-8.
    pub fn read_bytes(&self, raw: &[u8]) -> Result<NewAlert, Rejected> {
        match std::str::from_utf8(raw) {
            Ok(text) => self.read(text),
            Err(e) => Err(Rejected {
                raw: format!("hex:{}", crate::mappings::hex(raw)),
                reason: format!("the alert is not UTF-8: byte {} is wrong", e.valid_up_to()),
            }),
        }
    }
}

/// Builds a polled source; a webhook is served instead ([`webhook::serve`]).
///
/// # Errors
/// One sentence for each fault of the configuration.
pub fn build(
    config: &SourceConfig,
    mappings: Arc<Mappings>,
    tools: Arc<dyn ToolBox>,
    clock: Clock,
) -> Result<Option<Box<dyn AlertSource>>, Vec<String>> {
    let faults = config.faults();
    if !faults.is_empty() {
        return Err(faults);
    }
    let reader = Reader::new(config, mappings)?;
    Ok(match &config.origin {
        Origin::Mcp(settings) => Some(Box::new(mcp::McpSource::new(
            settings.as_ref().clone(),
            reader,
            tools,
            clock,
        ))),
        Origin::File(settings) => Some(Box::new(file::FileSource::new(
            settings.path.clone(),
            reader,
        ))),
        Origin::Webhook(_) => None,
    })
}
