//! Reads `labels.jsonl`; nothing but the scoring may call this.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use state::model::VerdictKind;

/// What an alert really was.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Label {
    /// Which alert.
    pub source_alert_id: String,
    /// What it was.
    pub verdict: VerdictKind,
    /// Techniques, when the labeller gives them.
    #[serde(default)]
    pub techniques: Vec<String>,
    /// Why, in the labeller's words.
    #[serde(default)]
    pub note: String,
    /// Ids of the events that tell the story, in time order.
    #[serde(default)]
    pub key_events: Vec<String>,
}

/// Labels by the alert's id at its source.
pub type Labels = BTreeMap<String, Label>;

/// Reads the labels of a lab; a lab without the file has none.
///
/// # Errors
/// The file and line at fault.
pub fn read_labels(dir: &Path) -> anyhow::Result<Labels> {
    let path = dir.join("labels.jsonl");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => anyhow::bail!("{}: {e}", path.display()),
    };
    let mut labels = BTreeMap::new();
    for (i, line) in text
        .lines()
        .enumerate()
        .filter(|(_, l)| !l.trim().is_empty())
    {
        let label: Label = serde_json::from_str(line)
            .map_err(|e| anyhow::anyhow!("{}:{}: {e}", path.display(), i + 1))?;
        labels.insert(label.source_alert_id.clone(), label);
    }
    Ok(labels)
}
