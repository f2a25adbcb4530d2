//! The turns of the switches, append-only; what a switch forbids, the rooms know.

use serde_json::json;
use sqlx::SqliteConnection;

use super::rows::{self, Fields, micros};
use super::{Result, Store, StoreError, audit};
use crate::model::{Switch, SwitchState, Turn};

impl Store {
    /// Turns switches; turns and audit entries are one transaction.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when nobody is named or no reason is given.
    pub async fn turn_switches(&self, turns: &[Turn]) -> Result<()> {
        let mut tx = self.begin().await?;
        for turn in turns {
            put(&mut tx, turn).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The last turn of a switch; none means that it was never turned and is on.
    pub async fn switch(&self, switch: Switch) -> Result<Option<Turn>> {
        let found =
            sqlx::query("SELECT * FROM switches WHERE switch = ?1 ORDER BY id DESC LIMIT 1")
                .bind(switch.as_str())
                .fetch_optional(&self.readers)
                .await?;
        rows::one("switches", found.as_ref())
    }
}

/// Turns a switch within a larger transaction.
pub(super) async fn put(db: &mut SqliteConnection, turn: &Turn) -> Result<()> {
    if turn.by.trim().is_empty() || turn.why.trim().is_empty() {
        return Err(StoreError::refused(
            "turning a switch without a name and a reason",
        ));
    }
    sqlx::query(
        "INSERT INTO switches (at, switch, state, turned_by, why) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(micros(turn.at))
    .bind(turn.switch.as_str())
    .bind(turn.state.as_str())
    .bind(&turn.by)
    .bind(&turn.why)
    .execute(&mut *db)
    .await?;
    let entry = json!({"kind": "switch", "switch": turn.switch, "state": turn.state, "by": turn.by, "why": turn.why});
    audit::append(db, turn.at, &entry).await?;
    Ok(())
}

/// Whether a switch is off, as the transaction sees it.
pub(super) async fn is_off(db: &mut SqliteConnection, switch: Switch) -> Result<bool> {
    let row =
        sqlx::query("SELECT id, state FROM switches WHERE switch = ?1 ORDER BY id DESC LIMIT 1")
            .bind(switch.as_str())
            .fetch_optional(db)
            .await?;
    let state: Option<SwitchState> = row
        .map(|row| Fields::new("switches", &row).word("state"))
        .transpose()?;
    Ok(state == Some(SwitchState::Off))
}

impl<'r> TryFrom<Fields<'r>> for Turn {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            switch: row.word("switch")?,
            state: row.word("state")?,
            by: row.get("turned_by")?,
            why: row.get("why")?,
            at: row.time("at")?,
        })
    }
}
