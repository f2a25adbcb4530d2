//! Who may answer what, how many of them, and how long a question waits: `[approvals]`; the checks are `rights`'.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use mcp_clients::config::Span;
use serde::Deserialize;
use state::model::{Severity, ToolClass};

/// Prefix of a user group of the notifier in lists of people: `group:S0123`.
pub const GROUP: &str = "group:";
/// Prefix of a Slack user whom nobody has named: `slack:U0123`.
pub const SLACK: &str = "slack:";

/// No question waits shorter than this.
const LEAST: Duration = Duration::from_secs(60);

/// `[approvals]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalsConfig {
    /// Who may approve live effects, names and groups; nobody when empty.
    pub approvers: Vec<String>,
    /// Who may answer proposed closes, names and groups; whoever can run the command when empty.
    pub closers: Vec<String>,
    /// How long a proposed effect waits; after that it counts as denied.
    pub expires: Span,
    /// The same by severity of the case; unless given, a quarter of it for critical and half of it for high.
    pub expires_by_severity: BTreeMap<Severity, Span>,
    /// How many people must say yes to a destructive or suppressing action.
    pub needed: i64,
    /// Who is who elsewhere.
    pub people: Vec<PersonConfig>,
}

/// `[[approvals.people]]`: one person under all their names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PersonConfig {
    /// The name that counts here.
    pub name: String,
    /// Slack user id, `U…` or `W…`.
    pub slack: Option<String>,
    /// Accounts of theirs as they stand in alerts; a person decides on no case that these are part of.
    pub accounts: Vec<String>,
}

impl Default for ApprovalsConfig {
    fn default() -> Self {
        Self {
            approvers: Vec::new(),
            closers: Vec::new(),
            expires: Span(Duration::from_secs(4 * 3600)),
            expires_by_severity: BTreeMap::new(),
            needed: 1,
            people: Vec::new(),
        }
    }
}

impl ApprovalsConfig {
    /// How long a proposed effect on a case of this severity waits.
    #[must_use]
    pub fn expire_after(&self, severity: Severity) -> TimeDelta {
        let given = self.expires_by_severity.get(&severity);
        let span = given.map_or_else(|| hurried(self.expires.0, severity), |given| given.0);
        TimeDelta::from_std(span).unwrap_or_else(|_| TimeDelta::hours(1))
    }

    /// How many people must say yes to a call of this class.
    #[must_use]
    pub fn needed_for(&self, class: ToolClass) -> i64 {
        match class {
            ToolClass::Destructive | ToolClass::Suppress => self.needed.max(1),
            _ => 1,
        }
    }

    /// The name that counts for a Slack user.
    #[must_use]
    pub fn name_of(&self, slack: &str) -> String {
        let is_them = |p: &&PersonConfig| p.slack.as_deref() == Some(slack);
        let known = self.people.iter().find(is_them);
        known.map_or_else(|| format!("{SLACK}{slack}"), |p| p.name.clone())
    }

    /// The Slack user behind a name, when there is one.
    #[must_use]
    pub fn slack_of<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(SLACK).or_else(|| {
            let known = self.people.iter().find(|p| p.name == name);
            known.and_then(|p| p.slack.as_deref())
        })
    }

    /// Settings that can't be meant, one sentence each, with their key.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if self.needed < 1 {
            faults.push(("approvals.needed", "must be at least 1".to_owned()));
        }
        let has_group = self.approvers.iter().any(|a| a.starts_with(GROUP));
        let listed = i64::try_from(self.approvers.len()).unwrap_or(i64::MAX);
        if !has_group && self.needed > 1 && self.needed > listed {
            let message = format!(
                "{} people must say yes and only {listed} are listed: add to [approvals] approvers",
                self.needed
            );
            faults.push(("approvals.needed", message));
        }
        if let Some(nobody) = self.approvers.iter().find(|a| a.starts_with(SLACK)) {
            let message = format!(
                "`{nobody}` has no name: add a [[approvals.people]] with it and list that name"
            );
            faults.push(("approvals.approvers", message));
        }
        let mut seen = std::collections::BTreeSet::new();
        for person in &self.people {
            let names = [Some(&person.name), person.slack.as_ref()];
            for name in names.into_iter().flatten() {
                if name.trim().is_empty() || name.contains(':') {
                    let message = format!("`{name}` is no name: it is empty or holds a colon");
                    faults.push(("approvals.people", message));
                } else if !seen.insert(name) {
                    let message = format!("`{name}` stands for two people");
                    faults.push(("approvals.people", message));
                }
            }
        }
        faults
    }
}

/// How long people are waited for on a case of this severity: a quarter on a critical one, half on a high one.
pub(super) fn hurried(span: Duration, severity: Severity) -> Duration {
    match severity {
        Severity::Critical | Severity::Fatal => (span / 4).max(LEAST),
        Severity::High => (span / 2).max(LEAST),
        _ => span,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_waited_for_by_severity() {
        let mut rules = ApprovalsConfig {
            expires: Span(Duration::from_secs(8 * 3600)),
            ..ApprovalsConfig::default()
        };
        let set = Span(Duration::from_secs(120));
        rules.expires_by_severity.insert(Severity::Medium, set);
        for (severity, minutes) in [
            (Severity::Fatal, 120),
            (Severity::Critical, 120),
            (Severity::High, 240),
            (Severity::Medium, 2),
            (Severity::Low, 480),
        ] {
            let waits = rules.expire_after(severity);
            assert_eq!(waits, TimeDelta::minutes(minutes), "{severity}");
        }
        rules.expires = Span(Duration::from_secs(60));
        let least = rules.expire_after(Severity::Critical);
        assert_eq!(least, TimeDelta::minutes(1));
    }
}
