//! Answers of log queries that are kept about entities: `[baselines]`; keeping them is `pipeline::baseline`'s, when the daemon's.

use std::time::Duration;

use mcp_clients::config::Span;
use serde::Deserialize;

use super::schedule;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// `[baselines]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BaselinesConfig {
    /// Whether they are kept and read; else every step asks anew.
    pub enabled: bool,
    /// When they are made anew, as a cron expression of five fields in UTC; days of the week by name.
    pub at: String,
    /// How far back they reach.
    pub window: Span,
    /// How long before they are made they end: what happened since makes nothing usual.
    pub lag: Span,
    /// Entities of recent alerts that are kept, the newest first.
    pub at_most: usize,
    /// Questions asked in a minute while a round lasts, so that cases keep their share of the servers' rates.
    pub per_minute: usize,
}

impl Default for BaselinesConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            at: "17 */6 * * *".to_owned(),
            window: Span(45 * DAY),
            lag: Span(DAY),
            at_most: 200,
            per_minute: 10,
        }
    }
}

impl BaselinesConfig {
    /// The schedule.
    ///
    /// # Errors
    /// Why `at` is none, in a sentence.
    pub fn schedule(&self) -> Result<cron::Schedule, String> {
        schedule::schedule(&self.at)
    }

    /// What can't be meant: the key within the section and why.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        if let Err(why) = self.schedule() {
            faults.push(("at", why));
        }
        let (least, most) = (DAY * 7, DAY * 365);
        if self.window.0 < least || self.window.0 > most {
            let message = format!("must lie between {} and {}", Span(least), Span(most));
            faults.push(("window", message));
        }
        if self.lag.0 < HOUR || self.lag.0 > DAY * 7 || self.lag >= self.window {
            let message = format!(
                "must lie between {} and {}, and be less than window",
                Span(HOUR),
                Span(DAY * 7)
            );
            faults.push(("lag", message));
        }
        for (key, number, most) in [
            ("at_most", self.at_most, 10_000),
            ("per_minute", self.per_minute, 600),
        ] {
            if number == 0 || number > most {
                faults.push((key, format!("must lie between 1 and {most}")));
            }
        }
        faults
    }
}
