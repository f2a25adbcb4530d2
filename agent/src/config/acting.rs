//! What may happen without a person and who may say yes: `[closing]`, `[effects]`, `[approvals]`, `[protection]`; deciding
//! is the gate's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::TimeDelta;
use mcp_clients::config::{Responses, Span, Tickets};
use serde::{Deserialize, Serialize};
use state::model::Severity;

use super::approvals::hurried;
use super::schedule;

/// What may happen to a case that the predicate allows to close, the narrowest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CloseMode {
    /// Always hand it to a person.
    Never,
    /// Ask a person to confirm.
    #[default]
    Propose,
    /// Close it.
    Auto,
}

/// `[closing]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClosingConfig {
    /// What may happen.
    pub mode: CloseMode,
    /// Closes without a person per hour, 50 unless set; beyond it cases go to a person.
    pub cap_per_hour: Option<i64>,
    /// Share of closes that go to a person all the same, 5 unless set.
    pub review_sample_percent: Option<f64>,
    /// Least number of such cases a week, 20 unless set; never more than about every second close.
    pub review_sample_min_per_week: Option<u32>,
    /// How long a proposal waits, half of it on high and a quarter on critical cases; after that it counts as denied.
    pub proposal_expires: Span,
    /// While this file is there, nothing is closed and no effect happens; its first line is the reason.
    pub pause_file: PathBuf,
    /// The known bad alert that must be escalated, or closing is switched off.
    pub canary: CanaryConfig,
    /// The golden lab that must come out well, or closing is switched off.
    pub assurance: AssuranceConfig,
    /// How far people's words on earlier alerts carry a close.
    pub precedents: PrecedentsConfig,
}

impl Default for ClosingConfig {
    fn default() -> Self {
        Self {
            mode: CloseMode::Propose,
            cap_per_hour: None,
            review_sample_percent: None,
            review_sample_min_per_week: None,
            proposal_expires: Span(Duration::from_secs(24 * 3600)),
            pause_file: PathBuf::from("nightdesk.pause"),
            canary: CanaryConfig::default(),
            assurance: AssuranceConfig::default(),
            precedents: PrecedentsConfig::default(),
        }
    }
}

/// `[closing.precedents]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrecedentsConfig {
    /// Cases of the same rule, principal and content that people must have called harmless; 0 switches it off.
    pub equal: usize,
    /// Cases of the same rule, principal and normalised fields; 0 switches it off.
    pub alike: usize,
    /// Words on older alerts do not count.
    pub max_age: Span,
}

impl Default for PrecedentsConfig {
    fn default() -> Self {
        Self {
            equal: 1,
            alike: 3,
            max_age: Span(Duration::from_secs(90 * 24 * 3600)),
        }
    }
}

impl PrecedentsConfig {
    /// How old the alert may be on which a word counts.
    #[must_use]
    pub fn oldest(&self) -> TimeDelta {
        TimeDelta::from_std(self.max_age.0)
            .map_or(TimeDelta::days(90), |age| age.min(TimeDelta::days(3650)))
    }
}

/// `[closing.canary]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CanaryConfig {
    /// Whether the running daemon sends canaries; `run --once`, `demo` and `eval` never do.
    pub enabled: bool,
    /// How often.
    pub every: Span,
    /// How long one may take to be escalated.
    pub grace: Span,
}

impl Default for CanaryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            every: Span(Duration::from_secs(3600)),
            grace: Span(Duration::from_secs(15 * 60)),
        }
    }
}

/// `[closing.assurance]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssuranceConfig {
    /// Whether the running daemon works the lab on schedule; it does not while `[closing] mode` is `never`.
    pub enabled: bool,
    /// When, as a cron expression of five fields in UTC; days of the week by name.
    pub at: String,
    /// A lab folder with labels; the bundled one when absent.
    pub lab: Option<PathBuf>,
    /// What it must come out above.
    pub floor: AssuranceFloor,
}

impl Default for AssuranceConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            at: "30 3 * * *".to_owned(),
            lab: None,
            floor: AssuranceFloor::default(),
        }
    }
}

