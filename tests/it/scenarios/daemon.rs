//! The daemon as a process: schedule, stop, kill, its three kinds of source, many workers, and what it prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use state::model::{CaseStatus, Outcome, StepState, TimelineKind};
use tests::crowd::{self, From, SignIn, sign_in};
use tests::daemon::{Site, Worked, until};
use tests::sender::{free_port, post, signature};
use tests::workbench::{Lab, STRANGE, USUAL, nightdesk, stderr, stdout};

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
    let site = Site::new(PROGRAM, crowd::lab(3, &[sign_in(0), sign_in(1)]).unwrap()).unwrap();
    let mut daemon = site.started().await.unwrap();
    each_once(&site.settled(2).await.unwrap(), 2);
    for once in [&["run"][..], &["run", "--once"]] {
        let second = site.run(once).unwrap();
        assert_eq!(second.status.code(), Some(69), "{}", stderr(&second));
        assert!(
            stderr(&second).contains("another nightdesk daemon uses this store"),
            "{}",
            stderr(&second)
        );
    }
    let more: Vec<Value> = (0..3).map(|i| sign_in(i).raw()).collect();
    site.lab.lines("alerts.jsonl", &more).unwrap();
    each_once(&site.settled(3).await.unwrap(), 3);
    let status = daemon.stop().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
    each_once(&site.settled(3).await.unwrap(), 3);
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
        assert_eq!(
            open, 0,
            "a call that nobody waits for is not `started`: {case:?}"
        );
        let audit = site.run(&["audit", "verify"]).unwrap();
        assert!(audit.status.success(), "{}", stderr(&audit));
    }
}

