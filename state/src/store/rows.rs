//! Turns rows into nouns and values into columns; a row that does not fit is named, never guessed.

use std::fmt::Display;
use std::str::FromStr;

use chrono::DateTime;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row, Sqlite, Type};

use super::{Result, StoreError};
use crate::model::{AlertId, CaseId, Tier, Time};

/// One row and the table it came from.
pub(super) struct Fields<'r> {
    table: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Fields<'r> {
    pub(super) fn new(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { table, row }
    }

    /// The column as it stands.
    pub(super) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, column: &str) -> Result<T> {
        self.row
            .try_get(column)
            .map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn case(&self, column: &str) -> Result<CaseId> {
        Ok(CaseId(self.get(column)?))
    }

    pub(super) fn alert(&self, column: &str) -> Result<AlertId> {
        Ok(AlertId(self.get(column)?))
    }

    pub(super) fn flag(&self, column: &str) -> Result<bool> {
        match self.get::<i64>(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.corrupt(column, format!("{other} is neither 0 nor 1"))),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn count<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        let number: i64 = self.get(column)?;
        T::try_from(number).map_err(|_| self.corrupt(column, format!("{number} is out of range")))
    }

    pub(super) fn time(&self, column: &str) -> Result<Time> {
        let micros: i64 = self.get(column)?;
        DateTime::from_timestamp_micros(micros)
            .ok_or_else(|| self.corrupt(column, format!("{micros} is not a time")))
    }

    pub(super) fn tier(&self, column: &str) -> Result<Tier> {
        let number: u8 = self.count(column)?;
        Tier::try_from(number).map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn word<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T> {
        let text: &str = self.get(column)?;
        text.parse().map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn opt_word<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<&str> = self.get(column)?;
        text.map(|t| t.parse().map_err(|e| self.corrupt(column, e)))
            .transpose()
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T> {
        let text: &str = self.get(column)?;
        serde_json::from_str(text).map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn opt_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>> {
        let text: Option<&str> = self.get(column)?;
        text.map(|t| serde_json::from_str(t).map_err(|e| self.corrupt(column, e)))
            .transpose()
    }

    pub(super) fn opt_time(&self, column: &str) -> Result<Option<Time>> {
        match self.get::<Option<i64>>(column)? {
            Some(_) => self.time(column).map(Some),
            None => Ok(None),
        }
    }

    fn corrupt(&self, column: &str, why: impl Display) -> StoreError {
        let number = |name: &str| self.row.try_get::<i64, _>(name).ok();
        let id = match (number("id"), number("case_id"), number("seq")) {
            (Some(id), _, _) | (None, None, Some(id)) => id.to_string(),
            (None, Some(case), Some(seq)) => format!("{}/{seq}", CaseId(case)),
            (None, Some(case), None) => CaseId(case).to_string(),
            (None, None, None) => "?".to_owned(),
        };
        StoreError::Corrupt {
            table: self.table,
            id,
            why: format!("{column}: {why}"),
        }
    }
}

/// All rows as nouns; the first row that does not fit is the error.
pub(super) fn all<T>(table: &'static str, rows: &[SqliteRow]) -> Result<Vec<T>>
where
    T: for<'r> TryFrom<Fields<'r>, Error = StoreError>,
{
    rows.iter()
        .map(|row| T::try_from(Fields::new(table, row)))
        .collect()
}

/// One row as a noun, if there is one.
pub(super) fn one<T>(table: &'static str, row: Option<&SqliteRow>) -> Result<Option<T>>
where
    T: for<'r> TryFrom<Fields<'r>, Error = StoreError>,
{
    row.map(|row| T::try_from(Fields::new(table, row)))
        .transpose()
}

/// The time as its column holds it; what is below a microsecond is cut.
pub(super) fn micros(time: Time) -> i64 {
    time.timestamp_micros()
}

/// The value as its column holds it.
pub(super) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|e| StoreError::refused(format!("a value has no JSON spelling: {e}")))
}

/// A count as its column holds it.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
