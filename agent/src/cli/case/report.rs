//! `nightdesk case report` and `case schema`: the incident report in its forms, each a view over the same record.

use clap::ValueEnum;
use serde_json::json;
use state::model::CaseId;

use crate::playbook::Library;
use crate::report::{CaseFile, CaseReport, html, markdown};

use super::super::{Failed, Out};

/// The JSON Schema of [`CaseReport`].
pub(super) const SCHEMA: &str = include_str!("../../../schemas/case.schema.json");

/// Form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Markdown
    Md,
    /// One HTML page with its drawings inside; prints to PDF
    Html,
    /// The whole record, in the form of `nightdesk case schema`
    Json,
}

/// Which case, and how.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// For instance ND-12
    pub(super) id: CaseId,
    /// Form; with --json, md and html come as a text in JSON
    #[arg(long, value_enum, default_value = "md")]
    format: Format,
}

pub(super) fn report(
    file: &CaseFile,
    library: &Library,
    args: &Args,
    out: &Out,
) -> Result<(), Failed> {
    let (name, text) = match args.format {
        Format::Json => {
            out.value(&CaseReport::of(file));
            return Ok(());
        }
        Format::Md => ("markdown", markdown(file, library)),
        Format::Html => ("html", html(file, library).map_err(anyhow::Error::from)?),
    };
    if out.is_json() {
        out.value(&json!({"case": args.id, "format": name, "report": text}));
    } else {
        out.document(&text);
    }
    Ok(())
}
