//! `[[sources]]`: what is common to all kinds and what each kind needs; nothing is opened here.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{SecretRef, Span, WriteBack};
use crate::mappings::MAX_ALERT_BYTES;

/// One alert source.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct SourceConfig {
    /// Name; part of every alert's identity.
    pub name: String,
    /// Alert mapping; `generic` when `fields` is given.
    pub mapping: String,
    /// How often a polled source is asked.
    pub every: Span,
    /// JSON pointers for an alert without a mapping file.
    pub fields: BTreeMap<String, String>,
    /// How alerts are answered at the source.
    pub write_back: WriteBack,
    /// The kind and its settings.
    pub origin: Origin,
}

/// Kinds of source.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// `kind = "mcp"`: a tool of an MCP server lists the alerts.
    Mcp(Box<McpConfig>),
    /// `kind = "file"`: a file of one JSON object a line is followed.
    File(FileConfig),
    /// `kind = "webhook"`: alerts are sent to us.
    Webhook(WebhookConfig),
}

/// Settings of `kind = "mcp"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpConfig {
    /// Name of the server.
    pub server: String,
    /// Name of the tool.
    pub tool: String,
    /// Arguments; strings may hold `{{since}}`, `{{until}}` (RFC 3339), `{{since_ms}}`,
    /// `{{until_ms}}`, `{{since_s}}`, `{{until_s}}` (epoch) and `{{cursor}}`.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Dotted path of the rows in the answer; empty when the answer is the list.
    #[serde(default)]
    pub rows: String,
    /// Dotted path of the alert inside a row; empty when the row is the alert.
    #[serde(default)]
    pub alert: String,
    /// How pages follow each other.
    pub cursor: Option<CursorConfig>,
    /// How new alerts are told from old ones.
    pub watermark: Option<WatermarkConfig>,
    /// Most pages of one pass.
    #[serde(default = "max_pages")]
    pub max_pages: usize,
}

/// Page tokens; they live for one pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorConfig {
    /// Argument that takes the token.
    pub argument: String,
    /// Dotted path of the next token in the answer.
    pub from: String,
}

/// A time up to which everything is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatermarkConfig {
    /// Argument that takes the beginning of the window, unless a template does.
    pub argument: Option<String>,
    /// JSON pointer of the time in an alert: when it was created or indexed, not when it happened.
    pub field: String,
    /// How far each window reaches back before the newest known alert.
    #[serde(default = "lookback")]
    pub lookback: Span,
    /// How far the very first window reaches back.
    #[serde(default = "first")]
    pub first: Span,
}

/// Settings of `kind = "file"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The file.
    pub path: PathBuf,
}

/// Settings of `kind = "webhook"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Key of the HMAC.
    pub secret: SecretRef,
    /// Largest body, bytes.
    #[serde(default = "max_body")]
    pub max_body: usize,
}

fn max_pages() -> usize {
    50
}

fn lookback() -> Span {
    Span(Duration::from_secs(300))
}

fn first() -> Span {
    Span(Duration::from_secs(3600))
}

fn every() -> Span {
    Span(Duration::from_secs(30))
}

fn max_body() -> usize {
    MAX_ALERT_BYTES
}

impl TryFrom<Map<String, Value>> for SourceConfig {
    type Error = String;

    fn try_from(mut map: Map<String, Value>) -> Result<Self, String> {
        let name: String = take(&mut map, "name")?.ok_or("a source has no name; add name")?;
        let place = |why: String| format!("source {name}: {why}");
        let kind: String = take(&mut map, "kind")
            .map_err(place)?
            .ok_or_else(|| place("kind is missing; write mcp, file or webhook".to_owned()))?;
        let fields: BTreeMap<String, String> =
            take(&mut map, "fields").map_err(place)?.unwrap_or_default();
        let write_back = take(&mut map, "write_back")
            .map_err(place)?
            .unwrap_or_default();
        let mapping: Option<String> = take(&mut map, "mapping").map_err(place)?;
        let every = take(&mut map, "every")
            .map_err(place)?
            .unwrap_or_else(every);
        let origin = match kind.as_str() {
            "mcp" => rest(map).map(|mcp| Origin::Mcp(Box::new(mcp))),
            "file" => rest(map).map(Origin::File),
            "webhook" => rest(map).map(Origin::Webhook),
            other => Err(format!(
                "kind {other:?} is not known; write mcp, file or webhook"
            )),
        };
        Ok(Self {
            origin: origin.map_err(place)?,
            mapping: mapping.unwrap_or_else(|| "generic".to_owned()),
            name,
            every,
            fields,
            write_back,
        })
    }
}

fn take<T: DeserializeOwned>(map: &mut Map<String, Value>, key: &str) -> Result<Option<T>, String> {
    map.remove(key)
        .map(serde_json::from_value)
        .transpose()
        .map_err(|e| format!("{key}: {e}"))
}

fn rest<T: DeserializeOwned>(map: Map<String, Value>) -> Result<T, String> {
    serde_json::from_value(Value::Object(map)).map_err(|e| e.to_string())
}

impl SourceConfig {
    /// What is wrong with the settings themselves, one sentence each; `[]` when nothing is.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, why: &str| {
            faults.push(format!("sources.{}.{key}: {why}", self.name));
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.name.is_empty() || !self.name.chars().all(plain) {
            fault("name", "use letters, digits, -, _ and .");
        }
        if self.every.0 < Duration::from_secs(1) {
            fault("every", "is shorter than 1s");
        }
        if !self.fields.is_empty() && self.mapping != "generic" {
            fault("fields", "goes with mapping = \"generic\" only");
        }
        match &self.origin {
            Origin::Mcp(mcp) => mcp.check(&mut fault),
            Origin::File(file) if file.path.as_os_str().is_empty() => fault("path", "is empty"),
            Origin::Webhook(hook) if hook.max_body == 0 => fault("max_body", "is 0"),
            Origin::File(_) | Origin::Webhook(_) => {}
        }
        faults
    }
}

impl McpConfig {
    fn check(&self, fault: &mut dyn FnMut(&str, &str)) {
        if self.server.is_empty() || self.tool.is_empty() {
            fault("tool", "name both server and tool");
        }
        if self.max_pages == 0 {
            fault("max_pages", "is 0");
        }
        let text = Value::Object(self.arguments.clone()).to_string();
        if self.watermark.is_none() && (text.contains("{{since") || text.contains("{{until")) {
            fault("watermark", "is missing; the arguments ask for a window");
        }
        if text.contains("{{cursor}}") && self.cursor.is_none() {
            fault("cursor", "is missing; the arguments ask for it");
        }
        for name in super::pages::unknown_templates(&text) {
            fault("arguments", &format!("{{{{{name}}}}} is not known"));
        }
        if let Some(mark) = &self.watermark {
            if !mark.field.starts_with('/') {
                fault("watermark.field", "is a JSON pointer and starts with /");
            }
            if mark.argument.is_none() && !text.contains("{{since") {
                fault(
                    "watermark.argument",
                    "is missing, and no argument holds {{since}}",
                );
            }
        }
    }
}
