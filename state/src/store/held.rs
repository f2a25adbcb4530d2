//! Effects that are held because nobody can tell what a rule says of them: until when, and which are to be ruled on again;
//! what is held, and for how long, is the gate's.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::rows::{self, micros};
use super::{Result, Store, StoreError, audit, effects, elicitations, timeline};
use crate::model::{Effect, Held, Time, TimelineEvent, TimelineKind};

/// The first wait.
const FIRST: TimeDelta = TimeDelta::seconds(5);
/// The longest one.
const LONGEST: TimeDelta = TimeDelta::minutes(30);

/// How long to wait after so many tries that came to nothing: 5 seconds after the first, each time twice as long, at most
/// half an hour.
#[must_use]
pub fn wait_after(tries: i64) -> TimeDelta {
    let doubled = FIRST * (1 << (tries - 1).clamp(0, 10));
    doubled.min(LONGEST)
}

/// An effect that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectHold<'a> {
    /// Row id.
    pub effect: i64,
    /// Until when, and since when.
    pub held: Held,
    /// What could not be told.
    pub reason: &'a str,
    /// When.
    pub at: Time,
}

impl Store {
    /// Holds an effect that was not sent, with its audit entry, and the first time with a line in the timeline of its
    /// case: a due one stays due, any other one stands as denied until it is ruled on again. A person who wanted it to
    /// be proposed again need not say so twice.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when it was sent, or waits for a person.
    pub async fn hold_effect(&self, hold: EffectHold<'_>, entry: &Value) -> Result<()> {
        let mut tx = self.begin().await?;
        let found = sqlx::query(
            "UPDATE effects SET decision = iif(decision = 'due', 'due', 'denied'), reason = ?2,
                 held_since = ?3, held_tries = ?4, held_next = ?5, held_for = ?6
             WHERE id = ?1 AND decision IN ('due', 'denied', 'failed', 'dry_run') RETURNING case_id, tool, target",
        )
        .bind(hold.effect)
        .bind(hold.reason)
        .bind(micros(hold.held.since))
        .bind(hold.held.tries)
        .bind(micros(hold.held.next))
        .bind(hold.held.asked_by.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let found = found.ok_or_else(|| {
            let why = "which was sent or waits for a person";
            StoreError::refused(format!("holding effect {}, {why}", hold.effect))
        })?;
        let (case, name) = effects::named(hold.effect, &found)?;
        elicitations::wanted_no_more(&mut tx, hold.effect).await?;
        audit::append(&mut tx, hold.at, entry).await?;
        if hold.held.tries <= 1 {
            let message = format!("{name}: held, and ruled on again: {}", hold.reason);
            let event = TimelineEvent::ours(case, hold.at, TimelineKind::EffectCarriedOut, message)
                .with(json!({"effect": hold.effect, "decision": "held"}));
            timeline::append(&mut tx, case, &event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Effects that are to be sent now, the oldest first: all that are due but those that are held until later.
    pub async fn effects_due(&self, now: Time) -> Result<Vec<Effect>> {
        let found = sqlx::query(
            "SELECT * FROM effects WHERE decision = 'due' AND (held_next IS NULL OR held_next <= ?1) ORDER BY id",
        )
        .bind(micros(now))
        .fetch_all(&self.readers)
        .await?;
        rows::all("effects", &found)
    }

    /// The effects that are to be ruled on again now: those that were held when they were proposed, and those that people
    /// want to be proposed again, until [`Store::repropose`] or a new question. None of them was sent.
    pub async fn retries(&self, now: Time) -> Result<Vec<Effect>> {
        let found = sqlx::query(
            "SELECT * FROM effects WHERE decision IN ('failed', 'denied', 'dry_run')
                 AND (id IN (SELECT effect_id FROM effect_retries) OR held_next <= ?1) ORDER BY id",
        )
        .bind(micros(now))
        .fetch_all(&self.readers)
        .await?;
        rows::all("effects", &found)
    }
}
