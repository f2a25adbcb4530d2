//! Opens a store: address, lock file, connections, schema; it reads and writes no nouns.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

use super::address::Address;
use super::migrations::{latest, migrator};
use super::{Result, Store, StoreError};

const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
/// Below this SQLite can damage a WAL database that two processes write (fixed in 3.51.3).
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

impl Store {
    /// Opens the store for a command that runs beside a daemon, creating it when it is not there.
    ///
    /// `url` is `sqlite:PATH`, `sqlite::memory:` or a bare path.
    ///
    /// # Errors
    /// [`StoreError::Newer`], [`StoreError::Unsupported`], [`StoreError::Corrupt`],
    /// [`StoreError::Io`]; [`StoreError::Locked`] when the schema is old and a daemon uses it.
    pub async fn open(url: &str) -> Result<Self> {
        match Address::parse(url)? {
            Address::Memory => Self::open_memory().await,
            Address::File(path) => Self::open_file(&path, None).await,
        }
    }

    /// Opens the store that a daemon or an earlier command has made, for a command that can say nothing of an empty one.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::Absent`] when there is none: none is made.
    pub async fn open_existing(url: &str) -> Result<Self> {
        match Address::parse(url)? {
            Address::File(path) if !path.is_file() => Err(StoreError::Absent {
                path: std::path::absolute(&path)
                    .unwrap_or(path)
                    .display()
                    .to_string(),
            }),
            _ => Self::open(url).await,
        }
    }

    /// Opens the store for a daemon: no second daemon can open it until this one is closed.
    ///
    /// # Errors
    /// As [`Store::open`], and [`StoreError::Locked`] when another daemon has it.
    pub async fn open_exclusive(url: &str) -> Result<Self> {
        match Address::parse(url)? {
            Address::Memory => Self::open_memory().await,
            Address::File(path) => {
                let lock = lock(&path)?;
                Self::open_file(&path, Some(lock)).await
            }
        }
    }

    async fn open_memory() -> Result<Self> {
        // Each call gives a database of its own; it lives as long as one connection to it.
        let options = SqliteConnectOptions::from_str("sqlite::memory:")?
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let anchor = kept_open()
            .max_connections(1)
            .connect_with(options.clone())
            .await?;
        let writer = one_writer().connect_with(options).await?;
        let store = Self {
            // Two connections to a shared memory database meet table locks: all go through one.
            readers: writer.clone(),
            writer,
            anchor: Some(anchor),
            lock: None,
        };
        store.check_engine().await?;
        migrator().run(&store.writer).await?;
        Ok(store)
    }

    async fn open_file(path: &Path, lock_held: Option<File>) -> Result<Self> {
        make_parent(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let writer = one_writer()
            .connect_with(options.clone())
            .await
            .map_err(|e| opening(path, e))?;
        let readers = kept_open()
            .max_connections(READERS)
            .connect_lazy_with(options.read_only(true));
        let store = Self {
            writer,
            readers,
            anchor: None,
            lock: lock_held.map(Arc::new),
        };
        store.check_engine().await?;
        let (found, known) = (store.schema().await?, latest());
        if found > known {
            return Err(StoreError::Newer { found, known });
        }
        // Also with nothing to do: it compares the checksums of what was applied.
        let _held = match store.lock {
            None if found < known => Some(lock(path)?),
            _ => None,
        };
        migrator().run(&store.writer).await?;
        Ok(store)
    }

    async fn check_engine(&self) -> Result<()> {
        let version: String = sqlx::query_scalar("SELECT sqlite_version()")
            .fetch_one(&self.writer)
            .await?;
        if parse_version(&version) >= Some(OLDEST_SQLITE) {
            return Ok(());
        }
        Err(StoreError::Unsupported {
            what: format!("SQLite {version} is too old for the store; build with 3.51.3 or newer"),
        })
    }

    /// Whether the schema in the file is the one of this program.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] when it is another, or the database's own.
    pub(super) async fn migrated(&self) -> Result<()> {
        let (found, known) = (schema_of(&self.readers).await?, latest());
        if found == known {
            return Ok(());
        }
        Err(StoreError::Unsupported {
            what: format!(
                "the store has schema {found} and this nightdesk works with {known}; start it again"
            ),
        })
    }

    /// Number of the newest schema change in the file; 0 for a new file.
    async fn schema(&self) -> Result<i64> {
        schema_of(&self.writer).await
    }
}

async fn schema_of(pool: &SqlitePool) -> Result<i64> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
    )
    .fetch_one(pool)
    .await?;
    if tables == 0 {
        return Ok(0);
    }
    Ok(
        sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
            .fetch_one(pool)
            .await?,
    )
}

