//! The daemon as a process: schedule, stop, kill and many workers; its sources and what it prints are in the files below.

mod printed;
mod redefined;
mod sources;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use state::model::{CaseStatus, Outcome, StepState, TimelineKind};
use tests::crowd::{self, SignIn, sign_in};
use tests::daemon::{Site, Worked, kill_group, until};
use tests::workbench::{Lab, STRANGE, USUAL, stderr};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// What holds of every worked queue: each alert in one case with one verdict, each case ended once, no step open.
fn each_once(worked: &[Worked], alerts: usize) {
    let ids: BTreeSet<&str> = worked
        .iter()
        .flat_map(|w| w.alerts.iter().map(|a| a.source_alert_id.as_str()))
        .collect();
    let held: usize = worked.iter().map(|w| w.alerts.len()).sum();
    assert_eq!((ids.len(), held), (alerts, alerts), "one case per alert");
    for w in worked {
        let judged: BTreeSet<_> = w.verdicts.iter().map(|v| v.verdict.alert).collect();
        assert_eq!(
            (judged.len(), w.verdicts.len()),
            (w.alerts.len(), w.alerts.len()),
            "{w:?}"
        );
        let ends = w.times(TimelineKind::Closed) + w.times(TimelineKind::Escalated);
        assert_eq!(ends, 1, "closed or escalated once: {w:?}");
        assert_eq!(
            w.times(TimelineKind::VerdictGiven),
            w.verdicts.len(),
            "{w:?}"
        );
        let want = match w.case.outcome {
            Some(Outcome::Closed) => CaseStatus::Closed,
            _ => CaseStatus::Escalated,
        };
        assert_eq!(w.case.status, want, "{w:?}");
        assert!(w.steps.iter().all(|s| s.state == StepState::Done), "{w:?}");
    }
}

/// The alerts that a run printed, without what differs between runs.
fn printed(result: &Value) -> Vec<Value> {
    let mut alerts = result["alerts"].as_array().unwrap().clone();
    for alert in &mut alerts {
        alert.as_object_mut().unwrap().remove("seconds");
    }
    alerts
}

#[tokio::test]
async fn it_polls_on_schedule_keeps_the_store_to_itself_and_stops_on_sigterm() {
    let alerts = [sign_in(0), sign_in(1)];
    let site = Site::new(PROGRAM, crowd::lab(2, &alerts).unwrap()).unwrap();
    // The first poll fails with its server; the server is brought back and a later poll gets the alerts.
    let gate = site.gate("siem", "list_alerts").unwrap();
    let mut daemon = site.started().await.unwrap();
    kill_group(gate.reached().await.unwrap());
    daemon.says("poll failed; the cursor stays").await.unwrap();
    gate.open().unwrap();
    each_once(&site.settled(2).await.unwrap(), 2);
    let store = site.store().await.unwrap();
    until("polls that bring nothing new", async || {
        let polls = store.audit(0, 10_000).await?;
        let polls = polls.iter().filter(|e| e.entry["kind"] == "poll").count();
        Ok((polls >= 4).then_some(()))
    })
    .await
    .unwrap();
    for again in [&["run"][..], &["run", "--once"]] {
        let second = site.run(again).unwrap();
        assert_eq!(second.status.code(), Some(69), "{}", stderr(&second));
        let said = stderr(&second);
        assert!(
            said.contains("another nightdesk daemon uses this store"),
            "{said}"
        );
    }
    let status = daemon.stop().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
    each_once(&site.settled(2).await.unwrap(), 2);
    assert_eq!(printed(&site.once().unwrap()), Vec::<Value>::new());
}

#[tokio::test]
async fn a_stop_before_the_servers_are_up_is_a_stop() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    site.add("[servers.slow]\ncommand = \"sh\"\nargs = [\"-c\", \"exec sleep 600\"]")
        .unwrap();
    let mut daemon = site.start().unwrap();
    daemon.says("an MCP server is ready").await.unwrap();
    let status = daemon.stop().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
}

/// Where a run is killed, with how often the case is begun and each tool asked once it is done.
const KILLED_AT: [(&str, &str, i64, [usize; 2]); 4] = [
    ("siem", "list_alerts", 1, [1, 1]),
    ("identity", "get_user", 2, [2, 1]),
    ("intel", "lookup_indicator", 2, [2, 1]),
    ("siem", "query_logs", 2, [1, 2]),
];

