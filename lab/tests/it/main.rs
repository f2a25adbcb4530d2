//! Tests of the embedded servers through a real MCP client on an in-memory stream. No server code
//! is called around the protocol.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod corpus;
mod envelope;
mod harness;
mod labels;
mod lookups;
mod manifest;
mod replay;
mod sql_guard;
mod sql_logs;
mod tickets;
