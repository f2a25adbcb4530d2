//! A product that keeps alerts, their statuses and comments in a file, so that a test can play the person there; it decides nothing.
//!
//! `SCRIPTED_DIR` is its folder: `state.json` is what it keeps; while a file `hold` is there, a change is made and not answered.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

/// What it offers.
pub(crate) fn tools() -> Value {
    let tool = |name: &str, properties: Value, required: Value| {
        json!({ "name": name, "description": format!("does {name}"),
            "inputSchema": { "type": "object", "properties": properties, "required": required } })
    };
    let text = json!({ "type": "string" });
    json!([
        tool(
            "get_alert",
            json!({ "alert_id": text }),
            json!(["alert_id"])
        ),
        tool(
            "list_alert_comments",
            json!({ "alert_id": text }),
            json!(["alert_id"])
        ),
        tool(
            "add_alert_comment",
            json!({ "alert_id": text, "comment": text }),
            json!(["alert_id", "comment"])
        ),
        tool(
            "update_alert_status",
            json!({ "alert_ids": { "type": "array", "items": text }, "status": text, "version": { "type": "integer" } }),
            json!(["alert_ids", "status"])
        ),
    ])
}

fn dir() -> PathBuf {
    std::env::var_os("SCRIPTED_DIR").unwrap_or_default().into()
}

fn state() -> io::Result<Value> {
    match std::fs::read_to_string(dir().join("state.json")) {
        Ok(text) => Ok(serde_json::from_str(&text)?),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(json!({})),
        Err(e) => Err(e),
    }
}

fn keep(state: &Value) -> io::Result<()> {
    let new = dir().join("state.new");
    std::fs::write(&new, state.to_string())?;
    std::fs::rename(new, dir().join("state.json"))?;
    if dir().join("hold").exists() {
        std::fs::write(dir().join("held"), std::process::id().to_string())?;
    }
    while dir().join("hold").exists() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn alert<'s>(state: &'s mut Value, id: &str) -> &'s mut Value {
    if state[id].is_null() {
        state[id] = json!({ "status": "OPEN", "version": 1, "comments": [] });
    }
    &mut state[id]
}

/// The `CallToolResult` of one call.
pub(crate) fn call(name: &str, arguments: &Value) -> io::Result<Value> {
    let mut state = state()?;
    let id = arguments["alert_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let answer = match name {
        "get_alert" => json!({ "success": true, "alert": alert(&mut state, &id) }),
        "list_alert_comments" => {
            json!({ "success": true, "comments": alert(&mut state, &id)["comments"] })
        }
        "add_alert_comment" => {
            let comment = json!({ "body": arguments["comment"] });
            let comments = &mut alert(&mut state, &id)["comments"];
            if let Some(comments) = comments.as_array_mut() {
                comments.push(comment);
            }
            keep(&state)?;
            json!({ "success": true })
        }
        _ => {
            let ids = arguments["alert_ids"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            for id in ids.iter().filter_map(Value::as_str) {
                let alert = alert(&mut state, id);
                let version = alert["version"].as_i64().unwrap_or(1);
                if arguments["version"].as_i64().is_some_and(|v| v != version) {
                    return Ok(
                        json!({ "isError": true, "content": [{ "type": "text", "text": "version conflict" }] }),
                    );
                }
                alert["status"] = arguments["status"].clone();
                alert["version"] = json!(version + 1);
            }
            keep(&state)?;
            json!({ "success": true })
        }
    };
    let text = json!([{ "type": "text", "text": answer.to_string() }]);
    Ok(json!({ "content": text, "structuredContent": answer }))
}
