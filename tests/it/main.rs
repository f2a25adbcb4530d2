//! The tests that need more than one crate, in one binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod gate;
mod llm;
mod playbooks;
mod policy;
mod prompts;
mod scenarios;
mod tidy;
