//! Fuzzed wishes: what a model, a playbook or a broken room might ask of the gate for one case; what may come of it is
//! `oracle`'s.

use serde_json::{Map, Value, json};
use state::model::Tier;
use tests::draw::Draw;

/// Who chose the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// A model.
    Model,
    /// A playbook, all from outsiders' text.
    Untrusted,
    /// A playbook, all from trusted fields.
    Trusted,
    /// The daemon.
    Daemon,
}

/// A wish to read or to act.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    /// Whether it goes the way of effects.
    pub(super) acts: bool,
    /// `server.tool`, or anything.
    pub(super) tool: String,
    pub(super) arguments: Map<String, Value>,
    /// Entity it claims to be for.
    pub(super) target: String,
    pub(super) tier: Tier,
    pub(super) chosen: Chosen,
    /// Whether nothing was done to it: then it should get through where its case allows it.
    pub(super) plain: bool,
}

/// Who and what the alert of a case is about.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Who acted; trusted.
    pub(super) user: String,
    /// Whom it was done to; trusted.
    pub(super) other: String,
    /// Where from; trusted.
    pub(super) address: String,
    /// Somebody whom only the user agent names.
    pub(super) named: String,
}

impl Case {
    /// Number `n`, of people no two neighbours share.
    pub(super) fn number(n: usize, draw: &Draw) -> Self {
        let kim = |k: usize| format!("Kim{k}@corp.example");
        Self {
            user: kim(10 + draw.below(15)),
            other: kim(25 + draw.below(10)),
            address: format!("192.0.2.{}", 1 + n % 250),
            named: kim(40 + draw.below(10)),
        }
    }

    /// The alert as the product writes it.
    pub(super) fn alert(&self, n: usize) -> Value {
        let at = "2026-03-02T11:00:00.000Z";
        let event = json!({"uuid": format!("e{n}"), "published": at, "eventType": "user.session.start",
            "displayMessage": "User login to Okta", "outcome": {"result": "SUCCESS"}, "severity": "INFO",
            "actor": {"id": format!("u{n}"), "type": "User", "alternateId": self.user},
            "client": {"ipAddress": self.address, "userAgent": {"rawUserAgent": format!("Mozilla/5.0 {}", self.named)}},
            "target": [{"type": "User", "alternateId": self.other}]});
        json!({"id": format!("alert-{n}"), "rule_id": "fuzz", "title": "Sign-in", "severity": "High",
            "created_at": at, "log_types": ["Okta.SystemLog"], "events": [event]})
    }
}

