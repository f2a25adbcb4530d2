//! The figures of a period computed once more, in plain Rust over rows that the store's public functions give: no SQL, and
//! nothing of the room `metrics`.

mod desk;
mod figures;

use std::collections::BTreeMap;

use agent::config::MetricsConfig;
use state::model::{
    Alert, Analyst, Approval, ApprovalState, CaseStatus, Effect, EffectDecision, Severity, Spent,
    TimelineEvent, TimelineKind, ToolCall, VerdictKind as V, VerdictReason,
};
use state::store::{CaseFilter, Store, StoredVerdict};

pub(crate) use figures::figures;

/// Metric, dimension, value, statistic.
pub(crate) type Place = (String, String, String, String);
/// The number, and over how many.
pub(crate) type Found = BTreeMap<Place, (Option<f64>, i64)>;

/// A case as it stands in the store.
pub(crate) struct Whole {
    pub(crate) status: CaseStatus,
    pub(crate) first: i64,
    pub(crate) alerts: Vec<Alert>,
    pub(crate) verdicts: Vec<StoredVerdict>,
    pub(crate) timeline: Vec<TimelineEvent>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) approvals: Vec<Approval>,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) spent: Spent,
    /// Principals, and times of votes.
    people: (Vec<String>, Vec<i64>),
    /// Word of people by alert, with its time.
    pub(crate) words: BTreeMap<i64, (V, i64)>,
}

/// When something was done about an alert, microseconds.
#[derive(Clone, Copy)]
pub(crate) struct Response {
    /// The first countermeasure was sent.
    pub(crate) sent: Option<i64>,
    /// The first one was seen to be in force.
    pub(crate) in_force: Option<i64>,
}

/// The clock points of an alert, microseconds.
#[derive(Clone)]
pub(crate) struct Clock {
    pub(crate) e: Option<i64>,
    pub(crate) c: i64,
    pub(crate) i: i64,
    pub(crate) s: Option<i64>,
    pub(crate) v: Option<i64>,
    pub(crate) x: Option<i64>,
    pub(crate) response: Response,
    pub(crate) z: Option<i64>,
    pub(crate) z1: Option<i64>,
    pub(crate) h: Option<i64>,
    pub(crate) touched: Option<i64>,
    pub(crate) r: Option<i64>,
}

/// An alert with its clock points and what was said of it.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) case: usize,
    pub(crate) source: String,
    pub(crate) rule: String,
    pub(crate) severity: Severity,
    clock: Clock,
    pub(crate) asked: bool,
    pub(crate) machine: Option<V>,
    pub(crate) reason: Option<VerdictReason>,
    pub(crate) tier: Option<u8>,
    pub(crate) human: Option<V>,
    /// The person's word, unless it came with the yes to a proposed close.
    pub(crate) own: Option<V>,
    pub(crate) minutes: Option<f64>,
}

impl std::ops::Deref for Row {
    type Target = Clock;
    fn deref(&self) -> &Clock {
        &self.clock
    }
}

impl Row {
    pub(crate) fn last_word(&self) -> Option<V> {
        self.human.or(self.machine)
    }
    pub(crate) fn untouched_close(&self) -> bool {
        self.z.is_some_and(|z| self.touched.is_none_or(|t| t > z))
    }
    pub(crate) fn human_minutes(&self) -> f64 {
        self.touched.and(self.minutes).unwrap_or(0.0)
    }
    pub(crate) fn machine_micros(&self) -> i64 {
        match (self.s, self.v) {
            (Some(s), Some(v)) if v >= s => v - s,
            _ => 0,
        }
    }
}

