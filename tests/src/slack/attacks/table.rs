//! The table of attacks: a name, a way, what must be so before, and what is forged.

use serde_json::{Value, json};

use super::Before::{self, Denied, Dialog, Expired, GroupDown, Open, Rewritten};
use super::Way::{self, Any, Http, Socket};
use super::{Attack, Loot, Shot};
use crate::slack::forge::{form, signature, submit};
use crate::slack::{APP, SIGNING_SECRET, TEAM};

fn set(headers: &mut [(String, String)], name: &str, change: impl Fn(&str) -> String) {
    for (key, value) in headers {
        if key == name {
            *value = change(value);
        }
    }
}

/// `[`, many times: what a parser without a limit dies of.
fn bomb() -> String {
    "[".repeat(100_000)
}

const SIGNATURE: &str = "x-slack-signature";
const TIMESTAMP: &str = "x-slack-request-timestamp";

const fn attack(
    name: &'static str,
    way: Way,
    before: Before,
    forge: fn(&mut Shot, &Loot),
) -> Attack {
    Attack {
        name,
        way,
        before,
        forge,
    }
}

/// Every kind of attack.
pub const ATTACKS: &[Attack] = &[
    // The signature.
    attack("wrong signing secret", Http, Open, |s, _| {
        s.secret = "guessed".to_owned()
    }),
    attack("no signature", Http, Open, |s, _| {
        s.headers = |h| h.retain(|(k, _)| k != SIGNATURE)
    }),
    attack("no time stamp", Http, Open, |s, _| {
        s.headers = |h| h.retain(|(k, _)| k != TIMESTAMP)
    }),
    attack("signature cut short", Http, Open, |s, _| {
        s.headers = |h| set(h, SIGNATURE, |v| v[..v.len() - 2].to_owned());
    }),
    attack("signature of another version", Http, Open, |s, _| {
        s.headers = |h| set(h, SIGNATURE, |v| v.replacen("v0", "v1", 1));
    }),
    attack("two signatures", Http, Open, |s, _| {
        s.headers = |h| h.extend(h.clone().into_iter().filter(|(k, _)| k == SIGNATURE));
    }),
    attack("signature of another body", Http, Open, |s, _| {
        s.headers = |h| {
            let at: i64 = h
                .iter()
                .find(|(k, _)| k == TIMESTAMP)
                .and_then(|(_, v)| v.parse().ok())
                .unwrap_or(0);
            let other = signature(SIGNING_SECRET, at, b"payload=%7B%7D").unwrap_or_default();
            set(h, SIGNATURE, |_| other.clone());
        };
    }),
    attack("time stamp too old", Http, Open, |s, _| s.off = -302),
    attack("time stamp too far ahead", Http, Open, |s, _| s.off = 320),
    attack("time stamp renewed without signing", Http, Open, |s, _| {
        s.off = -4_000;
        s.headers = |h| {
            set(h, TIMESTAMP, |v| {
                (v.parse::<i64>().unwrap_or(0) + 4_000).to_string()
            })
        };
    }),
    // The form of the request.
    attack("JSON instead of a form", Http, Open, |s, _| {
        s.body = Some(s.payload.to_string().into_bytes());
        s.content_type = "application/json".to_owned();
    }),
    attack("form said to be JSON", Http, Open, |s, _| {
        s.content_type = "application/json".to_owned()
    }),
    attack("two payloads", Http, Open, |s, _| {
        let good = form(&s.payload.to_string());
        s.body = Some([b"payload=%7B%7D&".as_slice(), &good].concat());
    }),
    attack("payload under another name", Http, Open, |s, _| {
        s.body = Some([b"x".as_slice(), &form(&s.payload.to_string())].concat());
    }),
    attack("not UTF-8", Http, Open, |s, _| {
        let mut body = form(&s.payload.to_string());
        body.splice(8 + 3..8 + 3, *b"%22x%22:%22%ff%fe%22,");
        s.body = Some(body);
    }),
    attack("body cut short", Http, Open, |s, _| {
        let mut body = form(&s.payload.to_string());
        body.truncate(body.len() / 2);
        s.body = Some(body);
    }),
    attack("huge body", Any, Open, |s, _| {
        s.payload["pad"] = json!("x".repeat(3 << 20))
    }),
    attack("JSON nested without end", Any, Open, |s, _| {
        s.text = Some(bomb())
    }),
    attack("JSON nested beside the click", Any, Open, |s, _| {
        let text = s.payload.to_string();
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        s.text = Some(text.replacen('{', &format!("{{\"pad\":{deep},"), 1));
    }),
    attack("JSON that is no object", Any, Open, |s, _| {
        s.payload = json!([s.payload.clone()])
    }),
    // Where it comes from.
    attack("another workspace", Any, Open, |s, _| {
        s.payload["team"]["id"] = json!("T0000EVIL")
    }),
    attack("no workspace", Any, Open, |s, _| {
        s.payload["team"] = Value::Null
    }),
    attack("another app", Any, Open, |s, _| {
        s.payload["api_app_id"] = json!("A0000EVIL")
    }),
    attack("person of another workspace", Any, Open, |s, _| {
        s.payload["user"]["team_id"] = json!("T0000EVIL");
    }),
    attack("stranger", Any, Open, |s, loot| {
        s.payload["user"]["id"] = json!(loot.stranger)
    }),
    attack("the daemon itself", Any, Open, |s, _| {
        s.payload["user"]["id"] = json!("nightdesk")
    }),
    attack("nobody", Any, Open, |s, _| {
        s.payload["user"] = json!({"team_id": TEAM})
    }),
    attack("group that can't be looked up", Any, GroupDown, |_, _| {}),
    // The message.
    attack("no container", Any, Open, |s, _| {
        s.payload["container"] = Value::Null
    }),
    attack("container that is a dialog", Any, Open, |s, _| {
        s.payload["container"]["type"] = json!("view")
    }),
    attack("message for one person", Any, Open, |s, _| {
        s.payload["container"]["is_ephemeral"] = json!(true)
    }),
    attack("another message", Any, Open, |s, _| {
        s.payload["container"]["message_ts"] = json!("1790000000.999999");
        s.payload["message"]["ts"] = json!("1790000000.999999");
    }),
    attack("two messages at once", Any, Open, |s, _| {
        s.payload["message"]["ts"] = json!("1790000000.999999")
    }),
    attack("another channel", Any, Open, |s, _| {
        s.payload["channel"]["id"] = json!("C0000EVIL");
        s.payload["container"]["channel_id"] = json!("C0000EVIL");
    }),
    attack("card that was written anew", Any, Rewritten, |_, _| {}),
    attack("form of the card that is yet to come", Any, Open, |s, _| {
        let id = s.action()["value"].as_str().unwrap_or_default().to_owned();
        s.action()["block_id"] = json!(format!("apr:{id}:2"));
    }),
    // The button.
    attack("edited value", Any, Open, |s, loot| {
        s.action()["value"] = json!(loot.other.to_string())
    }),
    attack("value with parameters", Any, Open, |s, _| {
        let id = s.action()["value"].as_str().unwrap_or_default().to_owned();
        s.action()["value"] = json!(format!("{{\"id\":{id},\"user\":\"root\"}}"));
    }),
    attack("another question's number", Any, Open, |s, loot| {
        s.action()["value"] = json!(loot.other.to_string());
        s.action()["block_id"] = json!(format!("apr:{}:1", loot.other));
    }),
    attack("number written otherwise", Any, Open, |s, _| {
        let id = s.action()["value"].as_str().unwrap_or_default().to_owned();
        s.action()["value"] = json!(format!("0{id}"));
        s.action()["block_id"] = json!(format!("apr:0{id}:1"));
    }),
    attack("block of another kind", Any, Open, |s, _| {
        let id = s.action()["value"].as_str().unwrap_or_default().to_owned();
        s.action()["block_id"] = json!(format!("bat:{id}:1"));
    }),
    attack("unknown action", Any, Open, |s, _| {
        s.action()["action_id"] = json!("nightdesk_approve_all")
    }),
    attack("action of another kind", Any, Open, |s, _| {
        s.action()["type"] = json!("static_select")
    }),
    attack("button that the card has not", Any, Open, |s, _| {
        s.action()["action_id"] = json!("nightdesk_look")
    }),
    attack("click without a time", Any, Open, |s, _| {
        s.action()["action_ts"] = json!("")
    }),
    attack("two actions in one click", Any, Open, |s, _| {
        let action = s.action().clone();
        s.payload["actions"] = json!([action.clone(), action]);
    }),
    attack("no action at all", Any, Open, |s, _| {
        s.payload["actions"] = json!([])
    }),
    attack("interaction of another kind", Any, Open, |s, _| {
        s.payload["type"] = json!("message_action")
    }),
    // Time and repetition.
    attack("question that has run out", Any, Expired, |_, _| {}),
    attack("question that was denied", Any, Denied, |_, _| {}),
    attack("denied, and sent many times", Any, Denied, |s, _| {
        s.times = 8
    }),
    // Dialogs.
    attack("submission without a dialog", Any, Open, |s, _| {
        s.payload = submission("", "because I say so", "U00000ANA");
    }),
    attack(
        "submission with the question's number",
        Any,
        Open,
        |s, _| {
            let id = s.action()["value"].as_str().unwrap_or_default().to_owned();
            s.payload = submission(&id, "because I say so", "U00000ANA");
        },
    ),
    attack("edited private_metadata", Any, Dialog, |s, loot| {
        s.payload["view"]["private_metadata"] = json!(loot.other.to_string());
    }),
    attack("dialog of another person", Any, Dialog, |s, loot| {
        s.payload["user"]["id"] = json!(loot.stranger)
    }),
    attack("dialog under another name", Any, Dialog, |s, _| {
        s.payload["view"]["callback_id"] = json!("nightdesk_feedback");
    }),
    attack("over-long reason", Any, Dialog, |s, _| {
        reason(s, &"é".repeat(501))
    }),
    attack("empty reason", Any, Dialog, |s, _| {
        reason(s, " \u{200b}\n ")
    }),
    attack("no reason", Any, Dialog, |s, _| {
        s.payload["view"]["state"] = json!({"values": {}})
    }),
    // What is no answer whatever it says.
    attack("approval by reaction", Socket, Open, |s, _| {
        s.envelope = "events_api".to_owned();
        s.payload = json!({"type": "event_callback", "team_id": TEAM, "api_app_id": APP, "event": {"type": "reaction_added",
            "user": "U00000ANA", "reaction": "white_check_mark", "item": {"type": "message"}}});
    }),
    attack("approval by slash command", Socket, Open, |s, _| {
        s.envelope = "slash_commands".to_owned();
        s.payload = json!({"command": "/approve", "text": "1", "user_id": "U00000ANA", "team_id": TEAM, "api_app_id": APP});
    }),
    attack("click as another kind of envelope", Socket, Open, |s, _| {
        s.envelope = "events_api".to_owned()
    }),
];

fn submission(opened: &str, text: &str, user: &str) -> Value {
    let view = json!({"callback_id": "nightdesk_reason", "private_metadata": opened});
    submit(&view, user, text, None)
}

fn reason(shot: &mut Shot, text: &str) {
    shot.payload["view"]["state"]["values"]["nightdesk_note"]["nightdesk_note"]["value"] =
        json!(text);
}
