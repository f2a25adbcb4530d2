//! The figures of a period computed once more, in plain Rust over rows that the store's public functions give: no SQL, and
//! nothing of the room `metrics`.

use std::collections::{BTreeMap, BTreeSet};

use agent::config::MetricsConfig;
use state::model::{
    Alert, Analyst, Approval, ApprovalState, CallOutcome, CaseStatus, Effect, EffectDecision,
    Severity, Spent, TimelineEvent, TimelineKind, ToolCall, VerdictKind as V, VerdictReason,
};
use state::store::{CaseFilter, Store, StoredVerdict};

/// Metric, dimension, value, statistic.
pub(super) type Place = (String, String, String, String);
/// The number, and over how many.
pub(super) type Found = BTreeMap<Place, (Option<f64>, i64)>;

/// A case as it stands in the store.
pub(super) struct Whole {
    pub(super) status: CaseStatus,
    pub(super) opened: i64,
    pub(super) first: i64,
    pub(super) alerts: Vec<Alert>,
    verdicts: Vec<StoredVerdict>,
    timeline: Vec<TimelineEvent>,
    effects: Vec<Effect>,
    approvals: Vec<Approval>,
    calls: Vec<ToolCall>,
    spent: Spent,
    principals: Vec<String>,
    /// Word of people by alert, with its time.
    words: BTreeMap<i64, (V, i64)>,
}

/// An alert with its clock points, microseconds.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) case: usize,
    pub(super) source: String,
    pub(super) rule: String,
    severity: Severity,
    e: Option<i64>,
    c: i64,
    i: i64,
    s: Option<i64>,
    v: Option<i64>,
    x: Option<i64>,
    asked: bool,
    k: Option<i64>,
    z: Option<i64>,
    z1: Option<i64>,
    h: Option<i64>,
    touched: Option<i64>,
    r: Option<i64>,
    machine: Option<V>,
    pub(super) reason: Option<VerdictReason>,
    tier: Option<u8>,
    human: Option<V>,
    minutes: Option<f64>,
}

impl Row {
    pub(super) fn last_word(&self) -> Option<V> {
        self.human.or(self.machine)
    }
    fn untouched_close(&self) -> bool {
        self.z.is_some_and(|z| self.touched.is_none_or(|t| t > z))
    }
    pub(super) fn human_minutes(&self) -> f64 {
        self.touched.and(self.minutes).unwrap_or(0.0)
    }
    pub(super) fn machine_micros(&self) -> i64 {
        match (self.s, self.v) {
            (Some(s), Some(v)) if v >= s => v - s,
            _ => 0,
        }
    }
    pub(super) fn created(&self) -> i64 {
        self.c
    }
}

