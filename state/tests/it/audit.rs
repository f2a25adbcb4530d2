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

/// Numbers that look random and come out the same every time.
struct Numbers(u64);

impl Numbers {
    /// From `low` up to, not including, `high`.
    fn within(&mut self, low: i64, high: i64) -> i64 {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        low + i64::try_from(self.0 % u64::try_from(high - low).unwrap()).unwrap()
    }
}

/// The log in the hands of somebody who owns the file: rows as number, time, JSON, hash; and the head.
#[derive(Clone, PartialEq)]
struct Stolen {
    rows: Vec<(i64, i64, Vec<u8>, Vec<u8>)>,
    head: Option<(i64, Vec<u8>)>,
}

/// What is left of a log's own proof after tampering.
#[derive(PartialEq)]
enum Shows {
    /// The log itself does not fit.
    Alone,
    /// The log fits itself; only what was written down elsewhere shows it.
    ByMarks,
}

const ENTRIES: i64 = 24;

impl Stolen {
    fn sequence(&mut self, from: usize) {
        for (i, row) in self.rows.iter_mut().enumerate().skip(from) {
            row.0 = i64::try_from(i).unwrap() + 1;
        }
    }

    /// Makes all hashes and the head fit again, as the store's documentation says they are made.
    fn rehash(&mut self) {
        use sha2::{Digest, Sha256};
        let mut prev = "0".repeat(64).into_bytes();
        for (seq, at, entry, hash) in &mut self.rows {
            let mut text = [&prev[..], format!("\n{seq}\n{at}\n").as_bytes(), entry].concat();
            text.push(b'\n');
            let hex: String = Sha256::digest(text)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            *hash = hex.into_bytes();
            prev.clone_from(hash);
        }
        let last = self.rows.last().map_or(0, |r| r.0);
        self.head = Some((last, prev));
    }

    /// Changes it in one of twelve ways.
    fn tamper(&mut self, way: i64, numbers: &mut Numbers) -> Shows {
        let len = self.rows.len();
        let mut pick = |low: usize| {
            let (low, high) = (i64::try_from(low).unwrap(), i64::try_from(len).unwrap());
            usize::try_from(numbers.within(low, high)).unwrap()
        };
        let (i, j) = (pick(0), pick(1));
        let mut flip = |bytes: &mut Vec<u8>| {
            let at = numbers.within(0, i64::try_from(bytes.len()).unwrap());
            bytes[usize::try_from(at).unwrap()] ^= u8::try_from(numbers.within(1, 256)).unwrap();
        };
        match way {
            0 => flip(&mut self.rows[i].2),
            1 => flip(&mut self.rows[i].3),
            2 => self.rows[i].1 += numbers.within(1, 1_000_000),
            3 => self.rows[i].0 = [0, -1, i64::MIN, i64::MAX, 1_000][i % 5],
            4 => drop(self.rows.remove(i)),
            5 => {
                self.rows.remove(j - 1);
                self.sequence(j - 1);
            }
            6 => {
                let (a, b) = (self.rows[j - 1].0, self.rows[j].0);
                self.rows.swap(j - 1, j);
                (self.rows[j - 1].0, self.rows[j].0) = (a, b);
            }
            7 => {
                let mut copy = self.rows[i].clone();
                copy.0 = [0, -7, ENTRIES + 1][i % 3];
                self.rows.push(copy);
            }
            8 => self.rows.truncate(i),
            9 if i % 3 == 0 => self.head = None,
            9 => flip(&mut self.head.as_mut().unwrap().1),
            // From here on the whole log is made to fit again.
            10 => {
                self.rows.truncate(i);
                self.rehash();
                return Shows::ByMarks;
            }
            _ => {
                if i % 2 == 0 {
                    self.rows[i].2 = b"{\"kind\":\"forged\"}".to_vec();
                } else {
                    self.rows.remove(i);
                    self.sequence(i);
                }
                self.rehash();
                return Shows::ByMarks;
            }
        }
        Shows::Alone
    }

    async fn read(db: &mut SqliteConnection) -> Self {
        let rows =
            "SELECT seq, at, CAST(entry AS BLOB), CAST(hash AS BLOB) FROM audit_log ORDER BY seq";
        let head = "SELECT seq, CAST(hash AS BLOB) FROM audit_head";
        Self {
            rows: sqlx::query_as(rows).fetch_all(&mut *db).await.unwrap(),
            head: Some(sqlx::query_as(head).fetch_one(db).await.unwrap()),
        }
    }

    async fn write(&self, db: &mut SqliteConnection) {
        let mut tx = db.begin().await.unwrap();
        sqlx::raw_sql("DELETE FROM audit_log; DELETE FROM audit_head")
            .execute(&mut *tx)
            .await
            .unwrap();
        for (seq, at, entry, hash) in &self.rows {
            let sql = "INSERT INTO audit_log VALUES (?1, ?2, CAST(?3 AS TEXT), CAST(?4 AS TEXT))";
            let query = sqlx::query(sql).bind(seq).bind(at).bind(entry).bind(hash);
            query.execute(&mut *tx).await.unwrap();
        }
        if let Some((seq, hash)) = &self.head {
            let query = sqlx::query("INSERT INTO audit_head VALUES (1, ?1, CAST(?2 AS TEXT))");
            query.bind(seq).bind(hash).execute(&mut *tx).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_tamperings_are_all_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = file_store(&dir).await;
    let mut marks = vec![store.audit_head().await.unwrap()];
    for n in 1..=ENTRIES {
        let entry = json!({"kind": "tool_call", "case": format!("ND-{n}"), "text": "' \n é"});
        store.append_audit(at(n), &entry).await.unwrap();
        if n % 8 == 0 {
            marks.push(store.audit_head().await.unwrap());
        }
    }
    store.verify_audit_against(&marks).await.unwrap();
    let mut raw = SqliteConnection::connect(&url(&dir)).await.unwrap();
    let guards = "DROP TRIGGER audit_log_stays_as_written; DROP TRIGGER audit_log_stays;
        DROP TRIGGER audit_head_goes_forward; DROP TRIGGER audit_head_stays; DROP INDEX audit_log_by_case;
        PRAGMA ignore_check_constraints = on; PRAGMA synchronous = off;";
    sqlx::raw_sql(guards).execute(&mut raw).await.unwrap();
    let whole = Stolen::read(&mut raw).await;
    let mut again = whole.clone();
    again.rehash();
    assert!(again == whole, "hashes are made as documented");
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..1_000 {
        let mut stolen = whole.clone();
        let way = round % 12;
        let shows = stolen.tamper(way, &mut numbers);
        assert!(stolen != whole, "round {round}, way {way}: changes nothing");
        stolen.write(&mut raw).await;
        let found = store.verify_audit_against(&marks).await;
        assert!(found.is_err(), "round {round}, way {way}: not found");
        let alone = store.verify_audit().await;
        assert_eq!(
            alone.is_err(),
            shows == Shows::Alone,
            "round {round}, way {way}: {alone:?}"
        );
    }
    whole.write(&mut raw).await;
    store.verify_audit_against(&marks).await.unwrap();
}
