//! The audit log: an append-only hash chain of JSON entries and the proof that it is whole; redaction is the gate's.
//!
//! The hash of an entry is SHA-256 (hex) over four lines, each ended by a line feed: the hash of the entry before
//! (64 zeros before the first), its number, its time in microseconds, and its JSON as stored (canonical: sorted
//! keys, no spaces). Number and hash of the last entry are kept apart, so that a cut tail is seen too.

use serde_json::Value;
use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, digest};
use crate::model::{CaseId, Time};

const PAGE: i64 = 1_000;
const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One entry of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Place in the log, from 1.
    pub seq: i64,
    /// When.
    pub at: Time,
    /// What happened.
    pub entry: Value,
    /// Hash of this entry and, through the one before, of all before it.
    pub hash: String,
}

/// A place in the log and the hash it had there, as written down outside of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditMark {
    /// Place in the log; 0 is the empty log.
    pub seq: i64,
    /// Hash of that entry, 64 hex digits.
    pub hash: String,
}

/// The log is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// How many entries it has.
    pub entries: i64,
    /// Hash of the last one; write it down elsewhere to see later that nobody rewrote the whole log.
    pub head: String,
}

/// The log is not whole, or could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit log can not be trusted from entry {seq} on: {why}")]
pub struct AuditFault {
    /// First entry that does not fit.
    pub seq: i64,
    /// What does not fit.
    pub why: String,
}

impl Store {
    /// Appends an entry and gives its number. Its `case`, when it has one, is written as `ND-12`.
    pub async fn append_audit(&self, at: Time, entry: &Value) -> Result<i64> {
        let mut tx = self.begin().await?;
        let seq = append(&mut tx, at, entry).await?;
        tx.commit().await?;
        Ok(seq)
    }

    /// Entries from a number on, in order, at most `limit`.
    pub async fn audit(&self, from_seq: i64, limit: i64) -> Result<Vec<AuditEntry>> {
        let found =
            sqlx::query("SELECT * FROM audit_log WHERE seq >= ?1 ORDER BY seq LIMIT max(?2, 0)")
                .bind(from_seq)
                .bind(limit)
                .fetch_all(&self.readers)
                .await?;
        rows::all("audit_log", &found)
    }

    /// Entries that name a case, in order.
    pub async fn audit_of(&self, case: CaseId) -> Result<Vec<AuditEntry>> {
        let found =
            sqlx::query("SELECT * FROM audit_log WHERE entry ->> '$.case' = ?1 ORDER BY seq")
                .bind(case.to_string())
                .fetch_all(&self.readers)
                .await?;
        rows::all("audit_log", &found)
    }

    /// The last entry's place and hash.
    pub async fn audit_head(&self) -> Result<AuditMark> {
        let mut db = self.readers.acquire().await?;
        let (seq, hash) = head(&mut db).await?;
        Ok(AuditMark { seq, hash })
    }

    /// Reads the whole log and proves that nothing was changed, taken out, moved, added or cut off.
    ///
    /// # Errors
    /// [`AuditFault`] with the first entry that does not fit; also when the log could not be read to its end.
    pub async fn verify_audit(&self) -> Result<AuditReport, AuditFault> {
        self.verify_audit_against(&[]).await
    }

