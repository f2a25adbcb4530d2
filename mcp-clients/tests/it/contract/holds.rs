//! The contract itself, as a check that any `ToolBox` can be put to; the fakes of other crates use this very file.

use mcp_clients::{ReplyKind, ToolBox, ToolFailure};
use serde_json::{Value, json};

/// Holds any tool box to the contract. `server` has a tool `echo` that answers `{"arguments": …}`.
pub(crate) async fn holds(tools: &dyn ToolBox, server: &str) {
    let listed = tools.tools(server).await.unwrap();
    let mut names: Vec<&str> = listed.iter().map(|t| t.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), listed.len(), "every tool once");
    assert!(names.contains(&"echo"));
    assert!(listed.iter().all(|t| t.input_schema.is_object()));

    let arguments = json!({ "b": [1, 2], "a": "x" });
    let sent = arguments.as_object().unwrap().clone();
    let reply = tools.call(server, "echo", sent).await.unwrap();
    assert_eq!(reply.kind, ReplyKind::Answer);
    assert_eq!(
        reply.value["arguments"], arguments,
        "arguments arrive as they were sent"
    );
    assert_eq!(reply.cut, None);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(
        body["structuredContent"], reply.value,
        "the body is the whole result"
    );

    let unknown = tools
        .call("no_such_server", "echo", serde_json::Map::new())
        .await;
    assert!(matches!(unknown, Err(ToolFailure::NoSuchServer { .. })));
    assert!(!unknown.unwrap_err().may_have_run());
    let unknown = tools.tools("no_such_server").await;
    assert!(matches!(unknown, Err(ToolFailure::NoSuchServer { .. })));

    let unknown = tools
        .call(server, "no_such_tool", serde_json::Map::new())
        .await;
    assert!(
        matches!(
            unknown,
            Err(ToolFailure::Protocol { .. } | ToolFailure::ToolError { .. })
        ),
        "{unknown:?}"
    );
    assert!(
        tools
            .call(server, "echo", serde_json::Map::new())
            .await
            .is_ok(),
        "a failed call breaks nothing"
    );
}