pub(super) async fn read(store: &Store) -> Vec<Whole> {
    let approvals = store.approvals(None).await.unwrap();
    let words = store
        .feedback_since(chrono::DateTime::UNIX_EPOCH, None)
        .await
        .unwrap();
    let mut all = Vec::new();
    for line in store.list_cases(CaseFilter::default()).await.unwrap() {
        let id = line.case.id;
        let entities = store.entities_of(id).await.unwrap();
        all.push(Whole {
            status: line.case.status,
            opened: line.case.opened.timestamp_micros(),
            first: line.case.alert_time.timestamp_micros(),
            alerts: store.alerts_of(id).await.unwrap(),
            verdicts: store.verdicts_of(id).await.unwrap(),
            timeline: store.timeline(id).await.unwrap(),
            effects: store.effects_of(id).await.unwrap(),
            approvals: approvals.iter().filter(|a| a.case == id).cloned().collect(),
            calls: store.calls_of(id).await.unwrap(),
            spent: store.spent_of(id).await.unwrap(),
            principals: entities.into_iter().map(|e| e.value).collect(),
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
    fn turns(&self, kind: TimelineKind) -> Vec<i64> {
        let of = self.timeline.iter().filter(|e| e.kind == kind);
        of.map(|e| e.at.timestamp_micros()).collect()
    }

    /// Times at which people did something.
    fn touches(&self) -> Vec<i64> {
        self.turns(TimelineKind::Answered)
            .into_iter()
            .chain(self.words.values().map(|(_, at)| *at))
            .collect()
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
        let given = self.verdicts.iter().filter(|v| v.verdict.alert == alert.id);
        let ours: Vec<_> = given
            .filter(|v| v.verdict.provenance.analyst != Analyst::Human)
            .collect();
        let last = ours.iter().max_by_key(|v| v.seq).map(|v| &v.verdict);
        let done = self.timeline.iter().filter(|e| {
            let effect = e.data["effect"].as_i64();
            let mut counters = self.effects.iter().filter(|f| f.d3fend.is_some());
            e.kind == TimelineKind::EffectCarriedOut
                && counters.any(|f| Some(f.id) == effect && f.decision == EffectDecision::Executed)
        });
        let events = alert.activities.iter().filter_map(|a| a.time);
        let after = |from: i64| self.touches().into_iter().filter(|t| *t >= from).min();
        let minutes = config.rule_minutes.get(&alert.rule.id);
        Row {
            case: at,
            source: alert.source.clone(),
            rule: alert.rule.id.clone(),
            severity: alert.severity,
            e: events.map(|t| t.timestamp_micros()).min(),
            c,
            i,
            s: first(TimelineKind::Claimed),
            v: ours
                .iter()
                .min_by_key(|v| v.seq)
                .map(|v| v.verdict.at.timestamp_micros()),
            x,
            asked: x.is_some() && asked == x,
            k: done
                .map(|e| e.at.timestamp_micros())
                .filter(|t| *t >= i)
                .min(),
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
            machine: last.map(|v| v.kind),
            reason: last.map(|v| v.reason),
            tier: last.map(|v| v.provenance.tier.number()),
            human: self.words.get(&alert.id.0).map(|(kind, _)| *kind),
            minutes: minutes
                .or_else(|| config.baseline_minutes.get(&alert.severity))
                .copied(),
        }
    }

    fn open_at(&self, end: i64) -> bool {
        let last = |kind| self.turns(kind).into_iter().filter(|t| *t < end).max();
        let (closed, claimed) = (last(TimelineKind::Closed), last(TimelineKind::Claimed));
        self.opened < end && !closed.is_some_and(|z| claimed.is_none_or(|s| z >= s))
    }

    pub(super) fn principal(&self) -> &str {
        &self.principals[0]
    }
}

/// The alerts of a period.
pub(super) fn rows(all: &[Whole], (since, until): (i64, i64), config: &MetricsConfig) -> Vec<Row> {
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

/// Collects the numbers.
struct Book(Found);

impl Book {
    fn put(
        &mut self,
        metric: &str,
        (by, value): (&str, &str),
        stat: &str,
        found: (Option<f64>, i64),
    ) {
        let place = (
            metric.to_owned(),
            by.to_owned(),
            value.to_owned(),
            stat.to_owned(),
        );
        assert!(
            self.0.insert(place, found).is_none(),
            "{metric} {by} {value} twice"
        );
    }

    fn count(&mut self, metric: &str, at: (&str, &str), n: usize) {
        self.put(metric, at, "value", (Some(n as f64), n as i64));
    }

    fn share(&mut self, metric: &str, at: (&str, &str), k: usize, n: usize) {
        let ratio = (n > 0).then(|| k as f64 / n as f64);
        self.put(metric, at, "value", (ratio, n as i64));
    }

    /// Durations; `None` is one in scope without an end.
    fn spread(&mut self, metric: &str, at: (&str, &str), all: Vec<Option<i64>>) {
        let mut known: Vec<i64> = all.iter().copied().flatten().filter(|d| *d >= 0).collect();
        known.sort_unstable();
        let n = known.len();
        let rank = |p: usize| (n > 0).then(|| known[(n * p).div_ceil(100) - 1] as f64 / 1e6);
        let mean = (n > 0).then(|| known.iter().map(|d| *d as f64 / 1e6).sum::<f64>() / n as f64);
        for (stat, value) in [
            ("p50", rank(50)),
            ("p90", rank(90)),
            ("p95", rank(95)),
            ("mean", mean),
            ("max", rank(100)),
        ] {
            self.put(metric, at, stat, (value, n as i64));
        }
        self.put(
            metric,
            at,
            "missing",
            (Some((all.len() - n) as f64), all.len() as i64),
        );
    }

    /// Durations as a whole and in groups.
    fn spreads(&mut self, metric: &str, by: Option<&str>, all: Vec<(String, Option<i64>)>) {
        let Some(by) = by else {
            return self.spread(
                metric,
                ("all", ""),
                all.into_iter().map(|(_, d)| d).collect(),
            );
        };
        let groups: BTreeSet<String> = all.iter().map(|(g, _)| g.clone()).collect();
        for group in groups {
            let of = all.iter().filter(|(g, _)| *g == group).map(|(_, d)| *d);
            self.spread(metric, (by, &group), of.collect());
        }
    }
}

fn minus(end: Option<i64>, begin: Option<i64>) -> Option<i64> {
    Some(end? - begin?)
}

/// All numbers of a period, those of `ingest_gap` left out.
pub(super) fn figures(
    all: &[Whole],
    over: (i64, i64),
    as_of: i64,
    config: &MetricsConfig,
) -> Found {
    let rows = rows(all, over, config);
    let mut book = Book(Found::new());
    volume(&mut book, &rows);
    words(&mut book, &rows);
    times(&mut book, &rows);
    for by in ["all", "severity", "source", "tier"] {
        shares(&mut book, &rows, by, (as_of, config));
    }
    review(&mut book, (all, &rows), over, config);
    backlog(&mut book, all, over.1.min(as_of));
    approvals(&mut book, all, over);
    cost(&mut book, all, over);
    book.0
}

fn groups<'r>(
    rows: &'r [Row],
    of: impl Fn(&Row) -> Option<String>,
) -> BTreeMap<String, Vec<&'r Row>> {
    let mut groups: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        if let Some(group) = of(row) {
            groups.entry(group).or_default().push(row);
        }
    }
    groups
}

fn volume(book: &mut Book, rows: &[Row]) {
    book.count("alert_volume", ("all", ""), rows.len());
    let cases: BTreeSet<usize> = rows.iter().map(|r| r.case).collect();
    book.count("case_volume", ("all", ""), cases.len());
    type Of = fn(&Row) -> Option<String>;
    let parts: [(&str, Of); 4] = [
        ("source", |r| Some(r.source.clone())),
        ("severity", |r| Some(r.severity.to_string())),
        ("rule", |r| Some(r.rule.clone())),
        ("tier", |r| Some(r.tier?.to_string())),
    ];
    for (by, of) in parts {
        for (group, rows) in groups(rows, of) {
            book.count("alert_volume", (by, &group), rows.len());
        }
    }
}

fn words(book: &mut Book, rows: &[Row]) {
    type Of = fn(&Row) -> Option<V>;
    let parts: [(&str, Of); 3] = [
        ("machine", |r| r.machine),
        ("human", |r| r.human),
        ("final", Row::last_word),
    ];
    for (by, of) in parts {
        for (group, rows) in groups(rows, |r| Some(of(r)?.to_string())) {
            book.count("verdicts", (by, &group), rows.len());
        }
    }
    let both: Vec<(V, V)> = rows
        .iter()
        .filter_map(|r| Some((r.machine?, r.human?)))
        .collect();
    let n = both.len() as f64;
    let alike = both.iter().filter(|(m, h)| m == h).count();
    book.share("agreement", ("all", ""), alike, both.len());
    let chance: f64 = V::ALL
        .iter()
        .map(|kind| {
            let of = |side: fn(&(V, V)) -> V| {
                both.iter().filter(|b| side(b) == *kind).count() as f64 / n
            };
            of(|b| b.0) * of(|b| b.1)
        })
        .sum();
    let kappa = (n > 0.0).then(|| (alike as f64 / n - chance) / (1.0 - chance));
    book.put("kappa", ("all", ""), "value", (kappa, both.len() as i64));
}

fn times(book: &mut Book, rows: &[Row]) {
    type Take = fn(&Row) -> Option<(Option<String>, Option<i64>)>;
    let severity: fn(&Row) -> Option<String> = |r| Some(r.severity.to_string());
    let tier: fn(&Row) -> Option<String> = |r| Some(r.tier?.to_string());
    let mut put =
        |metric: &str, by: Option<&str>, group: &dyn Fn(&Row) -> Option<String>, take: Take| {
            let found = rows.iter().filter_map(|r| Some((group(r)?, take(r)?.1)));
            book.spreads(metric, by, found.collect());
        };
    let whole = |_: &Row| Some(String::new());
    put("ttd", None, &whole, |r| Some((None, minus(Some(r.c), r.e))));
    put("ingest_lag", None, &whole, |r| {
        Some((None, Some(r.i - r.c)))
    });
    put(
        "ingest_lag",
        Some("source"),
        &|r| Some(r.source.clone()),
        |r| Some((None, Some(r.i - r.c))),
    );
    put("tta_machine", None, &whole, |r| {
        Some((None, minus(r.s, Some(r.c))))
    });
    for (by, group) in [
        (None, &whole as &dyn Fn(&Row) -> Option<String>),
        (Some("severity"), &severity),
    ] {
        put("tta_human", by, group, |r| {
            r.x.map(|_| (None, minus(r.h, r.x)))
        });
        put("ttc", by, group, |r| {
            (r.last_word() == Some(V::TruePositive)).then(|| (None, minus(r.k, Some(r.c))))
        });
        put("ttr", by, group, |r| Some((None, minus(r.z, Some(r.c)))));
        put("time_to_decision", by, group, |r| {
            Some((None, minus(r.v, Some(r.c))))
        });
    }
    for (by, group) in [
        (None, &whole as &dyn Fn(&Row) -> Option<String>),
        (Some("tier"), &tier),
    ] {
        put("tti", by, group, |r| r.s.map(|_| (None, minus(r.v, r.s))));
    }
    put("time_to_decision", Some("tier"), &tier, |r| {
        Some((None, minus(r.v, Some(r.c))))
    });
    let by_whom = |r: &Row| {
        r.z.map(|_| {
            if r.untouched_close() {
                "daemon"
            } else {
                "person"
            }
            .to_owned()
        })
    };
    put("ttr", Some("closed_by"), &by_whom, |r| {
        Some((None, minus(r.z, Some(r.c))))
    });
    put(
        "ttr",
        Some("verdict"),
        &|r| Some(r.last_word()?.to_string()),
        |r| Some((None, minus(r.z, Some(r.c)))),
    );
    for stat in ["p50", "p90", "p95", "mean", "max"] {
        book.put("dwell", ("all", ""), stat, (None, 0));
    }
    book.put("dwell", ("all", ""), "missing", (Some(0.0), 0));
}

fn shares(book: &mut Book, rows: &[Row], by: &str, (as_of, config): (i64, &MetricsConfig)) {
    let mut parts = groups(rows, |r| match by {
        "all" => Some(String::new()),
        "severity" => Some(r.severity.to_string()),
        "source" => Some(r.source.clone()),
        _ => Some(r.tier?.to_string()),
    });
    if by == "all" {
        parts.entry(String::new()).or_default();
    }
    for (group, rows) in parts {
        let at = (by, group.as_str());
        let n = |yes: &dyn Fn(&Row) -> bool| rows.iter().filter(|r| yes(r)).count();
        type Of = fn(&Row) -> Option<V>;
        let voices: [(&str, Of); 3] = [
            ("", Row::last_word),
            ("machine_", |r| r.machine),
            ("human_", |r| r.human),
        ];
        for (who, of) in voices {
            let [tp, bp, fp] = [V::TruePositive, V::BenignPositive, V::FalsePositive]
                .map(|k| n(&|r| of(r) == Some(k)));
            let all = tp + bp + fp;
            for (name, k) in [("tp", tp), ("bp", bp), ("fp", fp), ("noise", bp + fp)] {
                book.share(&format!("{who}{name}_rate"), at, k, all);
            }
        }
        let closed = n(&|r| r.z.is_some());
        book.share(
            "undetermined_rate",
            at,
            n(&|r| r.z.is_some() && r.last_word() == Some(V::Undetermined)),
            closed,
        );
        book.share("automation_coverage", at, n(&Row::untouched_close), closed);
        let triaged = n(&|r| r.s.is_some());
        book.share(
            "escalation_rate",
            at,
            n(&|r| r.s.is_some() && r.x.is_some()),
            triaged,
        );
        book.share("asked_rate", at, n(&|r| r.s.is_some() && r.asked), triaged);
        let tier = |least: u8| n(&|r| r.tier.is_some_and(|t| t >= least));
        book.share("tier2_rate", at, tier(2), tier(1));
        book.share("tier3_rate", at, tier(3), tier(2));
        let again =
            |days: i64| n(&|r| minus(r.r, r.z1).is_some_and(|d| d <= days * 86_400_000_000));
        let ended = n(&|r| r.z1.is_some());
        book.share("reopen_rate_7d", at, again(7), ended);
        book.share("reopen_rate_30d", at, again(30), ended);
        for (metric, begin, end, resolve) in [
            (
                "sla_breach_rate_tta",
                (|r| r.x) as fn(&Row) -> Option<i64>,
                (|r| r.h) as fn(&Row) -> Option<i64>,
                false,
            ),
            ("sla_breach_rate_ttr", |r| Some(r.c), |r| r.z, true),
        ] {
            let judged = |r: &Row| -> Option<bool> {
                let level = config.sla.get(&r.severity)?;
                let most = if resolve {
                    level.resolve
                } else {
                    level.acknowledge
                }
                .0
                .as_micros() as i64;
                let begin = begin(r)?;
                match end(r) {
                    Some(end) => Some(end - begin > most),
                    None => (as_of - begin > most).then_some(true),
                }
            };
            book.share(
                metric,
                at,
                n(&|r| judged(r) == Some(true)),
                n(&|r| judged(r).is_some()),
            );
        }
    }
}

fn against(kind: V) -> bool {
    !matches!(kind, V::BenignPositive | V::FalsePositive | V::Duplicate)
}

fn review(
    book: &mut Book,
    (all, rows): (&[Whole], &[Row]),
    (since, until): (i64, i64),
    config: &MetricsConfig,
) {
    let drawn: Vec<&Whole> = all
        .iter()
        .filter(|w| {
            let mut marks = w
                .timeline
                .iter()
                .filter(|e| e.message == "drawn for review");
            marks.any(|e| (since..until).contains(&e.at.timestamp_micros()))
        })
        .collect();
    let reviewed: Vec<_> = drawn.iter().filter(|w| !w.words.is_empty()).collect();
    let any = |yes: &dyn Fn(V) -> bool| {
        reviewed
            .iter()
            .filter(|w| w.words.values().any(|(k, _)| yes(*k)))
            .count()
    };
    let n = reviewed.len();
    book.count("review_sample", ("all", ""), drawn.len());
    book.share("review_done", ("all", ""), n, drawn.len());
    book.share("auto_close_precision", ("all", ""), n - any(&against), n);
    book.share(
        "missed_tp_rate",
        ("all", ""),
        any(&|k| k == V::TruePositive),
        n,
    );
    let alone: Vec<&Row> = rows.iter().filter(|r| r.untouched_close()).collect();
    let known: Vec<f64> = alone.iter().filter_map(|r| r.minutes).collect();
    let hours = (known.iter().sum::<f64>() - n as f64 * config.review_minutes) / 60.0;
    let hours = (!known.is_empty()).then_some(hours);
    book.put(
        "analyst_hours_saved",
        ("all", ""),
        "value",
        (hours, known.len() as i64),
    );
    let told: Vec<V> = alone.iter().filter_map(|r| r.human).collect();
    let overturned = told.iter().filter(|k| against(**k)).count();
    book.share(
        "close_overturned_unsampled",
        ("all", ""),
        overturned,
        told.len(),
    );
}

fn backlog(book: &mut Book, all: &[Whole], end: i64) {
    let open: Vec<&Whole> = all.iter().filter(|w| w.open_at(end)).collect();
    book.count("backlog", ("all", ""), open.len());
    book.spread(
        "backlog_age",
        ("all", ""),
        open.iter().map(|w| Some(end - w.first)).collect(),
    );
}

fn approvals(book: &mut Book, all: &[Whole], (since, until): (i64, i64)) {
    use ApprovalState as S;
    let asked: Vec<(&Approval, Vec<i64>)> = all
        .iter()
        .flat_map(|w| {
            w.approvals
                .iter()
                .map(|a| (a, w.turns(TimelineKind::Answered)))
        })
        .filter(|(a, _)| (since..until).contains(&a.asked.timestamp_micros()))
        .collect();
    for (at, wanted) in [
        (("all", ""), None),
        (("action", "close"), Some(true)),
        (("action", "effect"), Some(false)),
    ] {
        let of: Vec<_> = asked
            .iter()
            .filter(|(a, _)| wanted.is_none_or(|close| (a.action == "close") == close))
            .collect();
        if of.is_empty() && wanted.is_some() {
            continue;
        }
        let n = |yes: &dyn Fn(&Approval) -> bool| of.iter().filter(|(a, _)| yes(a)).count();
        book.count("approvals_requested", at, of.len());
        book.count(
            "approvals_approved",
            at,
            n(&|a| matches!(a.state, S::Approved | S::Used)),
        );
        book.count("approvals_denied", at, n(&|a| a.state == S::Denied));
        book.count("approvals_expired", at, n(&|a| a.state == S::Expired));
        book.count("approvals_pending", at, n(&|a| a.state == S::Pending));
        // A made-up case is asked about one thing at most, so that its one answer is the answer to it.
        let took: Vec<Option<i64>> = of
            .iter()
            .filter_map(|(a, answers)| Some(Some(answers.first()? - a.asked.timestamp_micros())))
            .collect();
        if !took.is_empty() || wanted.is_none() {
            book.spread("approval_latency", at, took);
        }
    }
}

fn cost(book: &mut Book, all: &[Whole], (since, until): (i64, i64)) {
    let of: Vec<&Whole> = all
        .iter()
        .filter(|w| (since..until).contains(&w.first))
        .collect();
    // What was never claimed has spent nothing, and has no row.
    let worked: Vec<&&Whole> = of
        .iter()
        .filter(|w| !w.turns(TimelineKind::Claimed).is_empty())
        .collect();
    let alerts = of.iter().map(|w| w.alerts.len()).sum::<usize>() as f64;
    let spent = |take: &dyn Fn(&Spent) -> f64| worked.iter().map(|w| take(&w.spent)).sum::<f64>();
    for (name, sum) in [
        ("usd", spent(&|s| s.usd)),
        ("tokens_in", spent(&|s| s.tokens_in as f64)),
        ("tokens_out", spent(&|s| s.tokens_out as f64)),
        ("model_turns", spent(&|s| f64::from(s.turns))),
        ("tool_calls", spent(&|s| f64::from(s.tool_calls))),
    ] {
        let n = worked.len();
        let some = |v: f64| (n > 0).then_some(v);
        book.put(
            &format!("cost_{name}"),
            ("all", ""),
            "value",
            (some(sum), n as i64),
        );
        book.put(
            &format!("cost_{name}_per_alert"),
            ("all", ""),
            "value",
            (some(sum / alerts), n as i64),
        );
    }
    let calls = of.iter().flat_map(|w| &w.calls);
    let sent: Vec<&ToolCall> = calls
        .filter(|c| !matches!(c.outcome, CallOutcome::Started | CallOutcome::Denied))
        .collect();
    let failed = |c: &&ToolCall| c.outcome != CallOutcome::Ok;
    book.share(
        "tool_error_rate",
        ("all", ""),
        sent.iter().copied().filter(|c| failed(c)).count(),
        sent.len(),
    );
    let tools: BTreeSet<&str> = sent.iter().map(|c| c.tool.as_str()).collect();
    for tool in tools {
        let own: Vec<&ToolCall> = sent.iter().copied().filter(|c| c.tool == tool).collect();
        book.share(
            "tool_error_rate",
            ("tool", tool),
            own.iter().copied().filter(|c| failed(c)).count(),
            own.len(),
        );
    }
}