pub(crate) async fn read(store: &Store) -> Vec<Whole> {
    let approvals = store.approvals(None).await.unwrap();
    let words = store
        .feedback_since(chrono::DateTime::UNIX_EPOCH, None)
        .await
        .unwrap();
    let mut all = Vec::new();
    for line in store.list_cases(CaseFilter::default()).await.unwrap() {
        let id = line.case.id;
        let entities = store.entities_of(id).await.unwrap();
        let mut votes = Vec::new();
        for asked in approvals.iter().filter(|a| a.case == id) {
            let cast = store.votes_of(asked.id).await.unwrap();
            votes.extend(cast.iter().map(|v| v.at.timestamp_micros()));
        }
        all.push(Whole {
            status: line.case.status,
            first: line.case.alert_time.timestamp_micros(),
            alerts: store.alerts_of(id).await.unwrap(),
            verdicts: store.verdicts_of(id).await.unwrap(),
            timeline: store.timeline(id).await.unwrap(),
            effects: store.effects_of(id).await.unwrap(),
            approvals: approvals.iter().filter(|a| a.case == id).cloned().collect(),
            calls: store.calls_of(id).await.unwrap(),
            spent: store.spent_of(id).await.unwrap(),
            people: (entities.into_iter().map(|e| e.value).collect(), votes),
            words: words
                .iter()
                .filter(|w| w.case == id)
                .map(|w| (w.alert.0, (w.kind, w.at.timestamp_micros())))
                .collect(),
        });
    }
    all
}

impl Whole {
    /// Times of turns of a kind.
    pub(crate) fn turns(&self, kind: TimelineKind) -> Vec<i64> {
        let of = self.timeline.iter().filter(|e| e.kind == kind);
        of.map(|e| e.at.timestamp_micros()).collect()
    }

    /// Times at which a person answered, or took the case over; what the daemon writes of a question is not one.
    pub(crate) fn answers(&self) -> Vec<i64> {
        let of = self.timeline.iter();
        let of = of.filter(|e| e.kind == TimelineKind::Answered && e.actor != "nightdesk");
        of.map(|e| e.at.timestamp_micros()).collect()
    }

    /// Times at which people did something.
    fn touches(&self) -> Vec<i64> {
        self.answers()
            .into_iter()
            .chain(self.people.1.iter().copied())
            .chain(self.words.values().map(|(_, at)| *at))
            .collect()
    }

    /// When a countermeasure was first sent, and first read back, from an instant on.
    fn response(&self, from: i64) -> Response {
        let first = |proofs: &[&str]| {
            let done = proofs.iter().flat_map(|p| self.countermeasures(p));
            done.filter(|t| *t >= from).min()
        };
        Response {
            sent: first(&["requested", "confirmed"]),
            in_force: first(&["confirmed"]),
        }
    }

    /// Times at which that much was known of a countermeasure.
    fn countermeasures(&self, proof: &str) -> Vec<i64> {
        let done = self.timeline.iter().filter(|e| {
            let effect = e.data["effect"].as_i64();
            let mut counters = self.effects.iter().filter(|f| f.about.d3fend.is_some());
            e.kind == TimelineKind::EffectCarriedOut
                && e.data["proof"] == proof
                && counters.any(|f| Some(f.id) == effect && f.decision == EffectDecision::Executed)
        });
        done.map(|e| e.at.timestamp_micros()).collect()
    }

    /// The daemon's verdicts on an alert, in order.
    fn ours(&self, alert: &Alert) -> Vec<&StoredVerdict> {
        let given = self.verdicts.iter().filter(|v| v.verdict.alert == alert.id);
        let ours = given.filter(|v| v.verdict.provenance.analyst != Analyst::Human);
        let mut ours: Vec<_> = ours.collect();
        ours.sort_by_key(|v| v.seq);
        ours
    }

