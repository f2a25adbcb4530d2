//! The typed report behind every form of the export; its JSON has a published schema, `agent/schemas/metrics.schema.json`.

use chrono::NaiveDate;
use serde::Serialize;
use state::model::{CaseId, CaseStatus, Severity, Time, VerdictReason};
use state::store::metrics::Survey;

use super::define::DEFINITIONS;
use super::numbers::Number;
use super::period::Stretch;
use super::{EARLIER, noise};
use crate::config::MetricsConfig;
use crate::text::oneline;

/// Name and version of the form of `metrics.json`.
pub const SCHEMA: &str = "nightdesk.metrics/1";

/// A period in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Version of the program.
    pub nightdesk: &'static str,
    /// What was stored up to this instant is counted.
    pub as_of: Time,
    /// Over what.
    pub period: PeriodEntry,
    /// By whose terms.
    pub terms: TermsEntry,
    /// What each metric means.
    pub definitions: Vec<DefinitionEntry>,
    /// All numbers.
    pub numbers: Vec<Number>,
    /// Rules, the noisiest first.
    pub rules: Vec<RuleEntry>,
    /// The oldest open cases.
    pub oldest_open: Vec<OpenEntry>,
    /// Sources and how long they were not polled.
    pub ingest_gaps: Vec<GapEntry>,
    /// What could not be measured, and why.
    pub not_measured: Vec<Unmeasured>,
    /// What to keep in mind while reading.
    pub warnings: Vec<String>,
}

/// The period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeriodEntry {
    /// `2026-W47` or two dates.
    pub name: String,
    /// From, inclusive.
    pub since: Time,
    /// To, exclusive.
    pub until: Time,
    /// First day, in the zone.
    pub first: NaiveDate,
    /// Last day, in the zone.
    pub last: NaiveDate,
    /// IANA name.
    pub time_zone: String,
    /// Length, hours.
    pub hours: i64,
    /// Whether it was over when the report was made.
    pub over: bool,
    /// Names of the periods it is compared with, the oldest first.
    pub earlier: Vec<String>,
}

/// The operator's terms.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TermsEntry {
    /// Service levels.
    pub sla: Vec<LevelEntry>,
    /// Minutes by hand.
    pub baseline: Vec<MinutesEntry>,
    /// Minutes for a review.
    pub review_minutes: f64,
}

/// The service level of a severity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LevelEntry {
    /// Severity.
    pub severity: Severity,
    /// Seconds until a person acts.
    pub acknowledge: f64,
    /// Seconds until it is closed.
    pub resolve: f64,
}

/// What an alert costs by hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MinutesEntry {
    /// Severity, or the id of a rule.
    pub of: String,
    /// Minutes.
    pub minutes: f64,
}

/// The definition of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DefinitionEntry {
    /// The metric.
    pub metric: &'static str,
    /// Id of the formula.
    pub formula_id: String,
    /// Title.
    pub title: &'static str,
    /// Unit.
    pub unit: &'static str,
    /// Formula in words.
    pub formula: &'static str,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RuleEntry {
    /// Source.
    pub source: String,
    /// Rule id.
    pub rule: String,
    /// Name.
    pub title: String,
    /// Alerts.
    #[serde(flatten)]
    pub counts: RuleCounts,
    /// Harmless of judged.
    pub noise_rate: Option<f64>,
    /// Lower end of Wilson's interval at 95 %.
    pub noise_lower: Option<f64>,
    /// Minutes of people, an estimate by the terms.
    pub human_minutes: f64,
    /// Minutes of the daemon.
    pub machine_minutes: f64,
    /// The newest true positive within a year.
    pub last_tp: Option<Time>,
    /// Most frequent reason of its harmless alerts.
    pub top_reason: Option<VerdictReason>,
    /// What to do; none for a rule that is not noisy.
    pub suggestion: Option<String>,
    /// What the suggestion rests on.
    pub evidence: Vec<String>,
}

/// Alerts of a rule by their last word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RuleCounts {
    /// All.
    pub volume: i64,
    /// True positives.
    pub true_positive: i64,
    /// Benign positives.
    pub benign_positive: i64,
    /// False positives.
    pub false_positive: i64,
}

/// An open case.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenEntry {
    /// Case.
    pub case: CaseId,
    /// Title; may be text from outside.
    pub title: String,
    /// Where it stands as of the report.
    pub status: CaseStatus,
    /// Time of its first alert.
    pub since: Time,
    /// Seconds from then to the end of the period.
    pub age: f64,
}