#[tokio::test]
async fn after_kill_9_the_next_run_finishes_the_case_once() {
    let whole = Site::new(PROGRAM, Lab::scenario(&[STRANGE]).unwrap()).unwrap();
    let wanted = printed(&whole.once().unwrap());
    assert_eq!(wanted.len(), 1);
    for (server, tool, attempts, [users, queries]) in KILLED_AT {
        let site = Site::new(PROGRAM, Lab::scenario(&[STRANGE]).unwrap()).unwrap();
        let gate = site.gate(server, tool).unwrap();
        let mut daemon = site.start().unwrap();
        let group = gate.reached().await.unwrap();
        daemon.kill_with(Some(group)).await.unwrap();
        gate.open().unwrap();
        assert_eq!(printed(&site.once().unwrap()), wanted, "killed at {tool}");
        let worked = site.settled(1).await.unwrap();
        each_once(&worked, 1);
        let [case] = worked.as_slice() else {
            panic!("{worked:?}")
        };
        assert_eq!(case.case.attempts, attempts, "killed at {tool}: {case:?}");
        let called = (
            case.called("identity.get_user"),
            case.called("siem.query_logs"),
        );
        assert_eq!(called, (users, queries), "killed at {tool}: {case:?}");
        let open = case
            .calls
            .iter()
            .filter(|c| c.outcome.as_str() == "started")
            .count();
        assert_eq!(open, 0, "a call that broke off is unknown: {case:?}");
        let audit = site.run(&["audit", "verify"]).unwrap();
        assert!(audit.status.success(), "{}", stderr(&audit));
    }
}

#[tokio::test]
async fn a_queue_killed_again_and_again_is_worked_once() {
    let alerts: Vec<SignIn> = (0..6).map(sign_in).collect();
    let site = Site::new(PROGRAM, crowd::lab(6, &alerts).unwrap()).unwrap();
    // Twice: after a third unfinished attempt a case is a person's.
    for ended in [1, 3] {
        let mut daemon = site.started().await.unwrap();
        let store = site.store().await.unwrap();
        until("some cases ended", async || {
            let judged: i64 = store.counts().await?.verdicts.values().sum();
            Ok((judged >= ended).then_some(()))
        })
        .await
        .unwrap();
        daemon.kill_with(None).await.unwrap();
    }
    site.once().unwrap();
    each_once(&site.settled(6).await.unwrap(), 6);
}

#[tokio::test]
async fn a_case_that_never_comes_to_an_end_goes_to_a_person() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    let gate = site.gate("identity", "get_user").unwrap();
    for _ in 0..3 {
        let mut daemon = site.start().unwrap();
        let group = gate.reached().await.unwrap();
        daemon.kill_with(Some(group)).await.unwrap();
    }
    // The gate is still shut: nothing is asked any more.
    let result = site.once().unwrap();
    let alert = &result["alerts"][0];
    assert_eq!(
        (&alert["outcome"], &alert["verdict"]),
        (&json!("escalated"), &json!("undetermined")),
        "{alert}"
    );
    let worked = Worked::all(&site.store().await.unwrap()).await.unwrap();
    assert_eq!(worked[0].case.status, CaseStatus::Escalated, "{worked:?}");
    assert_eq!(worked[0].called("identity.get_user"), 3, "{worked:?}");
}

#[tokio::test]
async fn a_case_that_does_not_end_in_time_is_parked_and_finished_by_the_next_run() {
    // Who asked for an empty queue is told that it is not.
    for (command, code) in [(&["run"][..], 0), (&["run", "--once"], 69)] {
        let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
        site.add("[run]\ndrain = \"1s\"").unwrap();
        let gate = site.gate("identity", "get_user").unwrap();
        let mut daemon = site.spawn(command).unwrap();
        gate.reached().await.unwrap();
        let status = daemon.stop().await.unwrap();
        assert_eq!(status.code(), Some(code), "{}", daemon.log());
        let parked = Worked::all(&site.store().await.unwrap()).await.unwrap();
        assert_eq!(parked[0].case.status, CaseStatus::New, "{parked:?}");
        assert_eq!(parked[0].times(TimelineKind::Released), 1, "{parked:?}");
        assert!(parked[0].verdicts.is_empty(), "{parked:?}");
        gate.open().unwrap();
        let result = site.once().unwrap();
        assert_eq!(result["alerts"][0]["outcome"], "closed", "{result}");
        each_once(&site.settled(1).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn four_workers_work_forty_cases_each_once() {
    let alerts: Vec<SignIn> = (0..40).map(sign_in).collect();
    let site = Site::new(PROGRAM, crowd::lab(40, &alerts).unwrap()).unwrap();
    site.add("[run]\nworkers = 4").unwrap();
    let mut daemon = site.started().await.unwrap();
    let worked = site.settled(40).await.unwrap();
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    assert_eq!(worked.len(), 40);
    each_once(&worked, 40);
    for w in &worked {
        let wanted = match w.alerts[0]
            .source_alert_id
            .as_str()
            .rsplit('-')
            .next()
            .unwrap()
            .parse::<usize>()
            .unwrap()
            % 2
        {
            0 => Outcome::Closed,
            _ => Outcome::Escalated,
        };
        assert_eq!(
            (w.case.outcome, w.case.attempts),
            (Some(wanted), 1),
            "{w:?}"
        );
        assert_eq!(w.called("identity.get_user"), 1, "{w:?}");
    }
}
