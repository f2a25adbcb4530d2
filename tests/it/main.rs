//! The tests that need more than one crate, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod correlate;
mod disguises;
mod gate;
mod lab_names;
mod learn;
mod live;
mod llm;
mod metrics;
mod negations;
mod notify;
mod playbook_selection;
mod playbooks;
mod playbooks_cli;
mod policy;
mod prompts;
mod queries;
mod scanner;
mod scanner_report;
mod scanner_texts;
mod scenarios;
mod slack;
mod tidy;
