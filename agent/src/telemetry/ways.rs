//! How each way to people stands: what its posts and its connection have told, and what the store holds for it; telling people is the room `notify`'s.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use state::model::Time;
use state::store::WayPosts;

use super::Meters;
use super::meters::{One, Seconds, one};

/// Whether a connection is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is.
    Up,
    /// It is not.
    Down,
}

/// What went wrong, as a word of a closed list: what the other side said stays in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayFault {
    /// It could not be reached, failed, or wants to be left alone; it is tried again.
    Later,
    /// People see a part of a post; the rest is tried again.
    Partly,
    /// It refused a post for good.
    Refused,
}

impl WayFault {
    /// In a sentence.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Later => "it could not be reached, failed or wants to be left alone",
            Self::Partly => "people see only a part of a post",
            Self::Refused => "it refused a post for good",
        }
    }
}

/// How a way to people stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WayStanding {
    /// The connection over which answers come, and since when it is so; none for a way that keeps none.
    pub link: Option<(Link, Time)>,
    /// Last time a post arrived.
    pub told: Option<Time>,
    /// Attempts since then that failed.
    pub failures: u64,
    /// What went wrong last, and when.
    pub fault: Option<(WayFault, Time)>,
    /// Posts that people are to see and do not, or not as they are now; from the store.
    pub unsent: i64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Time>,
    /// Posts that were refused for good, among the newest.
    pub failed: i64,
}

/// Gauges and standing of all ways, by name.
#[derive(Debug, Default)]
pub(super) struct Ways {
    unsent: Family<One, Gauge>,
    oldest: Family<One, Seconds>,
    failed: Family<One, Gauge>,
    connected: Family<One, Gauge>,
    standing: Mutex<BTreeMap<String, WayStanding>>,
}

impl Ways {
    pub(super) fn register(&self, r: &mut Registry) {
        let help = "Posts that people are to see and do not, or not as they are now";
        r.register("soc_posts_unsent", help, self.unsent.clone());
        let help = "How long the oldest unsent post has waited, 0 when there is none";
        let name = "soc_posts_oldest_unsent_seconds";
        r.register(name, help, self.oldest.clone());
        let help = "Posts that were refused for good and that nobody sees, among the newest 10,000";
        r.register("soc_posts_failed", help, self.failed.clone());
        let help = "Whether the connection over which people answer is there";
        r.register("soc_way_connected", help, self.connected.clone());
    }

    fn with<T>(&self, look: impl FnOnce(&mut BTreeMap<String, WayStanding>) -> T) -> T {
        look(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn one<T>(&self, way: &str, look: impl FnOnce(&mut WayStanding) -> T) -> T {
        self.with(|all| look(all.entry(way.to_owned()).or_default()))
    }

    fn link(&self, way: &str, link: Link, now: Time) {
        self.one(way, |standing| {
            if standing.link.is_none_or(|(known, _)| known != link) {
                standing.link = Some((link, now));
            }
        });
        let up = i64::from(link == Link::Up);
        self.connected.get_or_create(&one("way", way)).set(up);
    }

    /// Takes over what the store holds for every way that is known; a way that is no longer configured is nobody's.
    pub(super) fn read(&self, posts: &[WayPosts], now: Time) {
        self.with(|all| {
            for (way, standing) in all {
                let held = posts.iter().find(|p| p.way == *way);
                standing.unsent = held.map_or(0, |p| p.unsent);
                standing.oldest = held.and_then(|p| p.oldest);
                standing.failed = held.map_or(0, |p| p.failed);
                let age = standing.oldest.map_or(0.0, |oldest| {
                    (now - oldest).to_std().unwrap_or_default().as_secs_f64()
                });
                let label = one("way", way);
                self.unsent.get_or_create(&label).set(standing.unsent);
                self.oldest.get_or_create(&label).set(age);
                self.failed.get_or_create(&label).set(standing.failed);
            }
        });
    }
}

impl Meters {
    /// A way to people is configured, though it may never have been used. One that keeps a connection is down from
    /// `linked_from` until it says otherwise: without a series no alert rule could see that it never came up.
    pub fn know_way(&self, way: &str, linked_from: Option<Time>) {
        self.ways.one(way, |_| {});
        if let Some(from) = linked_from {
            self.ways.link(way, Link::Down, from);
        }
    }

    /// The connection of a way is there, or is not, at `now`.
    pub fn linked(&self, way: &str, link: Link, now: Time) {
        self.ways.link(way, link, now);
    }

    /// A post arrived.
    pub fn told(&self, way: &str, now: Time) {
        self.ways.one(way, |standing| {
            (standing.told, standing.failures) = (Some(now), 0);
        });
    }

    /// A post did not arrive, or not whole.
    pub fn untold(&self, way: &str, fault: WayFault, now: Time) {
        self.ways.one(way, |standing| {
            standing.failures += 1;
            standing.fault = Some((fault, now));
        });
    }

    /// How every way stands, by name.
    #[must_use]
    pub fn ways_now(&self) -> BTreeMap<String, WayStanding> {
        self.ways.with(|all| all.clone())
    }
}
