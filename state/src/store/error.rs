//! What can go wrong with the store, sorted by what the caller can do about it; it retries nothing itself.

use sqlx::migrate::MigrateError;

use crate::model::{ApprovalState, CaseId, IllegalMove};

/// Result of every call to the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store could not do what it was asked. Nothing of the call has been stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another writer held the database for too long: try again.
    #[error("the store is busy with another writer; try again")]
    Busy,
    /// The disk or the connection failed: try again, then tell a person.
    #[error("the store could not be read or written: {why}")]
    Io {
        /// What the operating system or SQLite said.
        why: String,
    },
    /// The disk is full: stop taking alerts until a person has made room.
    #[error("the disk with the store is full; free some space and the daemon goes on")]
    Full,
    /// A row, or the whole file, is not what was written: a person must look.
    #[error("row {id} of {table} in the store is damaged: {why}; restore it from a backup")]
    Corrupt {
        /// Table, or `database` when it is the file.
        table: &'static str,
        /// Key of the row, or `?`.
        id: String,
        /// What does not fit.
        why: String,
    },
    /// The case is in a status that does not allow this.
    #[error(transparent)]
    IllegalMove(#[from] IllegalMove),
    /// The worker no longer holds the case: drop the work.
    #[error("the lease on {case} was lost to another worker; its work is dropped")]
    LostLease {
        /// Case.
        case: CaseId,
    },
    /// There is no such row.
    #[error("there is no {what} in the store")]
    NotFound {
        /// What was looked for, for instance `case ND-7`.
        what: String,
    },
    /// No daemon has made the store that is asked for.
    #[error(
        "there is no store at {path}: name the configuration of the daemon with --config, or let `nightdesk run` make it"
    )]
    Absent {
        /// Where it is looked for.
        path: String,
    },
    /// A newer nightdesk has written this store.
    #[error(
        "the store has schema {found} and this nightdesk knows up to {known}; use the newer nightdesk, or a backup from before its upgrade"
    )]
    Newer {
        /// Schema of the store.
        found: i64,
        /// Latest schema this binary knows.
        known: i64,
    },
    /// This build can not use that store.
    #[error("{what}")]
    Unsupported {
        /// What it is and what to use instead.
        what: String,
    },
    /// A daemon has this database open.
    #[error(
        "another nightdesk daemon uses this store ({path} is locked); stop it or give this one its own [store] url"
    )]
    Locked {
        /// The lock file.
        path: String,
    },
    /// So many are allowed in an hour, and so many there were: a person goes on.
    #[error("the cap of {most} {what} an hour is reached")]
    CapReached {
        /// What is counted.
        what: &'static str,
        /// How many are allowed.
        most: i64,
    },
    /// The question was answered before, has run out, or was used.
    #[error(
        "approval {id} is {state}; only a pending one can be answered, and only an approved one used, once and in time"
    )]
    NotOpen {
        /// Approval.
        id: i64,
        /// Where it stands.
        state: ApprovalState,
    },
    /// The caller asked for something the store must never hold: a defect of the caller.
    #[error("the store refuses this: {why}")]
    Refused {
        /// The rule that it breaks.
        why: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed a moment later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::Io { .. })
    }

    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(e: sqlx::Error) -> Self {
        let sqlx::Error::Database(db) = &e else {
            return match e {
                sqlx::Error::PoolTimedOut => Self::Busy,
                sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::Decode(_)
                | sqlx::Error::RowNotFound => Self::Corrupt {
                    table: "database",
                    id: "?".to_owned(),
                    why: e.to_string(),
                },
                other => Self::Io {
                    why: other.to_string(),
                },
            };
        };
        // The low byte is SQLite's primary result code.
        let code: i64 = db.code().and_then(|c| c.parse().ok()).unwrap_or(1);
        let why = db.message().to_owned();
        match code & 0xff {
            5 | 6 => Self::Busy,
            13 => Self::Full,
            11 | 26 => Self::Corrupt {
                table: "database",
                id: "?".to_owned(),
                why,
            },
            19 => Self::Refused { why },
            _ => Self::Io { why },
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(e: MigrateError) -> Self {
        match e {
            MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _) => e.into(),
            other => Self::Unsupported {
                what: format!("the store's schema does not fit this nightdesk: {other}"),
            },
        }
    }
}