/// Reading tools and what is asked of them; `$user` and so on stand for the case's.
const READS: [(&str, &str); 8] = [
    ("siem.search", r#"{"query": "$user", "limit": 20}"#),
    (
        "siem.search",
        r#"{"query": "sign-in", "fields": ["time", "user"]}"#,
    ),
    ("siem.raw_events", r#"{"ids": ["e1", "e2"]}"#),
    ("idp.get_user", r#"{"user": "$user"}"#),
    ("vault.read_note", r#"{"note": "on-call-2"}"#),
    ("intel.lookup", r#"{"value": "$address"}"#),
    ("intel.lookup", r#"{"value": "$user"}"#),
    (
        "intel.lookup_many",
        r#"{"values": ["$address", "$other"], "fresh": true}"#,
    ),
];

/// Tools that change something.
const ACTS: [(&str, &str); 6] = [
    (
        "ticketing.open",
        r#"{"title": "Sign-in of $user", "body": "see the case", "severity": "high"}"#,
    ),
    ("idp.reset", r#"{"user": "$user", "notify": true}"#),
    ("idp.mute", r#"{"user": "$user", "hours": 4}"#),
    ("idp.suspend", r#"{"user": "$user"}"#),
    ("idp.suspend", r#"{"user": "$other"}"#),
    (
        "idp.simulate",
        r#"{"user": "$user", "technique": "T1078", "how": "once"}"#,
    ),
];

/// Tools that nobody may use whatever the arguments.
const BARRED: [&str; 7] = [
    "siem.export",
    "siem.drop_table",
    "idp.erase",
    "idp.purge",
    "idp.forget",
    "idp.delete_everything",
    "os.run",
];

/// The next wish; one in four is as it should be.
pub(super) fn wish(case: &Case, draw: &Draw) -> Wish {
    let acts = draw.percent(50);
    let (tool, arguments) = *draw.of_these(if acts { &ACTS[..] } else { &READS[..] });
    let text = arguments
        .replace("$user", &case.user)
        .replace("$other", &case.other)
        .replace("$address", &case.address);
    let arguments: Map<String, Value> = serde_json::from_str(&text).unwrap();
    let named = arguments.get("user").and_then(Value::as_str);
    let target = named.filter(|_| acts).unwrap_or_default().to_owned();
    let mut wish = Wish {
        acts,
        tool: tool.to_owned(),
        arguments,
        target,
        tier: *draw.of_these(&Tier::ALL),
        chosen: *draw.of_these(&[
            Chosen::Model,
            Chosen::Untrusted,
            Chosen::Trusted,
            Chosen::Daemon,
        ]),
        plain: draw.percent(25),
    };
    if !wish.plain {
        for _ in 0..=draw.below(2) {
            bend(&mut wish, case, draw);
        }
    }
    wish
}

/// One thing wrong with a wish, or at least odd.
fn bend(wish: &mut Wish, case: &Case, draw: &Draw) {
    match draw.below(8) {
        0 => wish.tool = name(&wish.tool, draw),
        1 => wish.tool = (*draw.of_these(&BARRED)).to_owned(),
        2 => wish.acts = !wish.acts,
        3 => {
            // A value of another kind where one stood, or one more.
            let key = key(wish, draw);
            let value = odd(case, draw);
            wish.arguments.insert(key, value);
        }
        4 => {
            let key = key(wish, draw);
            wish.arguments.shift_remove(&key);
        }
        5 => {
            // Target and argument say different things.
            wish.target = who(case, draw);
        }
        _ => {
            let who = who(case, draw);
            for key in ["user", "value", "query"] {
                if let Some(value) = wish.arguments.get_mut(key) {
                    *value = json!(who);
                }
            }
            if let Some(Value::Array(values)) = wish.arguments.get_mut("values") {
                values.push(json!(who));
            }
            if wish.acts {
                wish.target = who;
            }
        }
    }
}

fn key(wish: &Wish, draw: &Draw) -> String {
    let mut keys: Vec<String> = wish.arguments.keys().cloned().collect();
    keys.extend(
        [
            "as_of",
            "idempotency_key",
            "force",
            "user\u{200b}",
            "User",
            "technique",
            "__proto__",
        ]
        .map(str::to_owned),
    );
    draw.of_these(&keys).clone()
}

/// A name near a real one, or none at all.
fn name(tool: &str, draw: &Draw) -> String {
    let (server, own) = tool.split_once('.').unwrap_or((tool, ""));
    match draw.below(16) {
        0 => tool.to_uppercase(),
        1 => tool.replace('e', "\u{435}"),
        2 => format!("{server}.\u{200b}{own}"),
        3 => format!("{tool}\u{200d}"),
        4 => format!("{server}..{own}"),
        5 => format!("{own}.{server}"),
        6 => format!(" {tool}"),
        7 => format!("{tool}\n"),
        8 => format!("{tool}\0"),
        9 => own.to_owned(),
        10 => String::new(),
        11 => tool.repeat(20_000),
        12 => format!("{server}.{own}.{own}"),
        13 => format!("{server}/{own}"),
        14 => tool.chars().rev().collect(),
        _ => format!("\u{202e}{tool}\u{202c}"),
    }
}

/// Somebody or something to act on or to ask about.
fn who(case: &Case, draw: &Draw) -> String {
    let user = &case.user;
    match draw.below(16) {
        0 => case.other.clone(),
        1 => case.named.clone(),
        2 => case.address.clone(),
        3 => user.to_lowercase(),
        4 => user.to_uppercase(),
        5 => user.replace('K', "\u{212a}"),
        6 => format!("{user} "),
        7 => format!("\u{2003}{user}\t\n \t"),
        8 => format!("{user}\u{200b}"),
        9 => user.replace('m', "\u{43c}"),
        10 => format!("{user},{}", case.named),
        11 => "*".to_owned(),
        12 => "kim13@corp.example".to_owned(),
        13 => "admin@corp.example".to_owned(),
        14 => user[..user.len() - 1].to_owned(),
        _ => String::new(),
    }
}

/// A value that does not belong there.
fn odd(case: &Case, draw: &Draw) -> Value {
    match draw.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1e308),
        4 => json!(20.0),
        5 => json!([case.user]),
        6 => json!({"$ne": null}),
        7 => json!({"user": {"user": {"user": case.user}}}),
        8 => json!("x".repeat(200_000)),
        9 => json!("\u{202e}\u{0}\u{1b}[2J"),
        10 => json!("'; DROP TABLE events; --"),
        11 => json!(case.named),
        12 => json!(vec!["a"; 5_000]),
        _ => json!(""),
    }
}
