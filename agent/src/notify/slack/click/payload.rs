//! The JSON of an interaction, read strictly: what contradicts itself, or has more or less than ours, is unreadable.

use serde::Deserialize;
use serde_json::Value;

use super::super::modal::{FEEDBACK, NOTE, REASON, VERDICT};
use super::{Click, Interaction, Press, Subject, Submission, Unreadable, Who};

#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "type")]
    kind: String,
    team: Option<Id>,
    user: Option<User>,
    api_app_id: Option<String>,
    container: Option<Container>,
    channel: Option<Id>,
    message: Option<Message>,
    #[serde(default)]
    trigger_id: String,
    #[serde(default)]
    actions: Vec<Action>,
    view: Option<View>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct User {
    id: String,
    #[serde(default)]
    team_id: String,
}

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    message_ts: String,
    #[serde(default)]
    channel_id: String,
    #[serde(default)]
    is_ephemeral: bool,
}

#[derive(Deserialize)]
struct Message {
    ts: String,
}

#[derive(Deserialize)]
struct Action {
    action_id: String,
    block_id: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    value: String,
    #[serde(default)]
    action_ts: String,
}

#[derive(Deserialize)]
struct View {
    callback_id: String,
    #[serde(default)]
    private_metadata: String,
    state: Option<ViewState>,
}

#[derive(Deserialize)]
struct ViewState {
    values: std::collections::HashMap<String, std::collections::HashMap<String, Typed>>,
}

#[derive(Deserialize)]
struct Typed {
    value: Option<String>,
    selected_option: Option<Chosen>,
}

#[derive(Deserialize)]
struct Chosen {
    value: String,
}

/// Reads an interaction.
///
/// # Errors
/// [`Unreadable`]; it does nothing then.
pub(in super::super) fn read(payload: Value) -> Result<Interaction, Unreadable> {
    let payload: Payload = serde_json::from_value(payload).map_err(|_| Unreadable {
        why: "it is not an interaction of slack's",
        from: None,
    })?;
    let from = from(&payload);
    let refused = |why| Unreadable {
        why,
        from: from.clone(),
    };
    let known = from
        .clone()
        .ok_or_else(|| refused("it does not say who sent it from which workspace and app"))?;
    match payload.kind.as_str() {
        "block_actions" => click(payload, known)
            .map(|c| Interaction::Click(Box::new(c)))
            .map_err(refused),
        "view_submission" => submission(payload, known)
            .map(|s| Interaction::Submission(Box::new(s)))
            .map_err(refused),
        "view_closed" => Ok(Interaction::Idle),
        _ => Err(refused("it is of a kind that the app has not asked for")),
    }
}

fn from(payload: &Payload) -> Option<Who> {
    let user = payload.user.as_ref()?;
    Some(Who {
        team: payload.team.as_ref()?.id.clone(),
        app: payload.api_app_id.clone()?,
        user: user.id.clone(),
        user_team: user.team_id.clone(),
    })
}

fn click(payload: Payload, from: Who) -> Result<Click, &'static str> {
    let container = payload
        .container
        .filter(|c| c.kind == "message" && !c.is_ephemeral)
        .ok_or("it comes from no message")?;
    let channel = payload.channel.ok_or("it comes from no channel")?.id;
    let elsewhere = payload
        .message
        .is_some_and(|m| m.ts != container.message_ts);
    if elsewhere || channel != container.channel_id || container.message_ts.is_empty() {
        return Err("it contradicts itself about the message it comes from");
    }
    let mut actions = payload.actions;
    let (Some(action), true) = (actions.pop(), actions.is_empty()) else {
        return Err("it is not exactly one click");
    };
    let press = Press::ALL
        .into_iter()
        .find(|p| p.as_str() == action.action_id && action.kind == "button")
        .ok_or("it is about no button of ours")?;
    let (subject, rev) = Subject::read(&action.block_id).ok_or("its block is none of ours")?;
    if action.action_ts.is_empty() {
        return Err("it does not say when it was clicked");
    }
    if action.value != subject.id().to_string() {
        return Err("its value is not the number that its block is about");
    }
    if !press.is_about(subject) {
        return Err("no card has such a button");
    }
    Ok(Click {
        from,
        channel,
        message_ts: container.message_ts,
        trigger: payload.trigger_id,
        press,
        subject,
        rev,
        action_ts: action.action_ts,
    })
}

fn submission(payload: Payload, from: Who) -> Result<Submission, &'static str> {
    let view = payload.view.ok_or("it comes from no dialog")?;
    if view.callback_id != REASON && view.callback_id != FEEDBACK {
        return Err("it comes from no dialog of ours");
    }
    let mut values = view.state.map(|s| s.values).unwrap_or_default();
    let mut typed = |block: &str| values.remove(block)?.remove(block);
    let text = typed(NOTE).and_then(|t| t.value).unwrap_or_default();
    let verdict = match typed(VERDICT).and_then(|t| t.selected_option) {
        Some(chosen) => Some(chosen.value.parse().map_err(|_| "it names no verdict")?),
        None => None,
    };
    Ok(Submission {
        from,
        dialog: view.callback_id,
        opened: view.private_metadata,
        text,
        verdict,
    })
}
