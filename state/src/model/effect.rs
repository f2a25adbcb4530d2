//! An outside effect that somebody proposed and what became of it; reading is not an effect.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AlertId, CaseId, Time, ToolClass};

words! {
    /// What became of a proposed effect.
    pub enum EffectDecision {
        /// Recorded, shown, not sent.
        DryRun = "dry_run",
        /// Refused by the gate.
        Denied = "denied",
        /// Waits for a person.
        AwaitingApproval = "awaiting_approval",
        /// Allowed, and not sent yet.
        Due = "due",
        /// Sent, and no answer yet.
        Started = "started",
        /// Sent and confirmed.
        Executed = "executed",
        /// Could not be sent: nothing happened.
        Failed = "failed",
        /// Sent, and nobody knows whether it took.
        Unknown = "unknown",
    }
}

impl EffectDecision {
    /// Whether it is due, was sent or may have been: the same call is not proposed again.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(
            self,
            Self::Due | Self::Started | Self::Executed | Self::Unknown
        )
    }
}

words! {
    /// How well it is known that an effect took.
    pub enum Proof {
        /// Sent; nobody has read it back.
        Requested = "requested",
        /// Read back: it is so.
        Confirmed = "confirmed",
        /// It was so before anything was sent: nothing was sent.
        AlreadySo = "already_so",
    }
}

words! {
    /// Who wants an effect.
    pub enum AskedBy {
        /// The daemon itself.
        Daemon = "daemon",
        /// A response of a playbook.
        Playbook = "playbook",
        /// A model.
        Model = "model",
    }
}

/// How an effect is held: something that a rule needs to know could not be told, so it is not sent, and ruled on again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Since when.
    pub since: Time,
    /// How often it was ruled on since then, at least 1.
    pub tries: i64,
    /// When it is ruled on again.
    pub next: Time,
    /// In whose name it is ruled on then.
    pub asked_by: AskedBy,
}

/// A proposed outside effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Row id; 0 while it is not stored.
    pub id: i64,
    /// Case it was proposed for.
    pub case: CaseId,
    /// `server.tool`.
    pub tool: String,
    /// Operator's class.
    pub class: ToolClass,
    /// Entity it would touch; empty when it touches none.
    pub target: String,
    /// Canonical arguments.
    pub arguments: Value,
    /// What became of it.
    pub decision: EffectDecision,
    /// The rule or reason behind the decision.
    pub reason: String,
    /// Approval it waits for or was approved by.
    pub approval: Option<i64>,
    /// When it was proposed.
    pub at: Time,
    /// What kind of effect it is and how well it is known.
    #[serde(flatten)]
    pub about: EffectAbout,
}

/// What kind of effect one is and how well it is known that it took.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectAbout {
    /// Whether it only raises attention (opens a ticket, escalates).
    pub raise: bool,
    /// D3FEND id of the countermeasure, when it is one.
    pub d3fend: Option<String>,
    /// The alert of which it speaks at the alert's source, when it does.
    pub alert: Option<AlertId>,
    /// The status it would set there, when it sets one.
    pub wanted: Option<String>,
    /// 0 at first; the same call a second time is another effect.
    pub round: i64,
    /// How well it is known that it took; none while it was not executed.
    pub proof: Option<Proof>,
    /// How often it was looked at since it was sent.
    pub looks: i64,
    /// How it is held, when it is: a due one before it is sent, a denied one before it counts as denied.
    pub held: Option<Held>,
    /// Names of its arguments that hold what an outsider may have written; none when the daemon chose them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untrusted: Option<Vec<String>>,
    /// Who wanted it to be proposed again after it was not sent, last; none where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

/// An effect as sentences name it: its number, the tool, and what it is done to. What is done to is cut, and may be
/// attacker-written.
#[must_use]
pub fn effect_name(id: i64, tool: &str, target: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut on: String = target.trim().chars().take(TARGET).map(clean).collect();
    if target.trim().chars().count() > TARGET {
        on.push('…');
    }
    match on.as_str() {
        "" => format!("effect {id} ({tool})"),
        on => format!("effect {id} ({tool} on {on})"),
    }
}

/// Longest target in the name of an effect, characters.
const TARGET: usize = 100;

impl Effect {
    /// As sentences name it.
    #[must_use]
    pub fn name(&self) -> String {
        effect_name(self.id, &self.tool, &self.target)
    }

    /// Where it stands in one word for people: `held` (not sent, and ruled on again), `requested` (sent and not read
    /// back), `confirmed`, `already so`, `unknown`, else the decision.
    #[must_use]
    pub fn word(&self) -> &'static str {
        if self.about.held.is_some() {
            return "held";
        }
        match (self.decision, self.about.proof) {
            (EffectDecision::Executed, Some(Proof::Confirmed)) => "confirmed",
            (EffectDecision::Executed, Some(Proof::AlreadySo)) => "already so",
            (EffectDecision::Executed, _) => "requested",
            (decision, _) => decision.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_named_with_what_it_is_done_to_on_one_line() {
        let long = "x".repeat(300);
        for (target, want) in [
            ("", "effect 7 (idp.lock)".to_owned()),
            ("ana", "effect 7 (idp.lock on ana)".to_owned()),
            (
                " ana\nbo\u{1b} ",
                "effect 7 (idp.lock on ana bo )".to_owned(),
            ),
            (
                &long,
                format!("effect 7 (idp.lock on {}…)", "x".repeat(100)),
            ),
        ] {
            assert_eq!(effect_name(7, "idp.lock", target), want);
        }
    }
}