#[tokio::test]
async fn a_queue_killed_again_and_again_is_worked_once() {
    let alerts: Vec<SignIn> = (0..6).map(sign_in).collect();
    let site = Site::new(PROGRAM, crowd::lab(6, &alerts).unwrap()).unwrap();
    for ended in [1, 3, 5] {
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
async fn a_case_that_does_not_end_in_time_is_parked_and_finished_by_the_next_run() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    site.add("[run]\ndrain = \"1s\"").unwrap();
    let gate = site.gate("identity", "get_user").unwrap();
    let mut daemon = site.start().unwrap();
    gate.reached().await.unwrap();
    let status = daemon.stop().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", daemon.log());
    let parked = Worked::all(&site.store().await.unwrap()).await.unwrap();
    assert_eq!(parked[0].case.status, CaseStatus::New, "{parked:?}");
    assert_eq!(parked[0].times(TimelineKind::Released), 1, "{parked:?}");
    assert!(parked[0].verdicts.is_empty());
    gate.open().unwrap();
    let result = site.once().unwrap();
    assert_eq!(result["alerts"][0]["outcome"], "closed", "{result}");
    each_once(&site.settled(1).await.unwrap(), 1);
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

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// An alert of the one user whom the file tells about; strange, so that its case stays open and the others join it.
fn line(alert: usize) -> String {
    let sign_in = SignIn {
        user: 1,
        alert,
        from: From::Strange,
    };
    format!("{}\n", sign_in.raw())
}

#[tokio::test]
async fn a_file_is_followed_through_rotation_and_restart() {
    let site = Site::new(PROGRAM, crowd::lab(1, &[]).unwrap()).unwrap();
    site.add("[[sources]]\nname = \"feed\"\nkind = \"file\"\npath = \"feed.jsonl\"\nmapping = \"panther\"\nevery = \"1s\"").unwrap();
    let feed = site.dir().join("feed.jsonl");
    let (half, rest) = (&line(2)[..100], &line(2)[100..]);
    append(&feed, &format!("{}{}{half}", line(0), line(1)));
    let mut daemon = site.started().await.unwrap();
    let store = site.store().await.unwrap();
    let counts = async || {
        let counts = store.counts().await.unwrap();
        (counts.alerts, counts.dead_letters)
    };
    let reach = async |alerts: i64, dead: i64| {
        until("alerts of the file", async || {
            Ok((counts().await.0 >= alerts).then_some(()))
        })
        .await
        .unwrap();
        site.settled(usize::try_from(alerts).unwrap())
            .await
            .unwrap();
        assert_eq!(counts().await, (alerts, dead));
    };
    // A last line without its end waits, and is no dead letter.
    reach(2, 0).await;
    append(&feed, &format!("{rest}this is no alert\n{}", line(3)));
    reach(4, 1).await;
    // What is written before, while and after the file is renamed.
    append(&feed, &line(4));
    let old = site.dir().join("feed.jsonl.1");
    fs::rename(&feed, &old).unwrap();
    append(&old, &line(5));
    append(&feed, &line(6));
    reach(7, 1).await;
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    // Who reads these bytes again finds no alert in them.
    let read = fs::metadata(&feed).unwrap().len() as usize;
    fs::write(&feed, format!("{}\n", "#".repeat(read - 1))).unwrap();
    append(&feed, &line(7));
    let mut daemon = site.started().await.unwrap();
    reach(8, 1).await;
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    let worked = site.settled(8).await.unwrap();
    let [case] = worked.as_slice() else {
        panic!("one user, one story: {worked:?}")
    };
    assert_eq!((case.alerts.len(), case.verdicts.len()), (8, 8), "{case:?}");
}

#[tokio::test]
async fn the_webhook_takes_what_is_signed_and_says_what_became_of_it() {
    let site = Site::new(PROGRAM, crowd::lab(9, &[]).unwrap()).unwrap();
    let (port, secret) = (free_port().unwrap(), "a shared secret");
    fs::write(site.dir().join("secret"), secret).unwrap();
    site.add(&format!(
        "[[sources]]\nname = \"push\"\nkind = \"webhook\"\nlisten = \"127.0.0.1:{port}\"\nsecret = {{ file = \"secret\" }}\nmapping = \"panther\"\nmax_body = 5000"
    ))
    .unwrap();
    let mut daemon = site.started().await.unwrap();
    let raw = |n: usize| sign_in(n).raw();
    let one = raw(0).to_string();
    let array = json!([raw(1), raw(2)]).to_string();
    let ndjson = format!("{}\n{}\nnot json\n", raw(3), raw(4));
    let now = chrono::Utc::now().timestamp();
    let late = signature(secret, now - 4000, &one).unwrap();
    let foreign = signature("another secret", now, &one).unwrap();
    let own = |body: &str| (now, signature(secret, now, body).unwrap());
    let big = json!([raw(5), "x".repeat(5000)]).to_string();
    let sent: Vec<(&str, &str, (i64, String), u16, &[&str])> = vec![
        ("one object", &one, own(&one), 202, &["alert-0"]),
        ("the same again", &one, own(&one), 200, &["alert-0"]),
        (
            "an array",
            &array,
            own(&array),
            202,
            &["alert-1", "alert-2"],
        ),
        (
            "lines, one unreadable",
            &ndjson,
            own(&ndjson),
            202,
            &["alert-3", "alert-4"],
        ),
        ("signed by another", &one, (now, foreign), 401, &[]),
        ("signed long ago", &one, (now - 4000, late), 401, &[]),
        ("signed for another body", &one, own(&array), 401, &[]),
        ("too large", &big, own(&big), 413, &[]),
        ("nothing usable", "{\"a\": 1}", own("{\"a\": 1}"), 422, &[]),
    ];
    for (name, body, (at, signature), status, ids) in sent {
        let answer = post((port, "/ingest/push"), (at, &signature), body)
            .await
            .unwrap();
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        let given = answer.body["ids"]
            .as_array()
            .map_or_else(Vec::new, |i| i.iter().filter_map(Value::as_str).collect());
        assert_eq!(given, ids, "{name}: {}", answer.body);
    }
    let worked = site.settled(5).await.unwrap();
    each_once(&worked, 5);
    let dead = site.store().await.unwrap().dead_letters(10).await.unwrap();
    let dead: Vec<&[u8]> = dead.iter().map(|d| d.letter.raw.as_slice()).collect();
    assert_eq!(dead, [b"{\"a\": 1}".as_slice(), b"not json"]);
    assert_eq!(
        daemon.stop().await.unwrap().code(),
        Some(0),
        "{}",
        daemon.log()
    );
}

/// The keys of the objects that others rely on, as the issue gives them.
fn has_keys(object: &Value, keys: &str) {
    let found: BTreeSet<&str> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(found, keys.split(' ').collect(), "{object}");
}

fn has_alert_shape(alert: &Value) {
    has_keys(
        alert,
        "source_alert_id case_id verdict confidence outcome tier analyst close_allowed duplicate_of techniques \
         timeline effects scanner_hits reasons gaps tool_calls model_turns seconds",
    );
    for line in alert["timeline"].as_array().unwrap() {
        has_keys(line, "at text evidence_ref event_uid entities technique");
    }
    for effect in alert["effects"].as_array().unwrap() {
        has_keys(effect, "tool class target decision approval_id raise");
    }
}

#[tokio::test]
async fn what_once_and_eval_print_has_the_shape_others_rely_on() {
    let site = Site::new(PROGRAM, Lab::scenario(&[STRANGE]).unwrap()).unwrap();
    let first = site.once().unwrap();
    has_keys(&first, "alerts seconds");
    let [alert] = first["alerts"].as_array().unwrap().as_slice() else {
        panic!("{first}")
    };
    has_alert_shape(alert);
    assert!(!alert["timeline"].as_array().unwrap().is_empty(), "{alert}");
    assert!(!alert["effects"].as_array().unwrap().is_empty(), "{alert}");
    assert!(alert["seconds"].as_f64().unwrap() > 0.0, "{alert}");
    let store = site.store().await.unwrap();
    let before = store.counts().await.unwrap();
    assert_eq!(
        site.once().unwrap()["alerts"],
        json!([]),
        "the second run has nothing to do"
    );
    assert_eq!(store.counts().await.unwrap(), before);

    let usual = Lab::scenario(&[USUAL]).unwrap();
    let labs = [
        site.lab.path().to_str().unwrap(),
        usual.path().to_str().unwrap(),
    ];
    let eval = |labs: &[&str]| -> Value {
        let output =
            nightdesk(PROGRAM, usual.path(), &[&["eval", "--json"], labs].concat()).unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let lab_shape = |lab: &Value| {
        has_keys(lab, "lab analyst alerts metrics");
        let alerts = lab["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 1, "{lab}");
        alerts.iter().for_each(has_alert_shape);
    };
    lab_shape(&eval(&labs[..1]));
    let both = eval(&labs);
    has_keys(&both, "labs");
    let found: BTreeMap<usize, &Value> = both["labs"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .collect();
    assert_eq!(found.len(), 2);
    found.values().for_each(|lab| lab_shape(lab));
}
