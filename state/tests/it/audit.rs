//! The audit log: what is whole is proven, what was touched is found.

use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use state::model::CaseId;
use state::store::Store;

use crate::make::{at, file_store, url};

pub(crate) async fn entries_chain_and_are_found_by_case(store: &Store) {
    let empty = store.verify_audit().await.unwrap();
    assert_eq!(empty.entries, 0);
    let writers: Vec<_> = (0..4)
        .map(|w| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..25 {
                    let entry =
                        json!({"tool": "x", "case": format!("ND-{w}"), "n": n, "text": "' \n é"});
                    store.append_audit(at(n), &entry).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    store
        .append_audit(at(0), &json!("no object"))
        .await
        .unwrap();
    let report = store.verify_audit().await.unwrap();
    assert_eq!(report.entries, 101);
    let own = store.audit_of(CaseId(2)).await.unwrap();
    assert_eq!(own.len(), 25);
    assert!(own.iter().all(|e| e.entry["case"] == "ND-2"));
    let tail = store.audit(100, 10).await.unwrap();
    assert_eq!(tail.iter().map(|e| e.seq).collect::<Vec<_>>(), [100, 101]);
    assert_eq!(tail[1].hash, report.head);
    assert_eq!(tail[1].at, at(0));
}

/// What somebody with the file in hand might do, and the first entry at which it shows.
const TAMPERING: &[(&str, &str, i64)] = &[
    (
        "edit",
        "UPDATE audit_log SET entry = '{\"n\":99}' WHERE seq = 3",
        3,
    ),
    (
        "edit of the time",
        "UPDATE audit_log SET at = at + 1 WHERE seq = 4",
        4,
    ),
    (
        "edit of a hash",
        "UPDATE audit_log SET hash = hex(zeroblob(32)) WHERE seq = 5",
        5,
    ),
    (
        "delete in the middle",
        "DELETE FROM audit_log WHERE seq = 4",
        4,
    ),
    (
        "delete and close the gap",
        "DELETE FROM audit_log WHERE seq = 4; UPDATE audit_log SET seq = seq - 1 WHERE seq > 4",
        4,
    ),
    ("delete the first", "DELETE FROM audit_log WHERE seq = 1", 1),
    ("cut the tail", "DELETE FROM audit_log WHERE seq > 7", 8),
    ("cut everything", "DELETE FROM audit_log", 1),
    (
        "cut tail and head",
        "DELETE FROM audit_log WHERE seq > 7; UPDATE audit_head SET seq = 7",
        7,
    ),
    (
        "no head",
        "DELETE FROM audit_log WHERE seq > 7; DELETE FROM audit_head",
        8,
    ),
    (
        "swap two",
        "UPDATE audit_log SET seq = -2 WHERE seq = 2; UPDATE audit_log SET seq = 2 WHERE seq = 3; UPDATE audit_log SET seq = 3 WHERE seq = -2",
        2,
    ),
    (
        "append a forged one",
        "INSERT INTO audit_log VALUES (11, 0, '{}', 'ff')",
        11,
    ),
    (
        "append behind the head",
        "INSERT INTO audit_log SELECT 11, at, entry, hash FROM audit_log WHERE seq = 10",
        11,
    ),
];

#[tokio::test]
async fn every_kind_of_tampering_is_found() {
    for (what, sql, first) in TAMPERING {
        let dir = tempfile::tempdir().unwrap();
        let store = file_store(&dir).await;
        for n in 1..=10 {
            store.append_audit(at(n), &json!({"n": n})).await.unwrap();
        }
        store.verify_audit().await.unwrap();
        let mut raw = SqliteConnection::connect(&url(&dir)).await.unwrap();
        let guards = "DROP TRIGGER audit_log_stays_as_written; DROP TRIGGER audit_log_stays;
            DROP TRIGGER audit_head_goes_forward; DROP TRIGGER audit_head_stays; PRAGMA ignore_check_constraints = on;";
        sqlx::raw_sql(guards).execute(&mut raw).await.unwrap();
        sqlx::raw_sql(*sql).execute(&mut raw).await.unwrap();
        let fault = store.verify_audit().await.unwrap_err();
        assert_eq!(fault.seq, *first, "{what}: {fault}");
        raw.close().await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn what_is_append_only_refuses_to_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = file_store(&dir).await;
    let (claim, alert) = crate::make::claimed(&store, 1, "ann").await;
    let mut record = crate::make::ending(
        &claim,
        &alert,
        state::model::VerdictKind::BenignPositive,
        state::model::CaseEvent::Asked,
    );
    record.approvals.push(crate::make::question("close", "d"));
    store.record(record).await.unwrap();
    store.append_audit(at(1), &json!({"n": 1})).await.unwrap();
    let mut raw = SqliteConnection::connect(&url(&dir)).await.unwrap();
    for sql in [
        "UPDATE audit_log SET entry = '{}'",
        "DELETE FROM audit_log",
        "UPDATE audit_head SET seq = 0",
        "DELETE FROM audit_head",
        "UPDATE timeline_events SET message = ''",
        "DELETE FROM timeline_events",
        "UPDATE verdicts SET kind = 'true_positive'",
        "UPDATE verdicts SET confidence = 1",
        "DELETE FROM verdicts",
        "UPDATE approvals SET digest = 'x'",
        "UPDATE approvals SET state = 'used'",
        "DELETE FROM approvals",
        "UPDATE alerts SET raw = ''",
        "UPDATE alerts SET case_id = NULL",
        "DELETE FROM alerts",
    ] {
        assert!(sqlx::raw_sql(sql).execute(&mut raw).await.is_err(), "{sql}");
    }
    sqlx::raw_sql("UPDATE verdicts SET superseded = 1")
        .execute(&mut raw)
        .await
        .unwrap();
    assert!(
        sqlx::raw_sql("UPDATE verdicts SET superseded = 0")
            .execute(&mut raw)
            .await
            .is_err()
    );
}
