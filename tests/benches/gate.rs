//! What the gate costs per call: the decision alone, and a whole call with a store in memory; servers answer at once.
//!
//! Run with `cargo bench -p tests --bench gate`. It fails when the 99th percentile of a decision that needs nothing but
//! memory is over 200 µs; built without optimisation it only prints. Before it asks outside the gate looks into the store
//! for what the case has read: that look is timed by itself too.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use agent::gate::{self, Meter, Origin, Request, Subject};
use serde_json::{Map, Value, json};
use state::model::{Budget, CallOutcome, Tier};
use tests::desk::Desk;

/// Longest a decision in memory may take at the 99th percentile.
const LIMIT: Duration = Duration::from_micros(200);
/// Decisions, and whole calls, that are timed.
const ROUNDS: usize = 5_000;
/// Whole calls of one case; a case with more calls takes longer to read back.
const OF_A_CASE: usize = 40;

/// The tool that asks outside.
const INTEL: &str = "intel.lookup";
/// Tools and arguments: a typical read, and one that asks outside.
const WISHES: [(&str, &str, &str); 2] = [
    (
        "read",
        "siem.search",
        r#"{"query": "ana@corp.example", "limit": 20, "fields": ["time", "user"]}"#,
    ),
    ("egress", INTEL, r#"{"value": "192.0.2.7"}"#),
];

fn alert(n: usize) -> Value {
    let at = "2026-03-02T11:00:00Z";
    json!({"id": format!("alert-{n}"), "rule_id": "r", "title": "Sign-in", "severity": "High", "created_at": at,
        "log_types": ["Okta.SystemLog"], "events": [{"uuid": format!("e{n}"), "published": at,
        "eventType": "user.session.start", "outcome": {"result": "SUCCESS"},
        "actor": {"id": "u1", "alternateId": "ana@corp.example"}, "client": {"ipAddress": "192.0.2.7"}}]})
}

fn wish<'a>(subject: &'a Subject, tool: &'a str, arguments: &str, desk: &Desk) -> Request<'a> {
    let arguments: Map<String, Value> = serde_json::from_str(arguments).unwrap();
    Request {
        subject,
        tier: Tier::Two,
        asked_by: "model:1",
        tool,
        arguments,
        as_of: desk.ctx.now(),
        origin: Origin::Model,
    }
}

/// Prints one line of the table; gives the 99th percentile.
fn told(what: &str, mut took: Vec<Duration>) -> Duration {
    took.sort();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    let (p50, p99, max) = (at(50), at(99), at(100));
    println!("{what:<18} {:>10.1?} {:>10.1?} {:>10.1?}", p50, p99, max);
    p99
}

async fn measure() -> Duration {
    let unlimited = |text: String| {
        let kept = text
            .lines()
            .filter(|l| !l.starts_with("max_calls_per_minute"));
        kept.map(|l| format!("{l}\n")).collect::<String>()
    };
    let desk = Desk::open("bench", unlimited).await.unwrap();
    println!("{:<18} {:>10} {:>10} {:>10}", "", "p50", "p99", "max");
    let mut in_memory = Duration::ZERO;
    let subject = desk.case(&alert(0)).await.unwrap();
    for (name, tool, arguments) in WISHES {
        let mut took = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let meter = Meter::new(Budget::default());
            let request = wish(&subject, tool, arguments, &desk);
            let began = Instant::now();
            let permit = gate::permit(&desk.ctx, &meter, &request).await;
            took.push(began.elapsed());
            permit.unwrap();
        }
        let p99 = told(&format!("decision, {name}"), took);
        if tool != INTEL {
            in_memory = in_memory.max(p99);
        }
    }
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        desk.ctx.store.tools_reached(subject.case).await.unwrap();
        took.push(began.elapsed());
    }
    told("of it, the store", took);
    for (at, (name, tool, arguments)) in WISHES.iter().enumerate() {
        let mut took = Vec::with_capacity(ROUNDS);
        for n in 0..ROUNDS / OF_A_CASE {
            let subject = desk.case(&alert(1 + at * ROUNDS + n)).await.unwrap();
            for _ in 0..OF_A_CASE {
                let meter = Meter::new(Budget::default());
                let request = wish(&subject, tool, arguments, &desk);
                let began = Instant::now();
                let called = gate::call(&desk.ctx, &meter, request).await;
                took.push(began.elapsed());
                assert_eq!(called.outcome, CallOutcome::Ok);
            }
        }
        told(&format!("whole call, {name}"), took);
    }
    in_memory
}

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let p99 = runtime.block_on(async { tokio::spawn(measure()).await.unwrap() });
    let optimised = !cfg!(debug_assertions);
    if optimised && p99 > LIMIT {
        println!("a decision takes {p99:.1?} at the 99th percentile: over {LIMIT:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