    /// From the earliest evidence to the first true positive of the period, if that is the case's first; `Some(None)` for
    /// an incident that has no such evidence.
    pub(crate) fn dwell(&self, (since, until): (i64, i64)) -> Option<Option<i64>> {
        let real = self.alerts.iter().filter(|a| {
            let ours = self.ours(a);
            let said = self.words.get(&a.id.0).map(|(kind, _)| *kind);
            said.or(ours.last().map(|v| v.verdict.kind)) == Some(V::TruePositive)
        });
        let (before, real): (Vec<&Alert>, Vec<&Alert>) = real
            .filter(|a| a.time.timestamp_micros() < until)
            .partition(|a| a.time.timestamp_micros() < since);
        if !before.is_empty() {
            return None;
        }
        let first = real.iter().map(|a| a.time.timestamp_micros()).min()?;
        let began = real.iter().filter_map(|a| {
            let at = self.ours(a).last()?.verdict.basis.earliest?;
            Some(at.timestamp_micros())
        });
        let dwelt = began.min().map(|b| first - b);
        Some(dwelt.map(|d| if (-999..0).contains(&d) { 0 } else { d }))
    }

    fn row(&self, at: usize, alert: &Alert, config: &MetricsConfig) -> Row {
        let (c, i) = (
            alert.time.timestamp_micros(),
            alert.received.timestamp_micros(),
        );
        let since = |kind| {
            let turns = self.turns(kind);
            turns.into_iter().filter(|t| *t >= i).collect::<Vec<_>>()
        };
        let first = |kind| since(kind).into_iter().min();
        let (escalated, asked) = (first(TimelineKind::Escalated), first(TimelineKind::Asked));
        let x = [escalated, asked].into_iter().flatten().min();
        let closed = since(TimelineKind::Closed);
        let z1 = closed.iter().copied().min();
        let ours = self.ours(alert);
        let last = ours.last().map(|v| &v.verdict);
        let events = alert.activities.iter().filter_map(|a| a.time);
        let after = |from: i64| self.touches().into_iter().filter(|t| *t >= from).min();
        let minutes = config.rule_minutes.get(&alert.rule.id);
        let clock = Clock {
            e: events.map(|t| t.timestamp_micros()).min(),
            c,
            i,
            s: first(TimelineKind::Claimed),
            v: ours.first().map(|v| v.verdict.at.timestamp_micros()),
            x,
            response: self.response(i),
            z: closed
                .iter()
                .copied()
                .max()
                .filter(|_| self.status == CaseStatus::Closed),
            z1,
            h: x.and_then(after),
            touched: after(i),
            r: z1.and_then(|z| {
                self.turns(TimelineKind::Claimed)
                    .into_iter()
                    .filter(|t| *t > z)
                    .min()
            }),
        };
        let human = self.words.get(&alert.id.0).map(|(kind, _)| *kind);
        let mut asked_for = self.approvals.iter();
        let confirmed = asked_for.any(|a| a.action == "close" && a.state == ApprovalState::Used);
        Row {
            case: at,
            source: alert.source.clone(),
            rule: alert.rule.id.clone(),
            severity: alert.severity,
            asked: x.is_some() && asked == x,
            machine: last.map(|v| v.kind),
            reason: last.map(|v| v.reason),
            tier: last.map(|v| v.provenance.tier.number()),
            human,
            own: human.filter(|_| !confirmed),
            minutes: minutes
                .or_else(|| config.baseline_minutes.get(&alert.severity))
                .copied(),
            clock,
        }
    }

    pub(crate) fn open_at(&self, end: i64) -> bool {
        let last = |kind| self.turns(kind).into_iter().filter(|t| *t < end).max();
        let (closed, claimed) = (last(TimelineKind::Closed), last(TimelineKind::Claimed));
        self.first < end && closed.is_none_or(|z| claimed.is_some_and(|s| z < s))
    }

    pub(crate) fn principal(&self) -> &str {
        &self.people.0[0]
    }
}

/// The alerts of a period.
pub(crate) fn rows(all: &[Whole], (since, until): (i64, i64), config: &MetricsConfig) -> Vec<Row> {
    let mut rows = Vec::new();
    for (at, whole) in all.iter().enumerate() {
        for alert in &whole.alerts {
            let c = alert.time.timestamp_micros();
            if c >= since && c < until {
                rows.push(whole.row(at, alert, config));
            }
        }
    }
    rows
}
