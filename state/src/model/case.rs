//! The investigation of one or more alerts and the only way its status changes.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Time;

/// Row id of a case; people read and write it as `ND-12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseId(pub i64);

impl std::fmt::Display for CaseId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&format!("ND-{}", self.0))
    }
}

/// A text that is not a case id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a case id; write it as ND-12 or 12 (`nightdesk case list` shows them)")]
pub struct NotACaseId(String);

impl FromStr for CaseId {
    type Err = NotACaseId;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let digits = s.strip_prefix("ND-").or(s.strip_prefix("nd-")).unwrap_or(s);
        match digits.parse::<i64>() {
            Ok(n) if n > 0 => Ok(Self(n)),
            _ => Err(NotACaseId(s.chars().take(40).collect())),
        }
    }
}

impl Serialize for CaseId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CaseId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

words! {
    /// Where a case stands.
    pub enum CaseStatus {
        /// In the queue.
        New = "new",
        /// A worker holds it.
        Triaging = "triaging",
        /// A person has been asked something.
        AwaitingApproval = "awaiting_approval",
        /// A person has it.
        Escalated = "escalated",
        /// Done.
        Closed = "closed",
    }
}

words! {
    /// What happens to a case.
    pub enum CaseEvent {
        /// A worker took it.
        Claimed = "claimed",
        /// The worker let go before the end (lost lease, stop, retry).
        Released = "released",
        /// It was closed without a person, or by one.
        Closed = "closed",
        /// It was handed to a person.
        Escalated = "escalated",
        /// A person was asked to approve something.
        Asked = "asked",
        /// The person answered.
        Answered = "answered",
        /// Another alert joined it, or a person reopened it.
        Reopened = "reopened",
    }
}

words! {
    /// What was done with a case.
    pub enum Outcome {
        /// Closed without a person.
        Closed = "closed",
        /// Handed to a person.
        Escalated = "escalated",
        /// A close or another action is proposed and waits for a person.
        AwaitingApproval = "awaiting_approval",
    }
}

/// An event that the status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a case that is {from} cannot be {event}")]
pub struct IllegalMove {
    /// The status before.
    pub from: CaseStatus,
    /// The event that came.
    pub event: CaseEvent,
}

/// The status after `event`; the only place where a status is made.
///
/// # Errors
/// [`IllegalMove`] when the event can not happen to a case in that status.
pub fn next(from: CaseStatus, event: CaseEvent) -> Result<CaseStatus, IllegalMove> {
    use CaseEvent as E;
    use CaseStatus as S;
    match (from, event) {
        (S::New, E::Claimed) => Ok(S::Triaging),
        (S::Triaging, E::Released) => Ok(S::New),
        (S::Triaging, E::Closed) => Ok(S::Closed),
        (S::Triaging | S::New | S::AwaitingApproval, E::Escalated) => Ok(S::Escalated),
        (S::Triaging, E::Asked) => Ok(S::AwaitingApproval),
        (S::AwaitingApproval, E::Answered) => Ok(S::New),
        (S::AwaitingApproval | S::Escalated, E::Closed) => Ok(S::Closed),
        (S::Closed | S::Escalated | S::AwaitingApproval, E::Reopened) => Ok(S::New),
        (from, event) => Err(IllegalMove { from, event }),
    }
}

/// The investigation of one or more alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Row id.
    pub id: CaseId,
    /// One line that says what it is about.
    pub title: String,
    /// Where it stands.
    pub status: CaseStatus,
    /// What was done with it, once something was.
    pub outcome: Option<Outcome>,
    /// When the case was opened (daemon time).
    pub opened: Time,
    /// Time of the alert it began with.
    pub alert_time: Time,
    /// Last change.
    pub updated: Time,
    /// How often a worker has begun it since it was opened or last came to an end.
    pub attempts: i64,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_move_is_decided_and_nothing_closes_from_the_queue() {
        let mut table = String::new();
        for from in CaseStatus::ALL {
            for event in CaseEvent::ALL {
                if let Ok(to) = next(*from, *event) {
                    table.push_str(&format!("{from} {event} -> {to}\n"));
                }
            }
        }
        assert!(!table.contains("new closed"), "{table}");
        assert_eq!(table.lines().count(), 13, "{table}");
    }

    #[test]
    fn ids_read_as_people_write_them() {
        for text in ["ND-7", "nd-7", "7"] {
            assert_eq!(text.parse::<CaseId>().unwrap(), CaseId(7));
        }
        for text in ["", "ND-", "ND--1", "0", "x7"] {
            assert!(text.parse::<CaseId>().is_err(), "{text}");
        }
    }
}
