//! Anchors: heads of the audit log kept in a file outside of the store, so that a log written anew is seen; the chain itself is the store's.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::SecondsFormat;
use state::model::Time;
use state::store::{AuditMark, Store, StoreError};

use crate::config::Config;

/// Why anchors could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// The file can't be read or written.
    #[error("{}: {source}; see [paths] anchors", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// From the system.
        source: std::io::Error,
    },
    /// A line is none of ours.
    #[error(
        "{}:{line}: is not `number hash time`: the file was changed", path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// The log does not go on from the last anchor.
    #[error(
        "the audit log is not the one that {} holds the heads of: entry {seq} is not there or not as it was; if the store was replaced on purpose, move that file away with the old store", path.display()
    )]
    Rewritten {
        /// The file.
        path: PathBuf,
        /// Number of the entry that was anchored.
        seq: i64,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The anchors file, one line an anchor: number, hash, time. Lines are added, never changed.
#[derive(Debug, Clone)]
pub struct Anchors {
    path: PathBuf,
}

impl Anchors {
    /// The file in force; none when the store is in memory and no file is named.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let beside = || Some(Store::file(&config.store.url)?.with_extension("anchors"));
        let path = config.paths.anchors.clone().or_else(beside)?;
        Some(Self { path })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All anchors, in the order of the file; none when there is no file yet.
    ///
    /// # Errors
    /// When the file can't be read or holds a line that is no anchor.
    pub fn read(&self) -> Result<Option<Vec<AuditMark>>, AnchorError> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(self.io(e)),
        };
        let mut marks = Vec::new();
        for (i, line) in String::from_utf8_lossy(&bytes)
            .split_inclusive('\n')
            .enumerate()
        {
            marks.push(parse(line).ok_or_else(|| AnchorError::Line {
                path: self.path.clone(),
                line: i + 1,
            })?);
        }
        Ok(Some(marks))
    }

    /// Writes down the log's head, unless it already is or the log is empty; gives what it is.
    ///
    /// # Errors
    /// When the log no longer holds the last anchor, or file or store fail: then nothing is written.
    pub async fn keep(&self, store: &Store, at: Time) -> Result<AuditMark, AnchorError> {
        let known = self.read()?;
        let head = store.audit_head().await?;
        // Another process may have added a line in between, so the last need not be the highest.
        let last = known.into_iter().flatten().max_by_key(|m| m.seq);
        if let Some(last) = last {
            let holds = match store.audit(last.seq, 1).await?.first() {
                Some(entry) => entry.seq == last.seq && entry.hash == last.hash,
                None => false,
            };
            if !holds || head.seq < last.seq {
                return Err(AnchorError::Rewritten {
                    path: self.path.clone(),
                    seq: last.seq,
                });
            }
            if last == head {
                return Ok(head);
            }
        }
        if head.seq == 0 {
            return Ok(head);
        }
        let time = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let line = format!("{} {} {time}\n", head.seq, head.hash);
        let written = || {
            let mut file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(&self.path)?;
            let before = file.metadata()?.len();
            let written = file.write_all(line.as_bytes());
            if written.is_err() {
                // Half a line would later be taken for a change; the first error is the one to tell.
                let _ = file.set_len(before);
            }
            written?;
            file.sync_all()
        };
        written().map_err(|e| self.io(e))?;
        Ok(head)
    }

    fn io(&self, source: std::io::Error) -> AnchorError {
        AnchorError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

/// `SEQ:HASH`, as a person wrote it down.
///
/// # Errors
/// What to write instead.
pub fn written_down(text: &str) -> Result<AuditMark, String> {
    let mark = text.split_once(':').and_then(|(seq, hash)| mark(seq, hash));
    mark.ok_or_else(|| "write NUMBER:HASH, as `nightdesk audit anchor` prints it".to_owned())
}

fn parse(line: &str) -> Option<AuditMark> {
    let mut parts = line.strip_suffix('\n')?.split(' ');
    let (seq, hash, time) = (parts.next()?, parts.next()?, parts.next()?);
    let ours = parts.next().is_none() && chrono::DateTime::parse_from_rfc3339(time).is_ok();
    mark(seq, hash).filter(|_| ours)
}

fn mark(seq: &str, hash: &str) -> Option<AuditMark> {
    let is_hash = hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let seq: i64 = seq.parse().ok().filter(|n| *n > 0)?;
    is_hash.then(|| AuditMark {
        seq,
        hash: hash.to_owned(),
    })
}
