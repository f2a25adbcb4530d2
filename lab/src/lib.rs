//! Embedded MCP servers over a folder of evidence files. The daemon reaches them over stdio like any
//! foreign server; nothing here knows of cases, tiers or policy, and `labels.jsonl` is never opened.

mod answer;
mod assets;
mod clock;
pub mod demo;
mod error;
mod files;
mod identity;
mod intel;
pub mod manifest;
mod matching;
mod names;
mod scm;
mod serve;
mod siem;
mod ticketing;
mod vuln;

pub use error::{Fault, LabError};
pub use names::ServerName;
pub use serve::{serve, serve_on};
