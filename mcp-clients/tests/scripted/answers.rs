//! What real MCP servers were seen to answer, by the name of the habit; it sends nothing.

use serde_json::{Value, json};

/// The `CallToolResult` of a behaviour that is only about its answer.
pub(crate) fn of(behaviour: &str) -> Option<Value> {
    let text = |text: &str| json!({ "type": "text", "text": text });
    let structured =
        |value: Value| json!({ "content": [text(&value.to_string())], "structuredContent": value });
    Some(match behaviour {
        "huge" => json!({ "content": [text(&"x".repeat(17 * 1024 * 1024))] }),
        "blocks10001" => {
            let hits = (0..10_000).map(|n| text(&format!("{{\"hit\": {n}}}")));
            json!({ "content": std::iter::once(text("Total results: 10000")).chain(hits).collect::<Vec<_>>() })
        }
        "zero-blocks" => json!({ "content": [] }),
        "csv" => json!({ "content": [text("UserID,UserName,Cursor\nU1,\"a, b\",\nU2,c,next\n")] }),
        "prose-json" => {
            json!({ "content": [text("Search results from logs (JSON format):\n{\"hits\": {\"total\": 2}}")] })
        }
        "double-encoded" => structured(json!({ "result": "{\"issues\": [{\"key\": \"SEC-1\"}]}" })),
        "success-false" => {
            structured(json!({ "success": false, "message": "HTTP 500 from the backend" }))
        }
        "partly-failed" => structured(json!({
            "success": true, "failed_operations": [{ "id": "a", "message": "not found" }],
        })),
        "error-text" => json!({ "content": [text("Error: index_not_found_exception")] }),
        "is-error" => {
            json!({ "isError": true, "content": [text("1 validation error\n  field required\u{1b}[0m")] })
        }
        _ => return None,
    })
}
