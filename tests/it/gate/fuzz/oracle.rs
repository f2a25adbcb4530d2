//! What may reach the servers of `tests/data/gate`, written down by hand: nothing of the gate is called here.

use serde_json::{Map, Value, json};
use state::model::Tier;
use tests::ledger::Sent;

use super::wishes::{Case, Chosen, Wish};

/// Longest arguments, bytes of JSON.
const LARGEST: usize = 64 * 1024;

/// Arguments that the daemon fills in, whatever is asked.
const FILLED_IN: [&str; 2] = ["as_of", "idempotency_key"];

/// What may come of a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// Nothing.
    Nothing,
    /// A reading call inside the house.
    Read,
    /// A reading call outside the house, unless a secret was read.
    Ask,
    /// It is sent without a person, once for the case.
    Raise,
    /// It is sent when one of the approvers has said so for exactly this.
    Approved,
}

/// Rules on a wish.
pub(super) fn may(wish: &Wish, case: &Case) -> May {
    let tool = wish.tool.as_str();
    let may = match (wish.acts, tool) {
        (false, "siem.search" | "idp.get_user") => May::Read,
        (false, "siem.raw_events") if wish.tier == Tier::Three => May::Read,
        (false, "vault.read_note") if wish.tier != Tier::One => May::Read,
        (false, "intel.lookup" | "intel.lookup_many") if wish.tier != Tier::One => May::Ask,
        (true, "ticketing.open") => May::Raise,
        (true, "idp.reset" | "idp.mute" | "idp.suspend" | "idp.simulate") => May::Approved,
        _ => May::Nothing,
    };
    let allowed = fits(tool, &wish.arguments)
        && match may {
            May::Nothing => false,
            May::Read | May::Raise => true,
            May::Ask => wish.chosen_by_us() || said(&wish.arguments).all(|v| case.knows(v)),
            May::Approved => wish.chosen != Chosen::Model && on_the_right_one(wish, case),
        };
    if allowed { may } else { May::Nothing }
}

/// Allowlisted, not protected, of this case's trusted fields, and the one that the arguments name.
fn on_the_right_one(wish: &Wish, case: &Case) -> bool {
    let target = wish.target.as_str();
    let plain = target.to_ascii_lowercase();
    let listed = match wish.tool.as_str() {
        "idp.simulate" => plain.starts_with("kim"),
        _ => plain.starts_with("kim1") || plain.starts_with("kim2"),
    };
    wish.arguments.get("user").and_then(Value::as_str) == Some(target)
        && [&case.user, &case.other]
            .iter()
            .any(|e| spelled_as(target, e))
        && listed
        && plain != "kim13@corp.example"
}

/// Word for word, or in lower case: any other spelling may be somebody else, or carry something out.
fn spelled_as(value: &str, entity: &str) -> bool {
    value == entity || value == entity.to_ascii_lowercase()
}

impl Case {
    fn knows(&self, value: &Value) -> bool {
        let known = [&self.user, &self.other, &self.address];
        match value {
            Value::String(text) => known.iter().any(|k| spelled_as(text, k)),
            Value::Bool(_) | Value::Null => true,
            _ => false,
        }
    }
}

impl Wish {
    fn chosen_by_us(&self) -> bool {
        matches!(self.chosen, Chosen::Trusted | Chosen::Daemon)
    }
}

/// The single values of the arguments, lists opened.
fn said(arguments: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    arguments.values().flat_map(|v| match v {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    })
}

type Check = fn(&Value) -> bool;

/// The arguments of each tool: name, whether it must be there, and what it may be.
fn form(tool: &str) -> &'static [(&'static str, bool, Check)] {
    const USER: (&str, bool, Check) = ("user", true, |v| text(v, 3, 120));
    match tool {
        "siem.search" => &[
            ("query", true, |v| text(v, 1, 200)),
            ("limit", false, |v| whole(v, 1, 50)),
            ("fields", false, |v| {
                let known =
                    |v: &Value| matches!(v.as_str(), Some("time" | "user" | "address" | "action"));
                let unique =
                    |l: &Vec<Value>| l.iter().enumerate().all(|(i, v)| !l[..i].contains(v));
                v.as_array()
                    .is_some_and(|l| l.len() <= 4 && l.iter().all(known) && unique(l))
            }),
            ("as_of", false, |_| true),
        ],
        "siem.raw_events" => &[("ids", true, |v| texts(v, 20, 40))],
        "idp.get_user" | "idp.suspend" => &[USER],
        "idp.reset" => &[USER, ("notify", false, Value::is_boolean)],
        "idp.mute" => &[USER, ("hours", true, |v| whole(v, 1, 24))],
        "idp.simulate" => &[
            USER,
            ("technique", true, |v| {
                matches!(v.as_str(), Some("T1078" | "T1110"))
            }),
            ("how", false, |v| v == "once" || whole(v, 1, 3)),
        ],
        "vault.read_note" => &[("note", true, |v| v == "on-call-2")],
        "intel.lookup" => &[("value", true, |v| text(v, 0, 256))],
        "intel.lookup_many" => &[
            ("values", true, |v| texts(v, 10, 256)),
            ("fresh", false, |v| v.is_boolean() || v.is_null()),
        ],
        "ticketing.open" => &[
            ("title", true, |v| text(v, 0, 200)),
            ("body", true, Value::is_string),
            ("severity", true, |v| {
                matches!(v.as_str(), Some("low" | "medium" | "high"))
            }),
            ("case_id", false, |v| text(v, 0, 20)),
            ("idempotency_key", false, |_| true),
        ],
        _ => &[],
    }
}

fn fits(tool: &str, arguments: &Map<String, Value>) -> bool {
    let form = form(tool);
    let known = |key: &String| form.iter().any(|(name, ..)| name == key);
    let as_asked = |(name, must, check): &(&str, bool, Check)| match arguments.get(*name) {
        Some(value) => check(value),
        None => !must,
    };
    let mut ours = arguments.clone();
    ours.retain(|name, _| !FILLED_IN.contains(&name.as_str()));
    !form.is_empty()
        && arguments.keys().all(known)
        && form.iter().all(as_asked)
        && Value::Object(ours).to_string().len() <= LARGEST
}

fn text(value: &Value, least: usize, most: usize) -> bool {
    let length = value.as_str().map(|t| t.chars().count());
    length.is_some_and(|n| (least..=most).contains(&n))
}

fn whole(value: &Value, least: i64, most: i64) -> bool {
    let number = value.as_f64().filter(|n| n.fract() == 0.0);
    number.is_some_and(|n| n >= least as f64 && n <= most as f64)
}

fn texts(value: &Value, most: usize, longest: usize) -> bool {
    value
        .as_array()
        .is_some_and(|l| (1..=most).contains(&l.len()) && l.iter().all(|v| text(v, 0, longest)))
}

/// Whether a call is what was wished, but for what the daemon fills in itself.
pub(super) fn same(wish: &Wish, call: &Sent) -> bool {
    let mut wished = wish.arguments.clone();
    let mut sent = call.arguments.as_object().unwrap().clone();
    if call.tool == "siem.search" {
        wished.shift_remove("as_of");
        assert_eq!(
            sent.shift_remove("as_of"),
            Some(json!("2026-03-02T11:00:00.000Z")),
            "{call:?}"
        );
    }
    if call.tool == "ticketing.open" {
        wished.shift_remove("idempotency_key");
        let key = sent.shift_remove("idempotency_key").unwrap_or_default();
        let ours = key.as_str().is_some_and(|k| k.starts_with("nightdesk-ND-"));
        assert!(ours, "{call:?}");
    }
    wished == sent
}
