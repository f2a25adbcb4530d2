//! What can go wrong with a lab as a whole. A fault in one evidence file is not here: its server
//! starts, and the tools that need the file say so.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

/// A failure of a lab, by what the caller can do about it.
#[derive(Debug, Error)]
pub enum LabError {
    /// Choose another server name.
    #[error("no embedded server is called `{given}`; choose one of {known}")]
    UnknownServer {
        /// The name asked for, at most 40 characters of it.
        given: String,
        /// The names there are.
        known: String,
    },
    /// Give the folder of a lab, or make the file readable.
    #[error("can't read {}: {source}; give a folder that holds a lab.toml", file.display())]
    Unreadable {
        /// The file that was tried.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Correct lab.toml; every fault found is listed.
    #[error("{}: {}", file.display(), list(faults))]
    Manifest {
        /// The manifest.
        file: PathBuf,
        /// All faults, in the order of their lines.
        faults: Vec<Fault>,
    },
    /// The log database could not be built in memory.
    #[error("can't build the log tables in memory: {0}")]
    Database(#[from] sqlx::Error),
    /// The MCP session could not start or broke.
    #[error("the session with the client failed: {0}")]
    Session(String),
}

/// One fault in lab.toml and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Line, counted from 1.
    pub line: usize,
    /// The key, dotted from the top; empty for a fault of the whole document.
    pub key: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            write!(f, "line {}: {}", self.line, self.problem)
        } else {
            write!(f, "line {}: `{}` {}", self.line, self.key, self.problem)
        }
    }
}

fn list(faults: &[Fault]) -> String {
    faults
        .iter()
        .map(Fault::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