/// Connections stay open. sqlx 0.9 would look after idle ones in a loop over their number, which it lets drop below
/// nought for a moment when one is given back just then: that loop has no end and takes a thread of the runtime with it.
fn kept_open() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .idle_timeout(None)
        .max_lifetime(None)
}

/// The pool of the one connection that writes.
fn one_writer() -> SqlitePoolOptions {
    kept_open()
        .max_connections(1)
        // SQLite ends a transaction by itself when the disk fails or is full; sqlx then still
        // counts it as open and could never begin another one on that connection.
        .before_acquire(|db, _| Box::pin(async move { Ok(!db.is_in_transaction()) }))
}

fn make_parent(path: &Path) -> Result<()> {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => std::fs::create_dir_all(dir)
            .map_err(|e| io(format!("the folder {} can not be made", dir.display()), &e)),
        _ => Ok(()),
    }
}

/// Takes `<path>.lock` for this process; it is free again when the file is dropped.
fn lock(path: &Path) -> Result<File> {
    make_parent(path)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let place = PathBuf::from(name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&place)
        .map_err(|e| {
            io(
                format!("the lock file {} can not be made", place.display()),
                &e,
            )
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: place.display().to_string(),
        }),
        Err(TryLockError::Error(e)) => Err(io(
            format!("the lock file {} can not be locked", place.display()),
            &e,
        )),
    }
}

fn opening(path: &Path, e: sqlx::Error) -> StoreError {
    match StoreError::from(e) {
        StoreError::Io { why } => StoreError::Io {
            why: format!("{}: {why}", path.display()),
        },
        other => other,
    }
}

fn io(what: String, e: &std::io::Error) -> StoreError {
    match e.kind() {
        std::io::ErrorKind::StorageFull => StoreError::Full,
        _ => StoreError::Io {
            why: format!("{what}: {e}"),
        },
    }
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|p| p.parse::<u32>().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_said_and_ends_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nd.db");
        let store = Store::open(path.to_str().unwrap()).await.unwrap();
        let now = chrono::DateTime::UNIX_EPOCH;
        let cursor = crate::model::Cursor {
            source: "s".to_owned(),
            position: serde_json::json!({"n": 1}),
        };
        let letter = crate::store::DeadLetter {
            source: "s".to_owned(),
            raw: vec![7; 1 << 20],
            reason: "long".to_owned(),
        };
        // The limit holds for this connection, as a full disk does; the next one has room.
        sqlx::query("PRAGMA max_page_count = 100")
            .execute(&store.writer)
            .await
            .unwrap();
        for fits in [false, true, true] {
            let stored = store
                .store_alerts(&[], std::slice::from_ref(&letter), Some(&cursor), now)
                .await;
            match stored {
                Ok(_) => assert!(fits),
                Err(e) => assert!(!fits && matches!(e, StoreError::Full), "{e}"),
            }
            assert_eq!(store.cursor("s").await.unwrap().is_some(), fits);
        }
    }

    #[tokio::test]
    async fn the_bundled_engine_is_new_enough_and_older_ones_are_not() {
        Store::open_memory().await.unwrap();
        assert!(parse_version("3.51.2") < Some(OLDEST_SQLITE));
        assert!(parse_version("3.9.99") < Some(OLDEST_SQLITE));
        assert!(parse_version("3.51.3") >= Some(OLDEST_SQLITE));
        assert!(parse_version("banana") < Some(OLDEST_SQLITE));
    }
}
