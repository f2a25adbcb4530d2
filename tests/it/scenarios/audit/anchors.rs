//! Anchors: a log that fits itself and is not the one that was written is seen; a run keeps them, and a case reads as a story.

use std::path::Path;

use serde_json::{Value, json};
use state::store::Store;
use tests::daemon::Site;
use tests::workbench::{Lab, USUAL, nightdesk, stderr, stdout};

use super::{PROGRAM, fill, ran, site};

/// Throws the store away.
fn empty(dir: &Path) {
    for name in ["s.db", "s.db-wal", "s.db-shm"] {
        let gone = std::fs::remove_file(dir.join(name));
        assert!(gone.is_ok() || name != "s.db");
    }
}

#[tokio::test]
async fn a_log_that_was_written_anew_is_seen_through_its_anchors() {
    let entry = |n: usize| json!({"kind": "poll", "n": n});
    let entries: Vec<Value> = (0..6).map(entry).collect();
    let dir = site(&entries).await;
    let none = nightdesk(PROGRAM, dir.path(), &["audit", "verify"]).unwrap();
    assert!(
        none.status.success() && stderr(&none).contains("s.anchors"),
        "{}",
        stderr(&none)
    );
    let mark = ran(dir.path(), &["audit", "anchor"]);
    let file = dir.path().join("s.anchors");
    let text = std::fs::read_to_string(&file).unwrap();
    ran(dir.path(), &["audit", "anchor"]);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        text,
        "nothing new, nothing written"
    );
    assert!(ran(dir.path(), &["audit", "verify"]).contains("1 anchors of s.anchors hold"));

    // Each of these logs fits itself; a longer one goes on from what was anchored.
    let forged = [json!({"kind": "poll", "n": "forged"})];
    let logs = [
        (entries[..5].to_vec(), false),
        (Vec::new(), false),
        ([&entries[..5], &forged].concat(), false),
        ([&forged, &entries[1..], &forged].concat(), false),
        ([&entries[..], &forged].concat(), true),
    ];
    for (log, good) in logs {
        empty(dir.path());
        fill(dir.path(), &log).await;
        let own = nightdesk(PROGRAM, dir.path(), &["audit", "verify"]).unwrap();
        assert_eq!(
            own.status.code(),
            Some(if good { 0 } else { 65 }),
            "{}",
            stderr(&own)
        );
        let kept = nightdesk(PROGRAM, dir.path(), &["audit", "anchor"]).unwrap();
        assert_eq!(kept.status.success(), good, "{}", stderr(&kept));
        // The one on paper shows it even when the file went too.
        let moved = dir.path().join("moved");
        std::fs::rename(&file, &moved).unwrap();
        ran(dir.path(), &["audit", "verify"]);
        let paper = ["audit", "verify", "--anchor", mark.trim()];
        let paper = nightdesk(PROGRAM, dir.path(), &paper).unwrap();
        assert_eq!(paper.status.success(), good, "{}", stderr(&paper));
        std::fs::rename(&moved, &file).unwrap();
    }
    // Any byte of a number or hash: the line is none of ours, or the log does not fit it.
    let mut config = agent::config::Config::default();
    config.paths.anchors = Some(file.clone());
    let anchors = agent::anchors::Anchors::of(&config).unwrap();
    let url = format!("sqlite:{}", dir.path().join("s.db").display());
    let store = Store::open(&url).await.unwrap();
    let whole = std::fs::read(&file).unwrap();
    for at in 0.."6 ".len() + 64 {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&file, &changed).unwrap();
        if let Ok(marks) = anchors.read() {
            let found = store.verify_audit_against(&marks.unwrap()).await;
            assert!(found.is_err(), "byte {at}");
        }
    }
    store.close().await;
}

#[tokio::test]
async fn a_run_anchors_its_log_and_a_case_reads_as_a_story() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    site.once().unwrap();
    let verified = site.run(&["audit", "verify", "--json"]).unwrap();
    let verified: Value = serde_json::from_str(&stdout(&verified)).unwrap();
    assert_eq!(
        (&verified["ok"], &verified["anchors"]),
        (&json!(true), &json!(1)),
        "{verified}"
    );
    let anchors = std::fs::read_to_string(site.dir().join("nightdesk.anchors")).unwrap();
    let head = format!(
        "{} {} ",
        verified["entries"],
        verified["head"].as_str().unwrap()
    );
    assert!(anchors.starts_with(&head), "{anchors}");

    let story = stdout(&site.run(&["audit", "export", "--case", "ND-1"]).unwrap());
    let entries = site
        .store()
        .await
        .unwrap()
        .audit_of(state::model::CaseId(1))
        .await
        .unwrap();
    assert_eq!(story.lines().count(), entries.len(), "{story}");
    let asked = |l: &&str| {
        l.contains(": tool_call intel.lookup_indicator") && l.contains(" -> allow by rule 1")
    };
    let ended =
        |l: &&str| l.contains(": tool_result intel.lookup_indicator") && l.contains(" -> ok in ");
    assert!(
        story.lines().any(|l| asked(&l)) && story.lines().any(|l| ended(&l)),
        "{story}"
    );
    let machine = stdout(
        &site
            .run(&["audit", "export", "--case", "ND-1", "--json"])
            .unwrap(),
    );
    let first: Value = serde_json::from_str(machine.lines().next().unwrap()).unwrap();
    assert_eq!(first["seq"], entries[0].seq);

    // Somebody puts an empty store in its place: the next run says so and takes nothing for sound.
    for name in ["nightdesk.db", "nightdesk.db-wal", "nightdesk.db-shm"] {
        let _ = std::fs::remove_file(site.dir().join(name));
    }
    let again = site.run(&["run", "--once"]).unwrap();
    assert!(
        stderr(&again).contains("the audit log is not the one that"),
        "{}",
        stderr(&again)
    );
    let log = site.store().await.unwrap().audit(1, 10_000).await.unwrap();
    let told = log
        .iter()
        .filter(|e| e.entry["kind"] == "integrity")
        .count();
    assert_eq!(told, 1);
}
