//! Review, backlog, approvals and cost of a period, in plain Rust.

use std::collections::{BTreeMap, BTreeSet};

use agent::config::MetricsConfig;
use chrono::{DateTime, NaiveTime, Weekday};
use state::model::{
    Approval, ApprovalState, CallOutcome, Spent, TimelineKind, ToolCall, VerdictKind as V,
};
use tests::months::LEAST;

use super::figures::Book;
use super::{Row, Whole};

fn against(kind: V) -> bool {
    !matches!(kind, V::BenignPositive | V::FalsePositive | V::Duplicate)
}

const DAY: i64 = 86_400_000_000;

/// What came up for a close without a person first: when, and whether it was drawn.
fn lots(all: &[Whole]) -> Vec<(i64, bool)> {
    let lot = |w: &Whole| {
        let mut turns = w.timeline.iter();
        let first = turns.find(|e| {
            let drawn = e.message == "drawn for review";
            drawn || e.kind == TimelineKind::Closed && e.actor == "nightdesk"
        })?;
        let drawn = first.message == "drawn for review";
        Some((first.at.timestamp_micros(), drawn))
    };
    all.iter().filter_map(lot).collect()
}

/// How many lots had to be drawn in such weeks, Mondays in UTC, and how many of these were.
fn floor(lots: &[(i64, bool)], counts: impl Fn(i64) -> bool) -> (usize, usize) {
    let mut weeks: BTreeMap<i64, (usize, usize)> = BTreeMap::new();
    for (at, drawn) in lots {
        let day = DateTime::from_timestamp_micros(*at).unwrap().date_naive();
        let monday = day.week(Weekday::Mon).first_day();
        let monday = monday.and_time(NaiveTime::MIN).and_utc();
        let week = weeks.entry(monday.timestamp_micros()).or_default();
        *week = (week.0 + usize::from(*drawn), week.1 + 1);
    }
    let due = weeks.iter().filter(|(week, _)| counts(**week));
    let due = due.map(|(_, (drawn, all))| (*drawn, LEAST.min(*all)));
    due.fold((0, 0), |sum, (drawn, due)| {
        (sum.0 + drawn.min(due), sum.1 + due)
    })
}

pub(crate) fn review(
    book: &mut Book,
    (all, rows): (&[Whole], &[Row]),
    ((since, until), as_of): ((i64, i64), i64),
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
    let lots = lots(all);
    let inside = |at: i64| (since..until).contains(&at);
    book.count("review_sample", ("all", ""), drawn.len());
    let ruled = lots.iter().filter(|l| inside(l.0)).count();
    book.share("review_share", ("all", ""), drawn.len(), ruled);
    let (k, due) = floor(&lots, |week| inside(week) && week + 7 * DAY <= as_of);
    book.share("review_floor", ("all", ""), k, due);
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
    let first = rows
        .iter()
        .filter(|r| r.z1.is_some_and(|z| r.touched.is_none_or(|t| t > z)));
    let told: Vec<V> = first.filter_map(|r| r.human).collect();
    let overturned = told.iter().filter(|k| against(**k)).count();
    book.share(
        "close_overturned_unsampled",
        ("all", ""),
        overturned,
        told.len(),
    );
}

pub(crate) fn backlog(book: &mut Book, all: &[Whole], end: i64) {
    let open: Vec<&Whole> = all.iter().filter(|w| w.open_at(end)).collect();
    book.count("backlog", ("all", ""), open.len());
    book.spread(
        "backlog_age",
        ("all", ""),
        open.iter().map(|w| Some(end - w.first)).collect(),
    );
}

pub(crate) fn approvals(book: &mut Book, all: &[Whole], (since, until): (i64, i64)) {
    use ApprovalState as S;
    // A question, when people answered in its case, and when anything ended a question there.
    type Asked<'a> = (&'a Approval, (Vec<i64>, Vec<i64>));
    let asked: Vec<Asked<'_>> = all
        .iter()
        .flat_map(|w| {
            w.approvals
                .iter()
                .map(|a| (a, (w.answers(), w.turns(TimelineKind::Answered))))
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
        // The daemon writes when a question ended; before its time it lapsed.
        let ended = of.iter().filter(|(a, _)| a.state == S::Expired);
        let lapsed = ended
            .clone()
            .filter(|(a, (_, all))| all.iter().any(|t| *t < a.expires.timestamp_micros()))
            .count();
        book.count("approvals_lapsed", at, lapsed);
        book.count("approvals_expired", at, ended.count() - lapsed);
        book.count("approvals_pending", at, n(&|a| a.state == S::Pending));
        // A made-up case is asked about one thing at most, so that its one answer is the answer to it.
        let took: Vec<Option<i64>> = of
            .iter()
            .filter_map(|(a, (answers, _))| {
                Some(Some(answers.first()? - a.asked.timestamp_micros()))
            })
            .collect();
        if !took.is_empty() || wanted.is_none() {
            book.spread("approval_latency", at, took);
        }
    }
}

pub(crate) fn cost(book: &mut Book, all: &[Whole], (since, until): (i64, i64)) {
    let of: Vec<&Whole> = all
        .iter()
        .filter(|w| (since..until).contains(&w.first))
        .collect();
    // What was never claimed has spent nothing, and has no row.
    let worked: Vec<&&Whole> = of
        .iter()
        .filter(|w| !w.turns(TimelineKind::Claimed).is_empty())
        .collect();
    let alerts = |w: &[&Whole]| w.iter().map(|w| w.alerts.len()).sum::<usize>() as f64;
    let spent = |take: &dyn Fn(&Spent) -> f64| worked.iter().map(|w| take(&w.spent)).sum::<f64>();
    // Tokens that cost nothing have no price.
    let priced = |w: &&Whole| w.spent.usd > 0.0 || w.spent.tokens_in + w.spent.tokens_out == 0;
    let paid: Vec<&Whole> = of.iter().copied().filter(priced).collect();
    let n = worked.iter().filter(|w| priced(w)).count();
    let usd = paid.iter().map(|w| w.spent.usd).sum::<f64>();
    for (name, sum) in [("", usd), ("_per_alert", usd / alerts(&paid))] {
        let found = ((n > 0).then_some(sum), n as i64);
        book.put(&format!("cost_usd{name}"), ("all", ""), "value", found);
    }
    for (name, sum) in [
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
            (some(sum / alerts(&of)), n as i64),
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
