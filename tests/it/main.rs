//! The tests that need more than one crate, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod disguises;
mod gate;
mod learn;
mod llm;
mod playbooks;
mod policy;
mod prompts;
mod scanner;
mod scanner_report;
mod scanner_texts;
mod scenarios;
mod tidy;
