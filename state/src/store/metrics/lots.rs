//! Which closes people check: one lot a case, drawn once and kept; what people found in them is `review`'s.

use super::super::rows::{Fields, micros};
use super::super::{Result, Store};
use crate::model::{CaseId, Time};

/// The lot of a case, or of those it was split from.
const KEPT: &str = "WITH RECURSIVE origin (id) AS (SELECT ?1 UNION SELECT s.from_case FROM splits s JOIN origin o ON s.to_case = o.id)
    SELECT max(l.drawn) FROM review_lots l JOIN origin o ON o.id = l.case_id";

/// What the week has so far, and how many closes seven days bring.
const SOFAR: &str = "SELECT
        CAST((SELECT count(*) FROM review_lots l JOIN cases c ON c.id = l.case_id
              WHERE l.week = ?1 AND l.drawn = 1 AND c.canary = 0) AS REAL) AS drawn,
        CAST((SELECT count(*) FROM review_lots l JOIN cases c ON c.id = l.case_id
              WHERE l.at >= ?2 AND c.canary = 0) AS REAL) AS usual";

const SEVEN_DAYS: i64 = 7 * 86_400_000_000;

/// Largest share that is drawn for the sake of the least number: a quiet queue still closes by itself.
const HALF: f64 = 0.5;

/// How closes are drawn for review.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lottery {
    /// First instants of this week and of the next.
    pub week: (Time, Time),
    /// Share of closes that is drawn, 0 to 1.
    pub share: f64,
    /// Least number of cases that is drawn in a week; 0 for none.
    pub least: u32,
}

impl Lottery {
    /// The chance of one more close, 0 to 1: the share, or what the week still wants of the closes that it will still bring
    /// if it goes on as the last seven days did; every second one where it brings hardly more than it wants.
    fn chance(&self, now: Time, (drawn, usual): (f64, f64)) -> f64 {
        let wanted = f64::from(self.least) - drawn;
        if wanted <= 0.0 {
            return self.share;
        }
        let left = (self.week.1 - now).as_seconds_f64() / (7.0 * 86_400.0);
        let to_come = (usual * left).max(1.0);
        self.share.max((wanted / to_come).min(HALF))
    }
}

impl Store {
    /// Draws whether a person checks the close of a case, and keeps it: asked again, of the case or of one that was split from
    /// it, the answer is the same. `luck` lies from 0 up to, not including, 1, and nobody can foresee it.
    ///
    /// # Errors
    /// When there is no such case or the store fails.
    pub async fn draw_for_review(
        &self,
        (case, now): (CaseId, Time),
        lottery: &Lottery,
        luck: f64,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let kept: Option<bool> = sqlx::query_scalar(KEPT)
            .bind(case.0)
            .fetch_one(&mut *tx)
            .await?;
        if let Some(drawn) = kept {
            return Ok(drawn);
        }
        let row = sqlx::query(SOFAR)
            .bind(micros(lottery.week.0))
            .bind(micros(now).saturating_sub(SEVEN_DAYS))
            .fetch_one(&mut *tx)
            .await?;
        let row = Fields::new("review_lots", &row);
        let sofar = (row.get("drawn")?, row.get("usual")?);
        let drawn = luck < lottery.chance(now, sofar);
        sqlx::query(
            "INSERT INTO review_lots (case_id, at, week, least, drawn) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(case.0)
        .bind(micros(now))
        .bind(micros(lottery.week.0))
        .bind(lottery.least)
        .bind(drawn)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(drawn)
    }
}
