//! The report for machines: the whole record with its graph, in the form of `agent/schemas/case.schema.json`.

use serde::Serialize;

use super::casefile::CaseFile;
use super::graph::CaseGraph;
use super::signed::{Signature, signatures};

/// Version of the form; a change that breaks readers raises the first number.
const VERSION: &str = "1.2";

/// The report of a case for machines.
#[derive(Debug, Serialize)]
pub struct CaseReport<'f> {
    /// Version of this form.
    pub schema_version: &'static str,
    /// Whether no person has signed it.
    pub draft: bool,
    /// People's words since the last verdict of the daemon.
    pub signatures: Vec<Signature>,
    /// The record.
    #[serde(flatten)]
    pub file: &'f CaseFile,
    /// The case as a graph.
    pub graph: CaseGraph,
}

impl<'f> CaseReport<'f> {
    /// The report of a case.
    #[must_use]
    pub fn of(file: &'f CaseFile) -> Self {
        let signatures = signatures(file);
        Self {
            schema_version: VERSION,
            draft: signatures.is_empty(),
            signatures,
            file,
            graph: CaseGraph::of(file),
        }
    }
}
