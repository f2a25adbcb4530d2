//! The ways to people in `/readyz`: connected or not, what waits, what went wrong last; what the other side said stays in the log.

use chrono::TimeDelta;
use serde::Serialize;
use state::model::Time;

use crate::ctx::Ctx;
use crate::telemetry::{Link, WayStanding};

use super::health::SEVERAL;

/// How long a post may wait before its way is degraded.
const LONG: TimeDelta = TimeDelta::minutes(10);

/// One way to people.
#[derive(Debug, Serialize)]
pub(super) struct WayLine {
    /// `slack`, `webhook.NAME` or `mail`.
    name: String,
    state: &'static str,
    /// Whether the connection over which answers come is there; only of a way that keeps one.
    #[serde(skip_serializing_if = "Option::is_none")]
    connected: Option<bool>,
    /// Since when it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    last_told: Option<Time>,
    failures_in_a_row: u64,
    unsent: i64,
    /// Since when the oldest unsent post waits.
    oldest_unsent: Option<Time>,
    /// Posts that were refused for good: `nightdesk notify list --state failed`.
    given_up: i64,
    last_error: Option<Wrong>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// What went wrong last with a post.
#[derive(Debug, Serialize)]
struct Wrong {
    at: Time,
    what: &'static str,
}

impl WayLine {
    pub(super) fn is_degraded(&self) -> bool {
        self.state == "degraded"
    }
}

/// Every configured way, as it stands.
pub(super) fn ways(ctx: &Ctx, now: Time) -> Vec<WayLine> {
    let mut standing = ctx.guard.meters.ways_now();
    let ways = ctx.config.people.notify.ways().into_iter();
    ways.map(|way| {
        let standing = standing.remove(&way).unwrap_or_default();
        line(way, &standing, now)
    })
    .collect()
}

fn line(name: String, standing: &WayStanding, now: Time) -> WayLine {
    let why = wrong(standing, now);
    WayLine {
        name,
        state: if why.is_some() { "degraded" } else { "ok" },
        connected: standing.link.map(|(link, _)| link == Link::Up),
        since: standing.link.map(|(_, since)| since),
        last_told: standing.told,
        failures_in_a_row: standing.failures,
        unsent: standing.unsent,
        oldest_unsent: standing.oldest,
        given_up: standing.failed,
        last_error: standing.fault.map(|(fault, at)| Wrong {
            at,
            what: fault.as_str(),
        }),
        why,
    }
}

/// Why people may not be told, or may not be heard.
fn wrong(standing: &WayStanding, now: Time) -> Option<String> {
    if let Some((Link::Down, since)) = standing.link {
        let long = (now - since).num_seconds().max(0);
        return Some(format!("not connected for {long} s"));
    }
    if standing.failures >= u64::from(SEVERAL) {
        return Some(format!("{} attempts in a row failed", standing.failures));
    }
    let waited = now - standing.oldest?;
    (waited > LONG).then(|| {
        let long = waited.num_seconds();
        format!("the oldest unsent post has waited for {long} s")
    })
}
