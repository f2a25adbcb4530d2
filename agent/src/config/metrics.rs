//! What the manager reads every week: `[metrics]`; measuring is the room `metrics`', sending the daemon's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{Datelike as _, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use mcp_clients::config::Span;
use serde::{Deserialize, Deserializer, Serialize};
use state::model::{Severity, Time};
use state::store::metrics::{SeverityTerms, Terms};

use super::schedule;

/// Longest service level and most minutes that can be meant.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const MOST_MINUTES: f64 = 7.0 * 24.0 * 60.0;

/// `[metrics]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// Whether the running daemon exports each week; by hand it is always possible.
    pub enabled: bool,
    /// IANA name; a week begins on Monday at 00:00 there.
    pub time_zone: Zone,
    /// Folder of the exports, one folder a period in it.
    pub dir: PathBuf,
    /// When, as a cron expression of five fields in UTC; days of the week by name.
    pub at: String,
    /// What is written on schedule.
    pub formats: Vec<MetricsFormat>,
    /// Service levels; what is set here stands over the defaults, severity by severity.
    #[serde(deserialize_with = "over_levels")]
    pub sla: BTreeMap<Severity, ServiceLevel>,
    /// Minutes an analyst spends on an alert by hand, by severity; over the defaults likewise.
    #[serde(deserialize_with = "over_minutes")]
    pub baseline_minutes: BTreeMap<Severity, f64>,
    /// The same by rule id; it wins over the severity's.
    pub rule_minutes: BTreeMap<String, f64>,
    /// Minutes a person spends to check one sampled close.
    pub review_minutes: f64,
}

/// `[metrics.sla.SEVERITY]`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceLevel {
    /// From the moment a case is handed to a person until one acts on it.
    pub acknowledge: Span,
    /// From the alert until its case is closed.
    pub resolve: Span,
}

/// A form of the export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsFormat {
    /// `metrics.json`: everything, with a published schema
    Json,
    /// `metrics.csv` and `noisy_rules.csv`
    Csv,
    /// `report.md`
    Md,
    /// `report.html`: one file, to read and to print
    Html,
}

impl MetricsFormat {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Json, Self::Csv, Self::Md, Self::Html];
}

/// A time zone by its IANA name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(pub chrono_tz::Tz);

impl Zone {
    /// The first instant of a day there. Where midnight comes twice it is the first, where it does not come (or the whole
    /// day is left out) it is the next time that does; none outside of the calendar.
    #[must_use]
    pub fn begins(self, day: NaiveDate) -> Option<Time> {
        let midnight = day.and_time(NaiveTime::MIN);
        (0..=(26 * 4)).find_map(|quarters| {
            let local = midnight.checked_add_signed(TimeDelta::minutes(15 * quarters))?;
            let found = self.0.from_local_datetime(&local).earliest();
            found.map(|t| t.with_timezone(&Utc))
        })
    }

    /// The first instants of the week of a time there, and of the next week.
    #[must_use]
    pub fn week_of(self, at: Time) -> Option<(Time, Time)> {
        let day = at.with_timezone(&self.0).date_naive();
        let into = u64::from(day.weekday().num_days_from_monday());
        let monday = day.checked_sub_days(Days::new(into))?;
        let next = monday.checked_add_days(Days::new(7))?;
        Some((self.begins(monday)?, self.begins(next)?))
    }
}

impl std::str::FromStr for Zone {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let name = name.trim();
        let zone = name.parse().map(Self);
        zone.map_err(|_| {
            format!(
                "`{}` is no time zone: write its IANA name, such as Europe/Berlin or UTC",
                crate::text::oneline(name, 60)
            )
        })
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.0.name())
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            time_zone: Zone(chrono_tz::Tz::UTC),
            dir: PathBuf::from("metrics"),
            at: "0 6 * * Mon".to_owned(),
            formats: MetricsFormat::ALL.to_vec(),
            sla: levels(),
            baseline_minutes: minutes(),
            rule_minutes: BTreeMap::new(),
            review_minutes: 5.0,
        }
    }
}

fn levels() -> BTreeMap<Severity, ServiceLevel> {
    let level = |minutes: u64, hours: u64| ServiceLevel {
        acknowledge: Span(Duration::from_secs(minutes * 60)),
        resolve: Span(Duration::from_secs(hours * 3600)),
    };
    BTreeMap::from([
        (Severity::Fatal, level(15, 4)),
        (Severity::Critical, level(15, 4)),
        (Severity::High, level(30, 8)),
        (Severity::Medium, level(4 * 60, 24)),
        (Severity::Low, level(8 * 60, 72)),
        (Severity::Informational, level(24 * 60, 168)),
    ])
}

