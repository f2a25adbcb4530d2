//! The sections of the page about how the desk ran: backlog, times, approvals, cost, gaps, and what rests on whose word.

use super::super::Definition;
use super::super::document::Report;
use super::super::shown::{NOT_MEASURED, change, ground, number, value};
use super::Part;
use super::sections::{CELL, FIGURES, figures, parts};

pub(super) fn backlog(report: &Report) -> Part {
    let rows = report.oldest_open.iter().map(|case| {
        vec![
            case.case.to_string(),
            case.title.chars().take(CELL).collect(),
            value("seconds", case.age),
            case.status.to_string().replace('_', " "),
        ]
    });
    let head = ["case", "title", "age", "stands now"];
    let part = Part::new(("backlog", "Backlog"), &head, rows.collect());
    let of = |metric, stat| report.number(metric, stat).filter(|n| n.value.is_some());
    let age = |stat| of("backlog_age", stat).map_or(String::new(), number);
    match of("backlog", "value") {
        Some(open) if open.n > 0 => part.note(format!(
            "Cases open at the end of the period: {}. Half of them were older than {}, one in twenty older than {}, the oldest {}.",
            number(open),
            age("p50"),
            age("p95"),
            age("max")
        )),
        _ => part.note("No case was open at the end of the period."),
    }
}

const TIMES: [&str; 11] = [
    "ttd",
    "dwell",
    "ingest_lag",
    "tta_machine",
    "tta_human",
    "tti",
    "time_to_decision",
    "time_to_respond",
    "ttc",
    "ttr",
    "approval_latency",
];

pub(super) fn times(report: &Report) -> Part {
    let rows = TIMES.iter().filter_map(|metric| {
        let p50 = report.number(metric, "p50")?;
        let title = Definition::of(metric).map_or(*metric, |d| d.title);
        let mut row = vec![title.to_owned()];
        let cell = |stat| report.number(metric, stat).and_then(|n| n.value);
        match p50.value {
            Some(_) => row.extend(
                ["p50", "p90", "p95", "mean"]
                    .map(|s| cell(s).map(|v| value("seconds", v)).unwrap_or_default()),
            ),
            None => row.extend([NOT_MEASURED, "", "", ""].map(str::to_owned)),
        }
        let missing = cell("missing").unwrap_or_default();
        row.push(format!("{} ({} without)", p50.n, value("alerts", missing)));
        row.push(change(p50, p50.before).text);
        row.push(p50.median.map(|m| value("seconds", m)).unwrap_or_default());
        Some(row)
    });
    let head = [
        "duration",
        "p50",
        "p90",
        "p95",
        "mean",
        "over n",
        "p50 against the period before",
        "p50, median of four",
    ];
    Part::new(("times", "Times"), &head, rows.collect())
}

pub(super) fn approvals(report: &Report) -> Part {
    let states = [
        "requested",
        "approved",
        "denied",
        "expired",
        "lapsed",
        "pending",
    ];
    let line = |title: &str, at: (&str, &str)| {
        let mut row = vec![title.to_owned()];
        row.extend(states.map(|s| {
            let of = report.part(&format!("approvals_{s}"), at, "value");
            of.map_or("0".to_owned(), number)
        }));
        let latency = |stat| {
            report
                .part("approval_latency", at, stat)
                .map_or(NOT_MEASURED.to_owned(), number)
        };
        row.extend([latency("p50"), latency("p95")]);
        row
    };
    let rows = vec![
        line("closes", ("action", "close")),
        line("effects", ("action", "effect")),
        line("all", ("all", "")),
    ];
    let head: Vec<&str> = ["questions"]
        .into_iter()
        .chain(states)
        .chain(["time to answer, p50", "p95"])
        .collect();
    Part::new(("approvals", "Approvals"), &head, rows)
}

pub(super) fn cost(report: &Report) -> Part {
    let metrics = [
        "cost_usd",
        "cost_usd_per_alert",
        "cost_tokens_in",
        "cost_tokens_out",
        "cost_tool_calls",
        "cost_tool_calls_per_alert",
        "tool_error_rate",
        "analyst_hours_saved",
    ];
    let mut rows = figures(report, &metrics);
    let failing = parts(report, "tool_error_rate", "tool").filter(|n| n.value > Some(0.0));
    rows.extend(failing.take(8).map(|n| {
        vec![
            format!("errors of {}", n.dimension_value),
            number(n),
            ground(n),
            change(n, n.before).text,
            n.median.map(|m| value(n.unit, m)).unwrap_or_default(),
        ]
    }));
    Part::new(("cost", "Cost"), &FIGURES, rows)
}

pub(super) fn gaps(report: &Report) -> Part {
    let rows = report.ingest_gaps.iter().map(|gap| {
        vec![
            gap.source.clone(),
            value("seconds", gap.minutes * 60.0),
            value("seconds", gap.of * 60.0),
            gap.gaps.to_string(),
            value("seconds", gap.longest * 60.0),
        ]
    });
    let head = ["source", "not polled for", "of", "gaps", "longest"];
    let section = Part::new(("gaps", "Ingest gaps"), &head, rows.collect());
    match report.ingest_gaps.is_empty() {
        true => section
            .note("Not measured: no successful poll was recorded before the end of the period."),
        false => section,
    }
}

pub(super) fn not_measured(report: &Report) -> Part {
    let rows = report.not_measured.iter().map(|of| {
        let title = Definition::of(of.metric).map_or(of.metric, |d| d.title);
        vec![title.to_owned(), of.why.to_owned()]
    });
    Part::new(
        ("not-measured", "Not measured"),
        &["figure", "why"],
        rows.collect(),
    )
}

pub(super) fn terms(report: &Report) -> Part {
    let rows = report
        .terms
        .baseline
        .iter()
        .map(|b| vec![b.of.clone(), value("minutes", b.minutes)]);
    let review = report.terms.review_minutes;
    Part::new(
        ("terms", "What an alert costs by hand"),
        &["severity or rule", "minutes"],
        rows.collect(),
    )
    .note(format!(
        "Hours saved are an estimate by these minutes, less {review} minutes for each review done."
    ))
}
