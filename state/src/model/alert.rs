//! One detection as received; what it means is decided elsewhere.

use serde::{Deserialize, Serialize};

use super::{Activity, Entity, Observable, Time};

/// Row id of an alert in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertId(pub i64);

words! {
    /// OCSF `severity_id` as words; [`Severity::id`] gives the number.
    pub enum Severity {
        /// 0
        Unknown = "unknown",
        /// 1
        Informational = "informational",
        /// 2
        Low = "low",
        /// 3
        Medium = "medium",
        /// 4
        High = "high",
        /// 5
        Critical = "critical",
        /// 6
        Fatal = "fatal",
    }
}

impl Severity {
    /// The OCSF 1.8 `severity_id`.
    #[must_use]
    pub const fn id(self) -> i64 {
        self as i64
    }
}

/// The rule that raised the alert (OCSF `finding_info.analytic`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Stable id in the product.
    pub id: String,
    /// Name or title, as the product shows it.
    pub name: String,
    /// Groups, tags or log types the product attaches to the rule.
    pub groups: Vec<String>,
}

/// An alert as a source hands it over, before the store has given it an id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewAlert {
    /// Configured name of the source it came from.
    pub source: String,
    /// Its id there; `(source, source_alert_id)` is unique.
    pub source_alert_id: String,
    /// Name of the alert mapping that read it.
    pub mapping: String,
    /// Product, for instance `aws`, `okta`, `windows`.
    pub product: String,
    /// The rule that fired.
    pub rule: Rule,
    /// OCSF severity.
    pub severity: Severity,
    /// When the detection was made (or the event happened, if that is all the alert says).
    pub time: Time,
    /// ATT&CK technique ids the product attached; the product's word, not ours.
    pub attacks: Vec<String>,
    /// What the alert is about: the embedded events, normalised; the first one is the primary.
    pub activities: Vec<Activity>,
    /// Who and what is involved.
    pub entities: Vec<Entity>,
    /// Values to pivot on.
    pub observables: Vec<Observable>,
    /// The alert as received, verbatim.
    pub raw: String,
}

impl NewAlert {
    /// The activity the alert is mainly about.
    #[must_use]
    pub fn primary(&self) -> Option<&Activity> {
        self.activities.first()
    }
}

/// An alert in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Row id.
    pub id: AlertId,
    /// When the daemon stored it.
    pub received: Time,
    /// What the source gave.
    #[serde(flatten)]
    pub data: NewAlert,
}

impl std::ops::Deref for Alert {
    type Target = NewAlert;
    fn deref(&self) -> &NewAlert {
        &self.data
    }
}
