//! Odd replies through a real pipe; the shapes themselves are a table in `src/result/tests.rs`.

use mcp_clients::{ReplyKind, ToolBox, ToolFailure, ToolReply, result};
use serde_json::json;

use crate::support::{fleet, no_arguments, scripted};

async fn ask(behaviour: &str) -> Result<ToolReply, ToolFailure> {
    let fleet = fleet(scripted(behaviour)).await;
    let reply = fleet.call("s", "echo", no_arguments()).await;
    fleet.shutdown().await;
    reply
}

#[tokio::test]
async fn replies_too_large_too_many_or_none_are_told_apart() {
    let huge = ask("huge").await.unwrap_err();
    assert!(matches!(huge, ToolFailure::TooLarge { .. }), "{huge:?}");
    assert!(huge.may_have_run());

    let many = ask("blocks10001").await.unwrap();
    assert_eq!((many.blocks, &many.kind), (10_001, &ReplyKind::Answer));
    assert_eq!(result::rows(&many.value, "results").unwrap().len(), 10_000);

    let none = ask("zero-blocks").await.unwrap();
    assert!(result::is_empty(&none) && matches!(none.kind, ReplyKind::Unknown(_)));
}

#[tokio::test]
async fn every_wrapping_real_servers_use_is_undone() {
    let cases = [
        (
            "csv",
            json!([{ "UserID": "U1", "UserName": "a, b", "Cursor": "" }, { "UserID": "U2", "UserName": "c", "Cursor": "next" }]),
        ),
        ("prose-json", json!({ "hits": { "total": 2 } })),
        ("double-encoded", json!({ "issues": [{ "key": "SEC-1" }] })),
    ];
    for (behaviour, value) in cases {
        let reply = ask(behaviour).await.unwrap();
        assert_eq!(
            (reply.kind, reply.value),
            (ReplyKind::Answer, value),
            "{behaviour}"
        );
    }
}

#[tokio::test]
async fn failures_are_never_answers_flagged_or_not() {
    for behaviour in ["success-false", "error-text"] {
        let reply = ask(behaviour).await.unwrap();
        assert!(
            matches!(reply.kind, ReplyKind::Unknown(_)),
            "{behaviour}: {:?}",
            reply.kind
        );
    }
    let flagged = ask("is-error").await.unwrap_err();
    assert_eq!(
        flagged,
        ToolFailure::ToolError {
            message: "1 validation error field required".to_owned()
        }
    );
    let refused = ask("rpc-error").await.unwrap_err();
    assert!(
        matches!(refused, ToolFailure::Protocol { code: -32603, .. }),
        "{refused:?}"
    );
    assert!(
        refused.may_have_run(),
        "real servers refuse arguments after they used them"
    );

    let mut panther = scripted("partly-failed");
    panther.reply = mcp_clients::presets::pick("panther", "s", None)
        .unwrap()
        .reply;
    let fleet = fleet(panther).await;
    let reply = fleet.call("s", "echo", no_arguments()).await.unwrap();
    assert!(
        matches!(&reply.kind, ReplyKind::BackendError(words) if words.contains("not found")),
        "{:?}",
        reply.kind
    );
    fleet.shutdown().await;
}
