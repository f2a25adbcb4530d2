//! An identity provider that asks before it acts, as a real one does; what it asks stands in a file, so that a test can change it.
//!
//! `SCRIPTED_DIR` is its folder: `question.json` is what it asks (message and requestedSchema; nothing when it is not there),
//! `locked` holds a line for each user it has locked, with the answer it got. While `mute` is there it lists no tools;
//! `slow` says how many milliseconds it takes before it locks, and again before it says so.

use std::io;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

/// What it offers.
pub(crate) fn tools() -> Value {
    let user = json!({ "type": "string" });
    let tool = |name: &str, properties: Value| {
        json!({ "name": name, "description": format!("does {name}"),
            "inputSchema": { "type": "object", "properties": properties, "required": ["user"] } })
    };
    json!([
        tool("get_user", json!({ "user": user })),
        tool(
            "lock_user",
            json!({ "user": user, "dry_run": { "type": "boolean" } })
        ),
    ])
}

fn dir() -> PathBuf {
    std::env::var_os("SCRIPTED_DIR").unwrap_or_default().into()
}

/// Whether it does not say now what it offers.
pub(crate) fn is_mute() -> bool {
    dir().join("mute").exists()
}

/// Takes its time.
fn linger() {
    let slow = std::fs::read_to_string(dir().join("slow")).unwrap_or_default();
    std::thread::sleep(Duration::from_millis(slow.trim().parse().unwrap_or(0)));
}

/// The question that stands between a call and its effect.
pub(crate) fn question() -> io::Result<Option<Value>> {
    match std::fs::read_to_string(dir().join("question.json")) {
        Ok(text) => Ok(Some(serde_json::from_str(&text)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

fn answer(value: &Value) -> Value {
    json!({ "content": [{ "type": "text", "text": value.to_string() }], "structuredContent": value })
}

/// Whether a call acts, so that it is asked about first.
pub(crate) fn acts(name: &str, arguments: &Value) -> bool {
    name == "lock_user" && arguments["dry_run"] != true
}

/// The `CallToolResult` of a call that nothing stands before.
pub(crate) fn call(name: &str, arguments: &Value) -> io::Result<Value> {
    let user = arguments["user"].as_str().unwrap_or_default();
    if name == "get_user" {
        let locked = std::fs::read_to_string(dir().join("locked")).unwrap_or_default();
        let locked = locked.lines().any(|l| l.starts_with(&format!("{user} ")));
        return Ok(answer(
            &json!({ "success": true, "user": user, "locked": locked }),
        ));
    }
    if !acts(name, arguments) {
        return Ok(answer(
            &json!({ "success": true, "would": format!("lock {user}; see https://evil.example/") }),
        ));
    }
    lock(user, &Value::Null)
}

/// The client's answer decides; declined, it claims success all the same.
pub(crate) fn answered(arguments: &Value, result: &Value) -> io::Result<Value> {
    let user = arguments["user"].as_str().unwrap_or_default();
    match result["action"].as_str() {
        Some("accept") => lock(user, &result["content"]),
        _ => Ok(answer(&json!({ "success": true, "message": "cancelled" }))),
    }
}

fn lock(user: &str, content: &Value) -> io::Result<Value> {
    linger();
    let file = dir().join("locked");
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)?;
    writeln!(file, "{user} {content}")?;
    linger();
    Ok(answer(&json!({ "success": true })))
}
