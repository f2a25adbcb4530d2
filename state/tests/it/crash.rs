//! Kills a process that writes, again and again: what it acknowledged is there, and nothing by halves.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::json;
use state::model::{CaseStatus, Cursor, NewAlert};
use state::store::Store;

use crate::make::{LEASE, at, new_alert, url};

const STORE: &str = "STATE_TEST_CRASH_STORE";
const BATCH: i64 = 7;

/// Not a test of its own: what the killed process does.
#[tokio::test]
#[ignore = "run by the test below as a process of its own"]
async fn writer() {
    let Ok(url) = std::env::var(STORE) else {
        return;
    };
    let store = Store::open_exclusive(&url).await.unwrap();
    let mut n = position(&store).await;
    loop {
        n += 1;
        let alerts: Vec<NewAlert> = (0..BATCH)
            .map(|i| new_alert(n * BATCH + i, "ann"))
            .collect();
        let cursor = Cursor {
            source: "siem".to_owned(),
            position: json!(n),
        };
        store
            .store_alerts(&alerts, &[], Some(&cursor), at(n))
            .await
            .unwrap();
        let alert = store.alerts_without_case(1).await.unwrap().remove(0);
        store.open_case(&alert, "t", at(n), vec![]).await.unwrap();
        store.claim("w", at(n), LEASE).await.unwrap().unwrap();
        store.append_audit(at(n), &json!({"n": n})).await.unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "\nstored {n}").unwrap();
        out.flush().unwrap();
    }
}

async fn position(store: &Store) -> i64 {
    let cursor = store.cursor("siem").await.unwrap();
    cursor.map_or(0, |c| c.position.as_i64().unwrap())
}

#[tokio::test]
async fn what_a_killed_process_acknowledged_is_there_and_nothing_by_halves() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "crash::writer", "--nocapture"])
            .env(STORE, url(&dir))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledged: i64 = lines
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix("stored ")?.parse().ok())
            .nth(round)
            .expect("the writer acknowledges until it is killed");
        child.kill().unwrap();
        child.wait().unwrap();

        // The lock went with the process.
        let store = Store::open_exclusive(&url(&dir)).await.unwrap();
        let position = position(&store).await;
        let counts = store.counts().await.unwrap();
        assert!(position >= acknowledged);
        assert_eq!(counts.alerts, position * BATCH);
        // A round can end between the steps of a turn, so that the last turn lacks its later ones.
        let audit = store.verify_audit().await.unwrap();
        let entries = store.audit(1, audit.entries).await.unwrap();
        assert!(entries.iter().any(|e| e.entry["n"] == acknowledged));
        let claimed = counts.cases[&CaseStatus::Triaging];
        let opened: i64 = counts.cases.values().sum();
        assert!(position >= opened && opened >= claimed && claimed >= audit.entries);
        for line in store.list_cases(Default::default()).await.unwrap() {
            assert_eq!(line.alerts, 1);
        }
        store.close().await;
    }
}
