//! Sign-in alerts of many users, each with an address of their own; how they end is the scenario playbook's.

use serde_json::{Value, json};

use crate::workbench::Lab;

/// One user of the crowd and where they sign in from this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// Number of the user.
    pub user: usize,
    /// Number of the alert.
    pub alert: usize,
    /// Where from.
    pub from: From,
}

/// Where somebody signs in from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Their usual address: the alert is harmless.
    Usual,
    /// An address they never used.
    Strange,
}

impl SignIn {
    fn address(self) -> String {
        match self.from {
            From::Usual => usual(self.user),
            From::Strange => format!("203.0.113.{}", self.user),
        }
    }

    fn event(self) -> Value {
        let (uid, name) = (format!("e{}", self.alert), name(self.user));
        let at = format!("2026-03-02T08:{:02}:00.000Z", self.alert % 60);
        json!({"event_uid": uid, "event_time": at, "uuid": uid, "published": at, "eventType": "user.session.start",
            "displayMessage": "User login to Okta", "outcome": {"result": "SUCCESS"}, "severity": "INFO",
            "actor": {"id": format!("u{}", self.user), "type": "User", "alternateId": name, "displayName": name},
            "client": {"ipAddress": self.address(), "userAgent": {"rawUserAgent": "Mozilla/5.0"}},
            "securityContext": {}, "debugContext": {"debugData": {}}, "target": []})
    }

    /// The alert as the product writes it (mapping `panther`).
    #[must_use]
    pub fn raw(self) -> Value {
        let event = self.event();
        json!({"id": format!("alert-{}", self.alert), "rule_id": "scenario-login", "title": "Sign-in from a new address",
            "severity": "High", "created_at": event["event_time"], "log_types": ["Okta.SystemLog"], "events": [event]})
    }
}

/// Number `alert` of a crowd in which each user has one alert and every second one is strange.
#[must_use]
pub fn sign_in(alert: usize) -> SignIn {
    SignIn {
        user: alert + 1,
        alert,
        from: if alert.is_multiple_of(2) {
            From::Usual
        } else {
            From::Strange
        },
    }
}

fn name(user: usize) -> String {
    format!("user{user}@corp.example")
}

fn usual(user: usize) -> String {
    format!("192.0.2.{user}")
}

/// A lab that knows `users` users (1 to 254) and holds these sign-ins as alerts.
pub fn lab(users: usize, alerts: &[SignIn]) -> anyhow::Result<Lab> {
    let lab = Lab::scenario(&[])?;
    let known = (1..=users).map(|user| {
        json!({"id": format!("u{user}"), "kind": "user", "name": name(user), "email": name(user),
            "usual_addresses": [usual(user)], "baseline_events": 40, "baseline_until": "2026-03-01T00:00:00Z"})
    });
    lab.lines("identity.jsonl", &known.collect::<Vec<_>>())?;
    let raw: Vec<Value> = alerts.iter().map(|a| a.raw()).collect();
    lab.lines("alerts.jsonl", &raw)?;
    let logs: Vec<Value> = alerts.iter().map(|a| a.event()).collect();
    lab.lines("logs/okta.jsonl", &logs)?;
    Ok(lab)
}
