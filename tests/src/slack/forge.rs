//! Interactions as Slack sends them, from what the fake keeps: clicks, submissions, and the signed request around them.

use anyhow::Context as _;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{APP, Message, TEAM};

/// All words of blocks, for looking at.
#[must_use]
pub fn words(value: &Value) -> String {
    let mut out = Vec::new();
    gather(value, &mut out);
    out.join(" ")
}

fn gather(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| gather(v, out)),
        Value::Object(map) => {
            for (key, inner) in map {
                match (key.as_str(), inner.as_str()) {
                    ("text" | "user_id" | "usergroup_id" | "fallback" | "range", Some(text)) => {
                        out.push(text.to_owned());
                    }
                    _ => gather(inner, out),
                }
            }
        }
        _ => {}
    }
}

/// The buttons of a message: block, action and value.
#[must_use]
pub fn buttons(message: &Message) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for block in message.blocks.as_array().into_iter().flatten() {
        for element in block["elements"].as_array().into_iter().flatten() {
            if element["type"] == "button" {
                let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
                found.push((
                    text(&block["block_id"]),
                    text(&element["action_id"]),
                    text(&element["value"]),
                ));
            }
        }
    }
    found
}

/// A click of a user on the first button of this action; `n` tells one click from another.
///
/// # Errors
/// The message has no such button.
pub fn click(message: &Message, action: &str, user: &str, n: u64) -> anyhow::Result<Value> {
    let found = buttons(message).into_iter().find(|(_, a, _)| a == action);
    let (block, action, value) =
        found.with_context(|| format!("no button {action} on {}", words(&message.blocks)))?;
    Ok(json!({
        "type": "block_actions",
        "user": {"id": user, "username": "someone", "name": "someone", "team_id": TEAM},
        "api_app_id": APP,
        "token": "not-looked-at",
        "container": {"type": "message", "message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": false},
        "trigger_id": format!("{n}.trigger.{user}"),
        "team": {"id": TEAM, "domain": "example"},
        "enterprise": null,
        "is_enterprise_install": false,
        "channel": {"id": message.channel, "name": "soc"},
        "message": {"type": "message", "bot_id": "B00000BOT", "text": message.text, "ts": message.ts, "blocks": message.blocks},
        "state": {"values": {}},
        "response_url": "https://hooks.slack.com/actions/not/used",
        "actions": [{
            "action_id": action,
            "block_id": block,
            "text": {"type": "plain_text", "text": "x"},
            "value": value,
            "type": "button",
            "action_ts": format!("1790000001.{n:06}"),
        }],
    }))
}

/// A dialog submitted by a user, with a text and, where it asks for one, a verdict.
#[must_use]
pub fn submit(view: &Value, user: &str, text: &str, verdict: Option<&str>) -> Value {
    let mut values =
        json!({"nightdesk_note": {"nightdesk_note": {"type": "plain_text_input", "value": text}}});
    if let Some(verdict) = verdict {
        values["nightdesk_verdict"] = json!({"nightdesk_verdict": {"type": "static_select",
            "selected_option": {"text": {"type": "plain_text", "text": "x"}, "value": verdict}}});
    }
    json!({
        "type": "view_submission",
        "team": {"id": TEAM, "domain": "example"},
        "user": {"id": user, "username": "someone", "team_id": TEAM},
        "api_app_id": APP,
        "trigger_id": "1.2.3",
        "view": {
            "id": "V00000001",
            "team_id": TEAM,
            "type": "modal",
            "callback_id": view["callback_id"],
            "private_metadata": view["private_metadata"],
            "hash": "1.a",
            "state": {"values": values},
            "app_id": APP,
        },
        "response_urls": [],
    })
}

/// The body of the HTTP request that carries an interaction.
#[must_use]
pub fn form(payload: &str) -> Vec<u8> {
    let mut body = b"payload=".to_vec();
    for byte in payload.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => body.push(byte),
            b' ' => body.push(b'+'),
            _ => body.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    body
}

/// Slack's signature of a body.
///
/// # Errors
/// None for any secret.
pub fn signature(secret: &str, at: i64, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(format!("v0:{at}:").as_bytes());
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    Ok(format!("v0={hex}"))
}
