//! Volume, words, times and shares of a period, in plain Rust; what people and machines did is `desk`'s.

use std::collections::{BTreeMap, BTreeSet};

use agent::config::MetricsConfig;
use state::model::VerdictKind as V;

use super::desk::{approvals, backlog, cost, review};
use super::{Found, Row, Whole, rows};

/// Collects the numbers.
pub(crate) struct Book(Found);

impl Book {
    pub(crate) fn put(
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

    pub(crate) fn count(&mut self, metric: &str, at: (&str, &str), n: usize) {
        self.put(metric, at, "value", (Some(n as f64), n as i64));
    }

    pub(crate) fn share(&mut self, metric: &str, at: (&str, &str), k: usize, n: usize) {
        let ratio = (n > 0).then(|| k as f64 / n as f64);
        self.put(metric, at, "value", (ratio, n as i64));
    }

    /// Durations; `None` is one in scope without an end.
    pub(crate) fn spread(&mut self, metric: &str, at: (&str, &str), all: Vec<Option<i64>>) {
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
pub(crate) fn figures(
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
    responses(&mut book, &rows);
    let dwelt = all.iter().filter_map(|w| w.dwell(over)).collect();
    book.spread("dwell", ("all", ""), dwelt);
    for by in ["all", "severity", "source", "tier"] {
        shares(&mut book, &rows, by, (as_of, config));
    }
    review(&mut book, (all, &rows), (over, as_of), config);
    backlog(&mut book, all, over.1.min(as_of));
    approvals(&mut book, all, over);
    cost(&mut book, all, over);
    book.0
}

fn groups(rows: &[Row], of: impl Fn(&Row) -> Option<String>) -> BTreeMap<String, Vec<&Row>> {
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
        .filter_map(|r| Some((r.machine?, r.own?)))
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
    put("ttd", None, &whole, |r| {
        let d = minus(Some(r.c), r.e);
        Some((None, d.map(|d| if (-999..0).contains(&d) { 0 } else { d })))
    });
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
}

/// What was done about alerts: a containment is wanted of true positives, a response counts wherever there is one.
fn responses(book: &mut Book, rows: &[Row]) {
    for by in [None, Some("severity")] {
        let (mut sent, mut contained) = (Vec::new(), Vec::new());
        for row in rows {
            let real = row.last_word() == Some(V::TruePositive);
            let group = by.map_or_else(String::new, |_| row.severity.to_string());
            if real {
                contained.push((group.clone(), minus(row.response.in_force, Some(row.c))));
            }
            if real || row.response.sent.is_some() {
                sent.push((group, minus(row.response.sent, Some(row.c))));
            }
        }
        book.spreads("ttc", by, contained);
        book.spreads("time_to_respond", by, sent);
    }
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
            ("human_", |r| r.own),
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
        let seen = |days: i64| {
            let window = days * 86_400_000_000;
            n(&|r| {
                r.z1.is_some_and(|z| as_of - z >= window || r.r.is_some_and(|a| a - z <= window))
            })
        };
        book.share("reopen_rate_7d", at, again(7), seen(7));
        book.share("reopen_rate_30d", at, again(30), seen(30));
        levels(book, at, &rows, (as_of, config));
    }
}

/// Service levels: what is open past its time has broken it, what is open and inside is in no scope.
fn levels(
    book: &mut Book,
    at: (&str, &str),
    rows: &[&Row],
    (as_of, config): (i64, &MetricsConfig),
) {
    type Point = fn(&Row) -> Option<i64>;
    let both: [(&str, Point, Point); 2] = [
        ("sla_breach_rate_tta", |r| r.x, |r| r.h),
        ("sla_breach_rate_ttr", |r| Some(r.c), |r| r.z),
    ];
    for (metric, begin, end) in both {
        let judged = rows.iter().filter_map(|r| {
            let level = config.sla.get(&r.severity)?;
            let most = match metric {
                "sla_breach_rate_ttr" => level.resolve,
                _ => level.acknowledge,
            };
            let most = most.0.as_micros() as i64;
            let begin = begin(r)?;
            match end(r) {
                Some(end) => Some(end - begin > most),
                None => (as_of - begin > most).then_some(true),
            }
        });
        let judged: Vec<bool> = judged.collect();
        let broken = judged.iter().filter(|b| **b).count();
        book.share(metric, at, broken, judged.len());
    }
}
