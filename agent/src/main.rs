//! The `nightdesk` binary: hands the command line to `agent::cli` and ends with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::cli::main()
}
