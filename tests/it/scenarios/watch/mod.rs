//! What watches the daemon itself: here the kill switch, by command and by file; canary, golden lab and off-pattern are below.

mod assurance;
mod canary;
mod off_pattern;

use std::fs;
use std::io::Write as _;
use std::path::Path;

use agent::gate::paused_by_file;
use serde_json::{Value, json};
use state::model::{CaseId, Outcome, TimelineKind};
use state::store::Store;
use tests::crowd::{self, sign_in};
use tests::daemon::Site;
use tests::workbench::{Lab, USUAL, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// What a command printed for machines.
fn json_of(site: &Site, args: &[&str]) -> Value {
    let output = site.run(args).unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// What the timeline says of the end of a case.
async fn ending(store: &Store, case: CaseId) -> String {
    let told = store.timeline(case).await.unwrap();
    let ends = |k| {
        matches!(
            k,
            TimelineKind::Closed | TimelineKind::Escalated | TimelineKind::Asked
        )
    };
    let end = told.into_iter().rev().find(|e| ends(e.kind));
    end.map(|e| e.message).unwrap_or_default()
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[tokio::test]
async fn what_is_in_the_place_of_the_pause_file_pauses() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("reason"), "the SIEM moves\nmore").unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("long"), "x".repeat(100_000)).unwrap();
    fs::create_dir(path("folder")).unwrap();
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
    for (name, said) in [
        ("reason", Some("is there: the SIEM moves")),
        ("empty", Some("is there: no reason given")),
        ("long", Some("is there: xxx")),
        ("folder", Some("is there: no reason given")),
        ("dangling", Some("is there: no reason given")),
        ("empty/below", Some("it can't be told")),
        ("absent", None),
    ] {
        let found = paused_by_file(&path(name)).await;
        match said {
            Some(said) => {
                let found = found.unwrap();
                assert!(found.contains(said), "{name}: {found}");
                assert!(found.len() < 600, "{name}: {} long", found.len());
            }
            None => assert_eq!(found, None, "{name}"),
        }
    }
}

#[tokio::test]
async fn a_running_daemon_closes_only_while_nothing_is_paused() {
    let site = Site::new(PROGRAM, crowd::lab(12, &[]).unwrap()).unwrap();
    site.add("[[sources]]\nname = \"feed\"\nkind = \"file\"\npath = \"feed.jsonl\"\nmapping = \"panther\"\nevery = \"1s\"").unwrap();
    let mut daemon = site.started().await.unwrap();
    let store = site.store().await.unwrap();
    let file = site.dir().join("nightdesk.pause");
    let command = |args: &[&str]| {
        let by = [args, &["--by", "ana", "--json"]].concat();
        json_of(&site, &by)
    };
    let off_by_ana = Some("closing is off: switched off by ana: a drill");
    // What is done before an alert comes, and what then keeps its case from closing.
    let steps: [(&dyn Fn(), Option<&str>); 6] = [
        (
            &|| drop(command(&["pause", "--why", "a drill"])),
            off_by_ana,
        ),
        (&|| drop(command(&["resume", "--why", "over"])), None),
        (
            &|| fs::write(&file, "moving\n").unwrap(),
            Some("is there: moving"),
        ),
        (&|| fs::remove_file(&file).unwrap(), None),
        (
            &|| drop(command(&["pause", "--only", "effects", "--why", "a drill"])),
            None,
        ),
        (
            &|| drop(command(&["pause", "--only", "closing", "--why", "a drill"])),
            off_by_ana,
        ),
    ];
    for (n, (act, why)) in steps.iter().enumerate() {
        act();
        // Every second one of the crowd is harmless.
        let alert = sign_in(2 * n);
        append(
            &site.dir().join("feed.jsonl"),
            &format!("{}\n", alert.raw()),
        );
        let worked = site.settled(n + 1).await.unwrap();
        let id = format!("alert-{}", alert.alert);
        let case = worked
            .iter()
            .find(|w| w.alerts[0].source_alert_id == id)
            .unwrap();
        let said = ending(&store, case.case.id).await;
        match why {
            Some(why) => {
                assert_eq!(case.case.outcome, Some(Outcome::Escalated), "{n}: {said}");
                assert!(said.contains(why), "{n}: {said}");
                assert!(
                    !case.calls.is_empty(),
                    "{n}: it was investigated all the same"
                );
            }
            None => assert_eq!(case.case.outcome, Some(Outcome::Closed), "{n}: {said}"),
        }
    }
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
    let entries = store.audit(0, 10_000).await.unwrap();
    let turns = entries.iter().filter(|e| e.entry["kind"] == "switch");
    assert_eq!(turns.count(), 6, "each turn stands in the audit log");
}

#[test]
fn check_and_list_say_what_is_paused() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    let said = |args: &[&str]| {
        let output = site.run(args).unwrap();
        (output.status.code(), stdout(&output) + &stderr(&output))
    };
    let file = site.dir().join("nightdesk.pause");
    fs::write(&file, "moving").unwrap();
    let (code, text) = said(&["check"]);
    assert!(
        code == Some(1) && text.contains("is there: moving"),
        "{text}"
    );
    fs::remove_file(&file).unwrap();
    site.once().unwrap();
    let (code, text) = said(&["check"]);
    assert!(
        code == Some(0) && text.contains("not switched off"),
        "{text}"
    );
    let paused = json_of(
        &site,
        &[
            "pause", "--only", "closing", "--why", "a drill", "--by", "ana", "--json",
        ],
    );
    let turned = (
        &paused["switches"][0]["switch"],
        &paused["switches"][0]["state"],
    );
    assert_eq!(turned, (&json!("closing"), &json!("off")));
    for args in [&["check"][..], &["case", "list"]] {
        let (_, text) = said(args);
        assert!(text.contains("switched off by ana: a drill"), "{text}");
    }
    assert_eq!(said(&["check"]).0, Some(1));
    fs::write(&file, "moving").unwrap();
    let (code, text) = said(&["resume", "--why", "over", "--by", "ana"]);
    assert!(code == Some(0) && text.contains("stay off"), "{text}");
    for nameless in [["--why", " ", "--by", "ana"], ["--why", "x", "--by", " "]] {
        let (code, text) = said(&[&["pause"][..], &nameless].concat());
        assert_eq!(code, Some(2), "{text}");
    }
}
