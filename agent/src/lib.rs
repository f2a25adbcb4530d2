//! The daemon: rooms from configuration to command line, low to high; see ARCHITECTURE.md for the order.

pub mod anchors;
pub mod approvals;
pub mod catalogue;
pub mod cli;
pub mod config;
pub mod correlate;
pub mod ctx;
pub mod daemon;
pub mod data;
pub mod eval;
pub mod export;
pub mod gate;
pub mod integrity;
pub mod llm;
pub mod pipeline;
pub mod playbook;
pub mod policy;
pub mod prompt;
pub mod report;
pub mod scan;
pub mod selftest;
pub mod telemetry;
pub mod text;
pub mod tier;
pub mod triage;
