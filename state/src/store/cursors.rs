//! Where each source stands; a cursor moves only with the alerts it stands behind, see `alerts`.

use sqlx::SqliteConnection;

use super::rows::{self, Fields, json, micros};
use super::{Result, Store, StoreError};
use crate::model::{Cursor, Time};

impl Store {
    /// Where a source stands; none before its first delivery.
    pub async fn cursor(&self, source: &str) -> Result<Option<Cursor>> {
        let found = sqlx::query("SELECT source, position FROM cursors WHERE source = ?1")
            .bind(source)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("cursors", found.as_ref())
    }
}

pub(super) async fn put(db: &mut SqliteConnection, cursor: &Cursor, now: Time) -> Result<()> {
    sqlx::query(
        "INSERT INTO cursors (source, position, updated) VALUES (?1, ?2, ?3)
         ON CONFLICT (source) DO UPDATE SET position = excluded.position, updated = excluded.updated",
    )
    .bind(&cursor.source)
    .bind(json(&cursor.position)?)
    .bind(micros(now))
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for Cursor {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            source: row.get("source")?,
            position: row.json("position")?,
        })
    }
}
