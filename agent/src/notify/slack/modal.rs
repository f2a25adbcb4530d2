//! Dialogs: how they look, and which openings are still good, once each and for whom alone; what follows is `clicks`'s.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use serde_json::{Value, json};
use state::model::{Time, VerdictKind};

use super::block::Plain;
use super::click::{Click, MAX_REASON, Press};

/// `callback_id` of the dialog that asks for a reason.
pub const REASON: &str = "nightdesk_reason";
/// `callback_id` of the dialog that asks for the right verdict.
pub const FEEDBACK: &str = "nightdesk_feedback";
/// Block and action of the text.
pub const NOTE: &str = "nightdesk_note";
/// Block and action of the verdict.
pub const VERDICT: &str = "nightdesk_verdict";

/// Most characters, once escaped, of what is answered: five hundred of an outsider's, whatever they are.
const ABOUT: usize = 2_600;

/// How long a dialog may stay open, and how many are kept in mind.
const OPEN_FOR: TimeDelta = TimeDelta::minutes(30);
const MOST: usize = 1_000;

/// Dialogs that are open. A restart forgets them: the button is pressed again then.
#[derive(Default)]
pub(super) struct Modals(Mutex<VecDeque<Opened>>);

/// One opening of a dialog.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// What nobody can guess: `private_metadata`.
    pub(super) key: String,
    pub(super) click: Click,
    pub(super) at: Time,
}

impl Modals {
    pub(super) fn open(&self, opened: Opened) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|o| opened.at - o.at < OPEN_FOR);
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back(opened);
    }

    /// The opening that a submission belongs to; it stays open until [`Self::close`].
    pub(super) fn find(&self, key: &str, user: &str, now: Time) -> Option<Opened> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all
            .iter()
            .find(|o| o.key == key && o.click.from.user == user && now - o.at < OPEN_FOR);
        found.cloned()
    }

    /// Uses an opening up; whether it was still open.
    pub(super) fn close(&self, key: &str) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.len();
        all.retain(|o| o.key != key);
        all.len() < before
    }
}

/// Which dialog a button opens.
pub(super) fn dialog(press: Press) -> &'static str {
    match press {
        Press::Wrong => FEEDBACK,
        _ => REASON,
    }
}

/// A dialog as Slack wants it. `about` is one line on what is answered and may hold outside text.
pub(super) fn view(press: Press, about: &str, key: &str) -> Value {
    let (title, submit) = match press {
        Press::Approve => ("Approve: why?", "Approve"),
        Press::Deny => ("Deny: why?", "Deny"),
        _ => ("Which verdict is right?", "Send"),
    };
    let plain = |text: &str, most| json!(Plain::outside(text, most));
    let mut blocks = vec![json!({"type": "section", "text": plain(about, ABOUT)})];
    if press == Press::Wrong {
        blocks.push(verdicts());
    }
    blocks.push(json!({
        "type": "input",
        "block_id": NOTE,
        "optional": press == Press::Wrong,
        "label": plain(if press == Press::Wrong { "Note" } else { "Reason" }, 75),
        "element": {
            "type": "plain_text_input",
            "action_id": NOTE,
            "multiline": true,
            "max_length": MAX_REASON,
        },
    }));
    json!({
        "type": "modal",
        "callback_id": dialog(press),
        "private_metadata": key,
        "title": plain(title, 24),
        "submit": plain(submit, 24),
        "close": plain("Back", 24),
        "blocks": blocks,
    })
}

fn verdicts() -> Value {
    let plain = |text: &str| json!(Plain::outside(text, 75));
    let option = |kind: &VerdictKind| json!({"text": plain(&kind.as_str().replace('_', " ")), "value": kind.as_str()});
    let options: Vec<Value> = VerdictKind::ALL.iter().map(option).collect();
    json!({
        "type": "input",
        "block_id": VERDICT,
        "label": plain("Verdict"),
        "element": {"type": "static_select", "action_id": VERDICT, "options": options},
    })
}
