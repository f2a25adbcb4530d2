//! What the policy is told, as documented in `policy/README.md`; it holds only what the caller took from trusted fields.

use chrono::{Datelike, SecondsFormat, Timelike};
use serde::Serialize;
use serde_json::Value;
use state::model::{
    Analyst, CaseId, Entity, EntityKind, Rule, Severity, Tier, Time, ToolClass, VerdictKind,
};

use crate::config::CloseMode;

/// One tool call that passed every other check of the gate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallInput {
    /// `server.tool`.
    pub tool: String,
    /// Server in the configuration.
    pub server: String,
    /// Operator's class of the tool.
    pub class: ToolClass,
    /// Tier that asks; none when a source is polled.
    pub tier: Option<Tier>,
    /// Who asks.
    pub asked_by: Asker,
    /// Arguments in canonical form. They are what is asked and not a fact: a model or an attacker may have chosen them.
    pub arguments: Value,
    /// Entity it would touch; none when it reads or only raises.
    pub target: Option<String>,
    /// Whether the catalogue says that it only raises.
    pub raise: bool,
    /// What it says of an alert of the case at the alert's source: `comment`, `open`, `closed`; none when it says nothing.
    pub says: Option<&'static str>,
    /// Whether it would be sent; false in a dry run.
    pub live: bool,
    /// Case it is for; none when a source is polled.
    pub case: Option<CaseFacts>,
    /// When.
    pub time: Moment,
}

/// A case that everything else lets close.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CloseInput {
    /// `[closing] mode`; the policy's answer is never wider.
    pub mode: CloseMode,
    /// The case.
    pub case: CaseFacts,
    /// Worst verdict of its alerts.
    pub verdict: VerdictKind,
    /// How sure, 0 to 100.
    pub confidence: i64,
    /// Probability that the activity is malicious, 0 to 1.
    pub probability: f64,
    /// Playbook id.
    pub playbook: String,
    /// Tier that judged.
    pub tier: Tier,
    /// Who judged.
    pub analyst: Analyst,
    /// When.
    pub time: Moment,
}

/// What is known of a case from trusted fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseFacts {
    /// Its id, as people write it.
    pub id: CaseId,
    /// Configured names of the sources its alerts came from.
    pub sources: Vec<String>,
    /// Rules that raised its alerts.
    pub rules: Vec<Rule>,
    /// Worst severity of its alerts.
    pub severity: Severity,
    /// What the inventory says of its entities.
    pub assets: Vec<Asset>,
    /// Its trusted and endorsed entities.
    pub entities: Vec<Entity>,
}

/// An entity as the inventory has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asset {
    /// What it is.
    pub kind: EntityKind,
    /// Its name.
    pub value: String,
    /// Its criticality, in the inventory's own word.
    pub criticality: String,
}

/// Who asks for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Asker {
    /// A step or response of a playbook.
    Playbook,
    /// A model.
    Model,
    /// A person, for instance by an approval.
    Person,
    /// The daemon itself, for instance polling a source.
    Daemon,
}

/// An instant in the forms a policy compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// RFC 3339 in UTC, whole seconds.
    pub rfc3339: String,
    /// Hour of the day in UTC, 0 to 23.
    pub hour: u32,
    /// Day of the week in UTC, `monday` to `sunday`.
    pub weekday: &'static str,
}

impl Moment {
    /// The forms of an instant.
    #[must_use]
    pub fn at(time: Time) -> Self {
        const DAYS: [&str; 7] = [
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
        ];
        Self {
            rfc3339: time.to_rfc3339_opts(SecondsFormat::Secs, true),
            hour: time.hour(),
            weekday: DAYS[time.weekday().num_days_from_monday() as usize],
        }
    }
}
