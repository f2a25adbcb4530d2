//! Writes a report's files, each whole or not at all; what stands in them is the other files' business.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::document::Report;
use super::{csv, page::page};
use crate::config::MetricsFormat;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// The files.
    pub files: Vec<PathBuf>,
}

/// The files of a form: names and texts.
///
/// # Errors
/// When the report can't be put into that form.
pub fn render(
    report: &Report,
    format: MetricsFormat,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(match format {
        MetricsFormat::Json => {
            let text = serde_json::to_string_pretty(report)?;
            vec![("metrics.json", text + "\n")]
        }
        MetricsFormat::Csv => vec![
            ("metrics.csv", csv::metrics(report)?),
            ("noisy_rules.csv", csv::rules(report)?),
        ],
        MetricsFormat::Md => vec![("report.md", page(report).markdown())],
        MetricsFormat::Html => vec![("report.html", super::html(report)?)],
    })
}

/// Writes the report into a folder, which is made when it is not there. A file of the same name is replaced at once: who
/// reads it sees the old one or the new one.
///
/// # Errors
/// When a form can't be made, or a file can't be written: those before it are.
pub fn write(report: &Report, formats: &[MetricsFormat], dir: &Path) -> anyhow::Result<Written> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("the folder {} can't be made", dir.display()))?;
    let mut files = Vec::new();
    for format in MetricsFormat::ALL.iter().filter(|f| formats.contains(f)) {
        for (name, text) in render(report, *format)? {
            let path = dir.join(name);
            replace(dir, &path, &text)
                .with_context(|| format!("{} can't be written", path.display()))?;
            files.push(path);
        }
    }
    Ok(Written { files })
}

fn replace(dir: &Path, path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".metrics-")
        .permissions(std::fs::Permissions::from_mode(0o644))
        .tempfile_in(dir)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
