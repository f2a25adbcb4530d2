//! MCP servers for scenarios: the scripted, misbehaving one as configuration; what it does is in mcp-clients' tests.

use mcp_clients::config::ServerConfig;

/// A server table that starts the scripted server. `program` is `env!("CARGO_BIN_EXE_scripted-server")` of the calling
/// test; `behaviour` is one of those in `mcp-clients/tests/scripted`, such as `normal`, `hang-call` or `die-in-call`.
#[must_use]
pub fn scripted(program: &str, behaviour: &str) -> ServerConfig {
    ServerConfig {
        command: Some(program.to_owned()),
        args: vec![behaviour.to_owned()],
        ..ServerConfig::default()
    }
}