/// A source.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapEntry {
    /// Source.
    pub source: String,
    /// Minutes without a successful poll.
    pub minutes: f64,
    /// Minutes of the period in which it was known.
    pub of: f64,
    /// The longest stretch, minutes.
    pub longest: f64,
    /// How many stretches.
    pub gaps: i64,
}

/// A metric without a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Unmeasured {
    /// The metric.
    pub metric: &'static str,
    /// Why.
    pub why: &'static str,
}

impl Report {
    /// One number: of a metric as a whole.
    #[must_use]
    pub fn number(&self, metric: &str, stat: &str) -> Option<&Number> {
        self.part(metric, ("all", ""), stat)
    }

    /// One number: of a part of a metric.
    #[must_use]
    pub fn part(&self, metric: &str, (by, value): (&str, &str), stat: &str) -> Option<&Number> {
        let mut numbers = self.numbers.iter();
        numbers.find(|n| {
            n.metric == metric && n.dimension == by && n.dimension_value == value && n.stat == stat
        })
    }

    /// The noisy rules: those with a suggestion.
    pub fn noisy(&self) -> impl Iterator<Item = &RuleEntry> {
        self.rules.iter().filter(|r| r.suggestion.is_some())
    }
}

pub(super) fn document(
    config: &MetricsConfig,
    (stretch, as_of): (&Stretch, Time),
    (survey, numbers): (Survey, Vec<Number>),
) -> Report {
    let (first, last) = stretch.dates();
    let end = stretch.until.min(as_of);
    let period = PeriodEntry {
        name: stretch.name.clone(),
        since: stretch.since,
        until: stretch.until,
        first,
        last,
        time_zone: stretch.zone().to_string(),
        hours: stretch.hours(),
        over: stretch.until <= as_of,
        earlier: (1..=EARLIER)
            .rev()
            .map(|k| stretch.before(k).name)
            .collect(),
    };
    let not_measured = DEFINITIONS
        .iter()
        .filter_map(|d| {
            let mut of = numbers
                .iter()
                .filter(|n| n.metric == d.metric && n.dimension == "all");
            let missing = of.find(|n| n.value.is_none())?;
            Some(Unmeasured {
                metric: d.metric,
                why: missing.not_measured.unwrap_or(d.empty),
            })
        })
        .collect();
    Report {
        schema: SCHEMA,
        nightdesk: env!("CARGO_PKG_VERSION"),
        as_of,
        warnings: super::warnings::warnings(&period, &numbers),
        period,
        terms: terms(config),
        definitions: definitions(),
        rules: survey
            .rules
            .iter()
            .map(|r| noise::entry(r, (survey.known_since, stretch.until)))
            .collect(),
        oldest_open: survey
            .oldest
            .iter()
            .map(|c| OpenEntry {
                case: c.case,
                title: oneline(&c.title, 200),
                status: c.status,
                since: c.since,
                age: (end - c.since).as_seconds_f64(),
            })
            .collect(),
        ingest_gaps: survey
            .gaps
            .iter()
            .map(|g| GapEntry {
                source: oneline(&g.source, 200),
                minutes: g.minutes,
                of: g.of,
                longest: g.longest,
                gaps: g.gaps,
            })
            .collect(),
        numbers,
        not_measured,
    }
}

fn definitions() -> Vec<DefinitionEntry> {
    let all = DEFINITIONS.iter().map(|d| DefinitionEntry {
        metric: d.metric,
        formula_id: d.id(),
        title: d.title,
        unit: d.unit,
        formula: d.formula,
    });
    all.collect()
}

fn terms(config: &MetricsConfig) -> TermsEntry {
    let sla = config.sla.iter().map(|(severity, level)| LevelEntry {
        severity: *severity,
        acknowledge: level.acknowledge.0.as_secs_f64(),
        resolve: level.resolve.0.as_secs_f64(),
    });
    let by_severity = config.baseline_minutes.iter();
    let by_severity = by_severity.map(|(s, minutes)| (s.as_str().to_owned(), *minutes));
    let by_rule = config.rule_minutes.iter();
    let by_rule = by_rule.map(|(rule, minutes)| (oneline(rule, 200), *minutes));
    TermsEntry {
        sla: sla.collect(),
        baseline: by_severity
            .chain(by_rule)
            .map(|(of, minutes)| MinutesEntry { of, minutes })
            .collect(),
        review_minutes: config.review_minutes,
    }
}
