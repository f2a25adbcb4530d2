//! The `nightdesk` binary as the tests start it: the same `main`, built where the tests can find it.

use std::process::ExitCode;

fn main() -> ExitCode {
    agent::cli::main()
}
