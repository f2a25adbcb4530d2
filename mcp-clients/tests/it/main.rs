//! The tests of this crate against real child processes and real HTTP on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod config;
mod contract;
mod corpus;
mod http;
mod mappings;
mod processes;
mod replies;
mod sources;
mod support;
mod verdicts;
mod webhook;