    /// The same, and that the marks still hold.
    ///
    /// A log written anew from some entry on, all hashes and the head with it, fits itself: only `marks` kept
    /// elsewhere show it.
    ///
    /// # Errors
    /// As [`Store::verify_audit`].
    pub async fn verify_audit_against(
        &self,
        marks: &[AuditMark],
    ) -> Result<AuditReport, AuditFault> {
        let mut marks = marks.to_vec();
        marks.sort_by_key(|m| m.seq);
        let mut marks = marks.into_iter().peekable();
        let unread = |seq: i64| {
            move |e: StoreError| AuditFault {
                seq,
                why: format!("it could not be read: {e}"),
            }
        };
        // One read transaction: entries appended meanwhile are not seen.
        let mut tx = self
            .readers
            .begin()
            .await
            .map_err(|e| unread(1)(e.into()))?;
        let (mut last, mut prev) = (0, START.to_owned());
        marked(&mut marks, last, &prev)?;
        // From the lowest number there is: nothing may stand before the first entry either.
        let mut next = i64::MIN;
        loop {
            let page = page(&mut tx, next).await.map_err(unread(last + 1))?;
            if page.is_empty() {
                break;
            }
            for (seq, at, text, hash) in page {
                if seq < 1 {
                    return Err(fault(seq, "it was put before the first entry"));
                }
                if seq != last + 1 {
                    return Err(fault(last + 1, "it is missing"));
                }
                if hash != link(&prev, seq, at, &text) {
                    return Err(fault(seq, "it, or its place, is not as it was written"));
                }
                (last, prev) = (seq, hash);
                marked(&mut marks, last, &prev)?;
            }
            next = last + 1;
        }
        let (seq, hash) = head(&mut tx).await.map_err(unread(last + 1))?;
        if seq > last {
            return Err(fault(last + 1, "the end of the log was cut off"));
        }
        if seq < last || hash != prev {
            return Err(fault(
                seq,
                "the end of the log is not what was last written",
            ));
        }
        match marks.next() {
            Some(mark) => Err(fault(
                last + 1,
                &format!(
                    "the log was cut off and its head set back: it once had entry {}",
                    mark.seq
                ),
            )),
            None => Ok(AuditReport {
                entries: last,
                head: prev,
            }),
        }
    }
}

/// Whether the marks of this entry hold; those of later entries stay.
fn marked(
    marks: &mut std::iter::Peekable<std::vec::IntoIter<AuditMark>>,
    seq: i64,
    hash: &str,
) -> Result<(), AuditFault> {
    while let Some(mark) = marks.next_if(|m| m.seq <= seq) {
        if mark.seq != seq || mark.hash != hash {
            return Err(fault(
                mark.seq,
                "it does not have the hash that was written down elsewhere: the log was written anew",
            ));
        }
    }
    Ok(())
}

type Line = (i64, i64, String, String);

async fn page(db: &mut SqliteConnection, from: i64) -> Result<Vec<Line>> {
    Ok(sqlx::query_as(
        "SELECT seq, at, entry, hash FROM audit_log WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
    )
    .bind(from)
    .bind(PAGE)
    .fetch_all(db)
    .await?)
}

/// Appends an entry within a larger transaction.
pub(super) async fn append(db: &mut SqliteConnection, at: Time, entry: &Value) -> Result<i64> {
    let text = digest::canonical(entry);
    let (last, prev) = head(db).await?;
    let (seq, at) = (last + 1, micros(at));
    let hash = link(&prev, seq, at, &text);
    sqlx::query("INSERT INTO audit_log (seq, at, entry, hash) VALUES (?1, ?2, ?3, ?4)")
        .bind(seq)
        .bind(at)
        .bind(text)
        .bind(&hash)
        .execute(&mut *db)
        .await?;
    sqlx::query("UPDATE audit_head SET seq = ?1, hash = ?2")
        .bind(seq)
        .bind(hash)
        .execute(&mut *db)
        .await?;
    Ok(seq)
}

async fn head(db: &mut SqliteConnection) -> Result<(i64, String)> {
    sqlx::query_as("SELECT seq, hash FROM audit_head")
        .fetch_optional(db)
        .await?
        .ok_or_else(|| StoreError::Corrupt {
            table: "audit_head",
            id: "1".to_owned(),
            why: "the row is missing".to_owned(),
        })
}

fn link(prev: &str, seq: i64, at: i64, entry: &str) -> String {
    digest::sha256_hex(format!("{prev}\n{seq}\n{at}\n{entry}\n").as_bytes())
}

fn fault(seq: i64, why: &str) -> AuditFault {
    AuditFault {
        seq,
        why: why.to_owned(),
    }
}

impl<'r> TryFrom<Fields<'r>> for AuditEntry {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            seq: row.get("seq")?,
            at: row.time("at")?,
            entry: row.json("entry")?,
            hash: row.get("hash")?,
        })
    }
}