fn minutes() -> BTreeMap<Severity, f64> {
    BTreeMap::from([
        (Severity::Fatal, 30.0),
        (Severity::Critical, 30.0),
        (Severity::High, 20.0),
        (Severity::Medium, 15.0),
        (Severity::Low, 10.0),
        (Severity::Informational, 5.0),
        (Severity::Unknown, 10.0),
    ])
}

fn over_levels<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<Severity, ServiceLevel>, D::Error> {
    let mut all = levels();
    all.extend(BTreeMap::<Severity, ServiceLevel>::deserialize(from)?);
    Ok(all)
}

fn over_minutes<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Severity, f64>, D::Error> {
    let mut all = minutes();
    all.extend(BTreeMap::<Severity, f64>::deserialize(from)?);
    Ok(all)
}

impl MetricsConfig {
    /// The schedule.
    ///
    /// # Errors
    /// Why `at` is none, in a sentence.
    pub fn schedule(&self) -> Result<cron::Schedule, String> {
        schedule::schedule(&self.at)
    }

    /// What severities promise and cost, as the store reads it.
    #[must_use]
    pub fn terms(&self) -> Terms {
        let severities = Severity::ALL.iter().filter_map(|severity| {
            let level = self.sla.get(severity);
            let minutes = self.baseline_minutes.get(severity);
            // Without a level nothing is in its scope; without minutes nothing is saved.
            let seconds = |span: Option<Span>| span.map(|s| s.0.as_secs_f64());
            (level.is_some() || minutes.is_some()).then(|| {
                let terms = SeverityTerms {
                    acknowledge: seconds(level.map(|l| l.acknowledge)),
                    resolve: seconds(level.map(|l| l.resolve)),
                    minutes: minutes.copied(),
                };
                (*severity, terms)
            })
        });
        Terms {
            severities: severities.collect(),
            rule_minutes: self.rule_minutes.clone().into_iter().collect(),
            review_minutes: self.review_minutes,
        }
    }

    /// Why the schedule is one that comes round shortly before the week is over, and not again for days: each week would be
    /// exported a week late. West of Greenwich Monday morning in UTC is Sunday evening.
    fn too_early(&self, schedule: &cron::Schedule) -> Option<String> {
        // One week's end in winter and one in summer.
        let ends = [(2026, 1, 5), (2026, 7, 6)]
            .into_iter()
            .filter_map(|(y, m, d)| {
                let monday = NaiveDate::from_ymd_opt(y, m, d)?.and_hms_opt(0, 0, 0)?;
                let local = self.time_zone.0.from_local_datetime(&monday).earliest()?;
                Some(local.with_timezone(&Utc))
            });
        let early = ends.into_iter().any(|end| {
            // One second earlier, so that a time at the very end is after it.
            let at = end - TimeDelta::seconds(1);
            let next = schedule.after(&at).next();
            let last = schedule.after(&at).rev().find(|t| *t < end);
            last.is_some_and(|t| end - t < TimeDelta::days(1))
                && next.is_some_and(|t| t - end > TimeDelta::days(6))
        });
        early.then(|| {
            format!(
                "comes shortly before the week is over in {}, so each would be exported a week late: write a time in UTC after Monday 00:00 there",
                self.time_zone
            )
        })
    }

    /// What is well-formed and can't be meant: the setting below `[metrics]`, and why.
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        match self.schedule() {
            Ok(schedule) => {
                faults.extend(self.too_early(&schedule).map(|why| ("at".to_owned(), why)))
            }
            Err(why) => faults.push(("at".to_owned(), why)),
        }
        if self.dir.as_os_str().is_empty() {
            let why = "names no folder; leave it out for `metrics`".to_owned();
            faults.push(("dir".to_owned(), why));
        }
        if self.formats.is_empty() {
            let why = "names none of json, csv, md, html; to export nothing write enabled = false";
            faults.push(("formats".to_owned(), why.to_owned()));
        }
        for (severity, level) in &self.sla {
            for (key, span) in [
                ("acknowledge", level.acknowledge.0),
                ("resolve", level.resolve.0),
            ] {
                if span < Duration::from_secs(1) || span > YEAR {
                    let why = "must lie between 1s and 365d".to_owned();
                    faults.push((format!("sla.{severity}.{key}"), why));
                }
            }
        }
        let by_severity = self.baseline_minutes.iter();
        let by_severity = by_severity.map(|(s, m)| (format!("baseline_minutes.{s}"), *m));
        let by_rule = self.rule_minutes.iter();
        let by_rule = by_rule.map(|(rule, m)| (format!("rule_minutes.{rule}"), *m));
        let review = ("review_minutes".to_owned(), self.review_minutes);
        for (key, minutes) in by_severity.chain(by_rule).chain([review]) {
            if !(0.0..=MOST_MINUTES).contains(&minutes) {
                let why = format!("is in minutes: 0 to {MOST_MINUTES}");
                faults.push((key, why));
            }
        }
        faults
    }
}