/// `[closing.assurance.floor]`; that no malicious alert is closed is always demanded.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AssuranceFloor {
    /// Lowest share of closed alerts that are benign, 0 to 1.
    pub precision: f64,
    /// Lowest share of benign alerts that are closed, 0 to 1.
    pub coverage: f64,
}

impl Default for AssuranceFloor {
    fn default() -> Self {
        Self {
            precision: 1.0,
            coverage: 0.5,
        }
    }
}

impl AssuranceConfig {
    /// The schedule.
    ///
    /// # Errors
    /// Why `at` is none, in a sentence.
    pub fn schedule(&self) -> Result<cron::Schedule, String> {
        schedule::schedule(&self.at)
    }
}

impl ClosingConfig {
    /// How long a proposed close of a case of this severity waits.
    #[must_use]
    pub fn expire_after(&self, severity: Severity) -> TimeDelta {
        let span = hurried(self.proposal_expires.0, severity);
        TimeDelta::from_std(span).unwrap_or_else(|_| TimeDelta::days(1))
    }

    /// Closes without a person per hour.
    #[must_use]
    pub fn cap(&self) -> i64 {
        self.cap_per_hour.unwrap_or(50)
    }

    /// Share of closes that go to a person, percent.
    #[must_use]
    pub fn sample(&self) -> f64 {
        self.review_sample_percent.unwrap_or(5.0)
    }

    /// Least number of cases a week that go to a person; none where no share is drawn either.
    #[must_use]
    pub fn sample_least(&self) -> u32 {
        match self.sample() > 0.0 {
            true => self.review_sample_min_per_week.unwrap_or(20),
            false => 0,
        }
    }

    /// Draws nothing for review: for what is worked to be measured, and not for its alerts.
    pub fn without_sample(&mut self) {
        (self.review_sample_percent, self.review_sample_min_per_week) = (Some(0.0), Some(0));
    }
}

/// `[effects]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EffectsConfig {
    /// Dry run unless this and the tool's own flag say otherwise.
    pub live: bool,
    /// Destructive actions per hour; beyond it they are refused.
    pub destructive_per_hour: i64,
    /// By server: which countermeasures of playbooks its tools do, beside what its preset says.
    pub responses: BTreeMap<String, Responses>,
    /// By server: how it keeps the tickets of cases, where its preset does not say so.
    pub tickets: BTreeMap<String, Tickets>,
}

impl Default for EffectsConfig {
    fn default() -> Self {
        Self {
            live: false,
            destructive_per_hour: 5,
            responses: BTreeMap::new(),
            tickets: BTreeMap::new(),
        }
    }
}

/// `[protection]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProtectionConfig {
    /// Entities (users, hosts) whose alerts are never closed without a person; `*` stands for any text.
    pub entities: Vec<String>,
}

impl ProtectionConfig {
    /// The pattern that protects `value`, if one does. Letter case does not count.
    #[must_use]
    pub fn covers(&self, value: &str) -> Option<&str> {
        matching(&self.entities, value)
    }
}

/// The first pattern that matches a value; `*` stands for any text, letter case does not count.
#[must_use]
pub fn matching<'p>(patterns: &'p [String], value: &str) -> Option<&'p str> {
    let value = value.trim().to_lowercase();
    patterns
        .iter()
        .map(String::as_str)
        .find(|pattern| matches_glob(&pattern.to_lowercase(), &value))
}

/// Whether `text` matches `pattern`, in which `*` stands for any text.
fn matches_glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::matches_glob;

    #[test]
    fn globs_anchor_at_both_ends() {
        for (pattern, text, yes) in [
            ("*", "anything", true),
            ("dc*", "dc01", true),
            ("dc*", "adc01", false),
            ("*-prod", "db-prod", true),
            ("*-prod", "db-prod-2", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxc", false),
            ("root", "root", true),
            ("root", "rootx", false),
        ] {
            assert_eq!(matches_glob(pattern, text), yes, "{pattern} {text}");
        }
    }
}
