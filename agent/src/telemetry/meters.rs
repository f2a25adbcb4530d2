//! What the daemon counts about itself, for `/metrics`; no label holds what an outsider or a model wrote, and nothing is decided by it.
//!
//! A label value is a word of a closed list, a name from the configuration, or a number of a rule. Whoever calls keeps
//! to that: a tool's server is named only when the catalogue knows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use state::model::{Analyst, CallOutcome, Switch, SwitchState, Tier, Time, VerdictKind};
use state::store::Live;

use super::ways::Ways;

/// One label.
pub(super) type One = [(&'static str, String); 1];
/// Two labels.
type Two = [(&'static str, String); 2];
/// Three labels.
type Three = [(&'static str, String); 3];
/// A verdict, the tier it was given at, and who gave it.
pub type Given = (VerdictKind, Tier, Analyst);
/// A gauge of seconds.
pub(super) type Seconds = Gauge<f64, AtomicU64>;

/// Bounds of the buckets of a case's work, seconds.
const WORK: [f64; 13] = [
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
];
/// Bounds of the buckets of a tool call, seconds.
const CALL: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0,
];

/// How a metric is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus text, version 0.0.4.
    Prometheus,
    /// OpenMetrics text, version 1.0.0.
    OpenMetrics,
}

impl Exposition {
    /// Its media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// How a source stands, as its polls have told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceStanding {
    /// Last time it answered; for a pushed source, the last time it sent.
    pub success: Option<Time>,
    /// Failures since then.
    pub failures: u64,
}

/// What is counted as it happens.
#[derive(Debug, Default)]
struct Counted {
    ingested: Family<One, Counter>,
    polled: Family<One, Seconds>,
    poll_failures: Family<One, Counter>,
    verdicts: Family<Three, Counter>,
    refusals: Family<One, Counter>,
    calls: Family<Two, Counter>,
    turns: Family<One, Counter>,
    tokens: Family<One, Counter>,
    lost_spans: Counter,
}

/// What is read from the store when somebody asks.
#[derive(Debug, Default)]
struct Read {
    cases: Family<One, Gauge>,
    alerts: Gauge,
    oldest: Seconds,
    approvals: Gauge,
    closes: Family<One, Counter>,
    dead_letters: Counter,
    canary: Seconds,
    switches: Family<One, Gauge>,
    integrity: Gauge,
}

/// All meters of a daemon.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    counted: Counted,
    read: Read,
    work: Histogram,
    call: Histogram,
    sources: Mutex<BTreeMap<String, SourceStanding>>,
    pub(super) ways: Ways,
    /// Whether canaries are sent.
    canaries: AtomicBool,
}

impl Default for Meters {
    fn default() -> Self {
        let mut meters = Self {
            registry: Registry::default(),
            counted: Counted::default(),
            read: Read::default(),
            work: Histogram::new(WORK),
            call: Histogram::new(CALL),
            sources: Mutex::default(),
            ways: Ways::default(),
            canaries: AtomicBool::new(false),
        };
        meters.register_counted();
        meters.register_read();
        meters.ways.register(&mut meters.registry);
        meters
    }
}

impl Meters {
    fn register_counted(&mut self) {
        let (r, c) = (&mut self.registry, &self.counted);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        r.register("soc_build", "The program", build);
        let help = "Alerts stored for the first time";
        r.register("soc_alerts_ingested", help, c.ingested.clone());
        let help = "When the source last answered a poll, or the daemon started, Unix seconds";
        let name = "soc_poll_last_success_timestamp_seconds";
        r.register(name, help, c.polled.clone());
        let help = "Polls that failed";
        r.register("soc_poll_failures", help, c.poll_failures.clone());
        let help = "Verdicts given by the daemon";
        r.register("soc_verdicts", help, c.verdicts.clone());
        let help = "Calls, effects and closes refused, by the number of the gate's rule";
        r.register("soc_gate_refusals", help, c.refusals.clone());
        let help = "Tool calls that were let through, by how they ended";
        r.register("soc_tool_calls", help, c.calls.clone());
        let help = "Questions to the model, all attempts of one together";
        r.register("soc_model_requests", help, c.turns.clone());
        let help = "Tokens of answered questions";
        r.register("soc_model_tokens", help, c.tokens.clone());
        let help = "Spans that could not be sent to the collector";
        r.register("soc_spans_lost", help, c.lost_spans.clone());
        let help = "From taking a case off the queue to its stored end, seconds";
        r.register("soc_triage_duration_seconds", help, self.work.clone());
        let help = "How long tool calls took, seconds";
        r.register("soc_tool_call_duration_seconds", help, self.call.clone());
    }

    fn register_read(&mut self) {
        let (r, g) = (&mut self.registry, &self.read);
        let help = "Open cases";
        r.register("soc_backlog_cases", help, g.cases.clone());
        let help = "Alerts without a verdict whose work is not done";
        r.register("soc_backlog_alerts", help, g.alerts.clone());
        let help = "Age of the oldest case that waits for work or is worked, 0 when there is none";
        r.register("soc_oldest_open_seconds", help, g.oldest.clone());
        let help = "Questions that wait for a person";
        r.register("soc_approvals_pending", help, g.approvals.clone());
        let help = "Closes the daemon made alone, and those a person confirmed";
        r.register("soc_closes", help, g.closes.clone());
        let help = "Alerts nobody could read";
        r.register("soc_dead_letters", help, g.dead_letters.clone());
        let help = "When the newest canary passed; while none has, when the first was sent or the daemon started; Unix seconds, 0 when none is sent";
        let name = "soc_canary_last_success_timestamp_seconds";
        r.register(name, help, g.canary.clone());
        let help = "Whether a switch is on";
        r.register("soc_switch", help, g.switches.clone());
        let help = "Whether what decides is as it was accepted or started from";
        r.register("soc_integrity_ok", help, g.integrity.clone());
    }

    /// A configured source is there, though it may never have been asked yet. One that is polled counts as
    /// silent from that time on: without a series no alert rule could see that it never answered.
    pub fn know_source(&self, source: &str, polled_from: Option<Time>) {
        let label = one("source", source);
        drop(self.counted.ingested.get_or_create(&label));
        drop(self.counted.poll_failures.get_or_create(&label));
        let new = self.sources(|all| {
            let standing = all.entry(source.to_owned()).or_default();
            standing.success.is_none()
        });
        if let Some(began) = polled_from.filter(|_| new) {
            let began = unix_seconds(began);
            self.counted.polled.get_or_create(&label).set(began);
        }
    }

    /// A source answered, or sent, at `now`; so many of its alerts were new.
    pub fn received(&self, source: &str, new: usize, now: Time) {
        let label = one("source", source);
        let new = u64::try_from(new).unwrap_or(u64::MAX);
        self.counted.ingested.get_or_create(&label).inc_by(new);
        self.counted
            .polled
            .get_or_create(&label)
            .set(unix_seconds(now));
        self.sources(|all| {
            let standing = all.entry(source.to_owned()).or_default();
            (standing.success, standing.failures) = (Some(now), 0);
        });
    }

    /// A poll failed.
    pub fn poll_failed(&self, source: &str) {
        self.counted
            .poll_failures
            .get_or_create(&one("source", source))
            .inc();
        self.sources(|all| all.entry(source.to_owned()).or_default().failures += 1);
    }

    /// How every source stands, by name.
    #[must_use]
    pub fn sources_now(&self) -> BTreeMap<String, SourceStanding> {
        self.sources(|all| all.clone())
    }

    fn sources<T>(&self, look: impl FnOnce(&mut BTreeMap<String, SourceStanding>) -> T) -> T {
        look(&mut self.sources.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A case came to its stored end.
    pub fn worked(&self, given: &[Given], took: Duration) {
        for (verdict, tier, analyst) in given {
            let label = [
                ("verdict", verdict.to_string()),
                ("tier", tier.to_string()),
                ("analyst", analyst.to_string()),
            ];
            self.counted.verdicts.get_or_create(&label).inc();
        }
        self.work.observe(took.as_secs_f64());
    }

    /// The gate refused by a rule.
    pub fn refused(&self, rule: u8) {
        self.counted
            .refusals
            .get_or_create(&one("rule", &rule.to_string()))
            .inc();
    }

    /// A tool call of a server of the catalogue ended.
    pub fn called(&self, server: &str, outcome: CallOutcome, took: Duration) {
        let label = [
            ("server", server.to_owned()),
            ("outcome", outcome.to_string()),
        ];
        self.counted.calls.get_or_create(&label).inc();
        self.call.observe(took.as_secs_f64());
    }

    /// The model answered with so many tokens in and out.
    pub fn answered(&self, tokens_in: u64, tokens_out: u64) {
        self.counted
            .turns
            .get_or_create(&one("outcome", "ok"))
            .inc();
        for (direction, n) in [("in", tokens_in), ("out", tokens_out)] {
            self.counted
                .tokens
                .get_or_create(&one("direction", direction))
                .inc_by(n);
        }
    }

    /// The model gave no turn; `kind` is a word of a closed list.
    pub fn unanswered(&self, kind: &'static str) {
        self.counted
            .turns
            .get_or_create(&one("outcome", kind))
            .inc();
    }

    /// Spans that were made and could not be sent.
    pub fn spans_lost(&self, n: u64) {
        self.counted.lost_spans.inc_by(n);
    }

    /// Canaries are sent: until the store knows of one, it counts as late from `began` on. Only then is anything told of them.
    pub fn expect_canaries(&self, began: Time) {
        self.canaries.store(true, Ordering::Relaxed);
        self.read.canary.set(unix_seconds(began));
    }

    /// Takes over what the store says at `now`.
    pub fn read_store(&self, live: &Live, now: Time) {
        let read = &self.read;
        for (status, n) in &live.cases {
            read.cases
                .get_or_create(&one("status", status.as_str()))
                .set(*n);
        }
        read.alerts.set(live.alerts);
        let age = live.oldest.map_or(0.0, |o| {
            (now - o).to_std().unwrap_or_default().as_secs_f64()
        });
        read.oldest.set(age);
        read.approvals.set(live.approvals);
        let sent = self.canaries.load(Ordering::Relaxed);
        if let Some(passed) = live.canary.filter(|_| sent) {
            read.canary.set(unix_seconds(passed));
        }
        for (by, n) in [("nightdesk", live.closes), ("person", live.confirmed)] {
            raise(&read.closes.get_or_create(&one("by", by)), n);
        }
        raise(&read.dead_letters, live.dead_letters);
        self.ways.read(&live.posts, now);
    }

    /// Takes over how a switch stands.
    pub fn read_switch(&self, switch: Switch, state: SwitchState) {
        self.read
            .switches
            .get_or_create(&one("switch", switch.as_str()))
            .set(i64::from(state == SwitchState::On));
    }

    /// Takes over what was found broken of the integrity, if anything was.
    pub fn read_integrity(&self, broken: Option<&[String]>) {
        self.read.integrity.set(i64::from(broken.is_none()));
    }

    /// Everything, written down.
    ///
    /// # Errors
    /// When a meter can't be written.
    pub fn render(&self, how: Exposition) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        match how {
            Exposition::Prometheus => prometheus_text::encode(&mut out, &self.registry)?,
            Exposition::OpenMetrics => text::encode(&mut out, &self.registry)?,
        }
        Ok(out)
    }
}

/// A counter that is kept elsewhere, as it stands there.
fn raise(counter: &Counter, to: i64) {
    let to = u64::try_from(to).unwrap_or_default();
    counter.inner().fetch_max(to, Ordering::Relaxed);
}

pub(super) fn one(name: &'static str, value: &str) -> One {
    [(name, value.to_owned())]
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; exact up to 2^53"
)]
fn unix_seconds(time: Time) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}
