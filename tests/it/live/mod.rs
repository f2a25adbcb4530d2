//! How a daemon is looked at from outside while it works: metrics, health, logs, traces.

mod files;
mod health;
mod labels;
mod metrics;
mod people;
mod rules;
mod traces;

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// Any free port of this machine.
const ANY: &str = "[run.http]\nlisten = \"127.0.0.1:0\"";
