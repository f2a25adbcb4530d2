//! The end of a run: verdicts, outcome, status, effects, questions and timeline in one transaction; it decides nothing but the fencing.

use chrono::TimeDelta;
use sqlx::SqliteConnection;

use super::cases::move_case;
use super::queue::{self, Claim};
use super::rows::{Fields, micros, whole};
use super::{
    NewApproval, Result, Seen, Store, StoreError, approvals, asking, feedback, standing, switches,
    timeline, verdicts,
};
use crate::model::{
    CaseEvent, CaseId, Effect, EffectDecision, Feedback, Outcome, Spent, Switch, Time,
    TimelineEvent, TimelineKind, Verdict,
};

/// Everything a run leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The worker's right to store it.
    pub claim: Claim,
    /// New verdicts; each supersedes the earlier one on its alert.
    pub verdicts: Vec<Verdict>,
    /// What is done with the case.
    pub outcome: Outcome,
    /// The move that goes with it.
    pub event: CaseEvent,
    /// Proposed and executed effects.
    pub effects: Vec<Effect>,
    /// Questions to people.
    pub approvals: Vec<NewApproval>,
    /// For the timeline.
    pub events: Vec<TimelineEvent>,
    /// Closes without a person that are allowed in the hour before `now`; a close over it is refused.
    pub close_cap: i64,
    /// What this run has spent; it is added to what earlier runs spent.
    pub spent: Spent,
    /// When.
    pub now: Time,
}

/// What became of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// True when an alert joined during the run and has no verdict: the case is in the queue again and has no outcome.
    pub requeued: bool,
    /// Ids of the questions, in the order of the record, without those about effects under way; none when requeued.
    pub approvals: Vec<i64>,
}

/// What a person does with a case outside any question.
#[derive(Debug, Clone, PartialEq)]
pub struct Intervention {
    /// Case.
    pub case: CaseId,
    /// Where it goes, when it goes anywhere: `closed`, `escalated` or `reopened`.
    pub event: Option<CaseEvent>,
    /// What is thereby done with it.
    pub outcome: Option<Outcome>,
    /// How the person saw the case, when what they do holds for just that.
    pub seen: Option<Seen>,
    /// The person's verdicts.
    pub verdicts: Vec<Verdict>,
    /// Their words on alerts, for later ones like them.
    pub feedback: Vec<Feedback>,
    /// For the timeline.
    pub events: Vec<TimelineEvent>,
    /// When.
    pub now: Time,
}

impl Store {
    /// Stores the end of a run.
    ///
    /// If an alert joined during the run that has no verdict, the case goes back in the queue: verdicts, spending
    /// and effects that were sent or refused are kept, and nothing is closed, escalated or asked. Any other alert
    /// without a verdict can only go to a person with its case.
    ///
    /// # Errors
    /// [`StoreError::LostLease`] when the claim is no longer in force, [`StoreError::IllegalMove`],
    /// [`StoreError::Refused`] when outcome and event do not fit, when a close would leave an alert without a verdict
    /// or with a `suspicious` or `undetermined` one behind, or when closing is switched off.
    pub async fn record(&self, record: Record) -> Result<Recorded> {
        fits(&record)?;
        let case = record.claim.case;
        let mut tx = self.begin().await?;
        queue::check(&mut tx, &record.claim).await?;
        for verdict in &record.verdicts {
            verdicts::give(&mut tx, case, verdict).await?;
        }
        spend(&mut tx, case, record.spent).await?;
        let recorded = if verdicts::unjudged(&mut tx, case, Some(&record.claim)).await? {
            requeue(&mut tx, &record).await?
        } else {
            finish(&mut tx, &record).await?
        };
        tx.commit().await?;
        Ok(recorded)
    }

    /// Stores what a person did with a case: verdicts, a move, or both.
    ///
    /// # Errors
    /// [`StoreError::IllegalMove`], [`StoreError::NotFound`], [`StoreError::Refused`], also when the case is not as they saw it.
    pub async fn intervene(&self, done: Intervention) -> Result<()> {
        if let Some(event) = done.event
            && !matches!(
                event,
                CaseEvent::Closed | CaseEvent::Escalated | CaseEvent::Reopened
            )
        {
            return Err(StoreError::refused(format!(
                "a person making {} {event}; they close, escalate or reopen",
                done.case
            )));
        }
        let mut tx = self.begin().await?;
        if let Some(seen) = &done.seen
            && !standing::is_as_seen(&mut tx, done.case, seen).await?
        {
            return Err(StoreError::refused(format!(
                "deciding on {}, whose alerts or verdicts have changed since: look at it again",
                done.case
            )));
        }
        for verdict in &done.verdicts {
            verdicts::give(&mut tx, done.case, verdict).await?;
        }
        feedback::keep(&mut tx, done.case, &done.feedback).await?;
        if let Some(event) = done.event {
            move_case(&mut tx, done.case, event, done.now).await?;
            approvals::lapse_of_case(&mut tx, done.case, approvals::WORKED, done.now).await?;
        } else if !done.verdicts.is_empty() {
            approvals::lapse_closes(&mut tx, done.case, done.now).await?;
        }
        set_outcome(&mut tx, done.case, done.outcome).await?;
        timeline::append_all(&mut tx, done.case, &done.events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What all runs of a case have spent together.
    pub async fn spent_of(&self, case: CaseId) -> Result<Spent> {
        let found = sqlx::query("SELECT * FROM case_spent WHERE case_id = ?1")
            .bind(case.0)
            .fetch_optional(&self.readers)
            .await?;
        found.map_or(Ok(Spent::default()), |row| {
            Spent::try_from(Fields::new("case_spent", &row))
        })
    }

    /// How many times since then (inclusive) a case was closed without a person.
    pub async fn closes_since(&self, since: Time) -> Result<i64> {
        Ok(
            sqlx::query_scalar("SELECT count(*) FROM unattended_closes WHERE at >= ?1")
                .bind(micros(since))
                .fetch_one(&self.readers)
                .await?,
        )
    }
}

fn fits(record: &Record) -> Result<()> {
    match (record.event, record.outcome) {
        (CaseEvent::Asked, Outcome::AwaitingApproval) if record.approvals.is_empty() => Err(
            StoreError::refused("letting a case wait for an answer to no question"),
        ),
        (CaseEvent::Closed, Outcome::Closed)
        | (CaseEvent::Escalated, Outcome::Escalated)
        | (CaseEvent::Asked, Outcome::AwaitingApproval) => Ok(()),
        (event, outcome) => Err(StoreError::refused(format!(
            "ending a run with the outcome {outcome} when the case is {event}"
        ))),
    }
}

async fn finish(db: &mut SqliteConnection, record: &Record) -> Result<Recorded> {
    let (case, now) = (record.claim.case, record.now);
    if record.event != CaseEvent::Escalated && verdicts::unjudged(db, case, None).await? {
        return Err(StoreError::refused(format!(
            "ending {case} without a person while an alert in it has no verdict"
        )));
    }
    if record.event == CaseEvent::Closed {
        // Here and not only in the rooms: a switch that is turned while a case is worked holds for it too.
        if switches::is_off(db, Switch::Closing).await? {
            return Err(StoreError::refused(format!(
                "closing {case} while closing is switched off"
            )));
        }
        verdicts::all_final(db, case).await?;
        let hour = micros(now - TimeDelta::hours(1));
        let closed: i64 =
            sqlx::query_scalar("SELECT count(*) FROM unattended_closes WHERE at >= ?1")
                .bind(hour)
                .fetch_one(&mut *db)
                .await?;
        if closed >= record.close_cap {
            return Err(StoreError::CapReached {
                what: "closes",
                most: record.close_cap,
            });
        }
        sqlx::query(
            "INSERT INTO unattended_closes (case_id, at) SELECT id, ?2 FROM cases WHERE id = ?1 AND canary = 0",
        )
            .bind(case.0)
            .bind(micros(now))
            .execute(&mut *db)
            .await?;
    }
    let proposed = (record.effects.as_slice(), record.approvals.as_slice());
    let asked = asking::keep(db, case, proposed, now).await?;
    timeline::append_all(db, case, &record.events).await?;
    move_case(db, case, record.event, now).await?;
    set_outcome(db, case, Some(record.outcome)).await?;
    Ok(Recorded {
        requeued: false,
        approvals: asked,
    })
}

async fn requeue(db: &mut SqliteConnection, record: &Record) -> Result<Recorded> {
    let (case, now) = (record.claim.case, record.now);
    for effect in &record.effects {
        let waits = matches!(
            effect.decision,
            EffectDecision::AwaitingApproval | EffectDecision::Due
        );
        // What this run called for is proposed anew by the next one.
        if !waits && effect.about.held.is_none() {
            asking::keep_one(db, case, (effect, effect.approval), now).await?;
        }
    }
    for event in &record.events {
        let ends = matches!(
            event.kind,
            TimelineKind::Closed | TimelineKind::Escalated | TimelineKind::Asked
        );
        if !ends {
            timeline::append(db, case, event).await?;
        }
    }
    move_case(db, case, CaseEvent::Released, now).await?;
    if !record.verdicts.is_empty() {
        // This attempt came to its end; the next one is the first for the alert that joined.
        sqlx::query("UPDATE cases SET attempts = 0 WHERE id = ?1")
            .bind(case.0)
            .execute(&mut *db)
            .await?;
    }
    let event = TimelineEvent::ours(
        case,
        now,
        TimelineKind::Released,
        "another alert joined while the case was worked: it goes back in the queue",
    );
    timeline::append(db, case, &event).await?;
    Ok(Recorded {
        requeued: true,
        approvals: Vec::new(),
    })
}

/// Notes what was done with a case; `None` leaves what was noted before.
pub(super) async fn set_outcome(
    db: &mut SqliteConnection,
    case: CaseId,
    outcome: Option<Outcome>,
) -> Result<()> {
    let Some(outcome) = outcome else {
        return Ok(());
    };
    sqlx::query("UPDATE cases SET outcome = ?2 WHERE id = ?1")
        .bind(case.0)
        .bind(outcome.as_str())
        .execute(db)
        .await?;
    Ok(())
}

async fn spend(db: &mut SqliteConnection, case: CaseId, spent: Spent) -> Result<()> {
    sqlx::query(
        "INSERT INTO case_spent (case_id, tool_calls, turns, tokens_in, tokens_out, usd) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (case_id) DO UPDATE SET tool_calls = tool_calls + excluded.tool_calls,
             turns = turns + excluded.turns, tokens_in = tokens_in + excluded.tokens_in,
             tokens_out = tokens_out + excluded.tokens_out, usd = usd + excluded.usd",
    )
    .bind(case.0)
    .bind(spent.tool_calls)
    .bind(spent.turns)
    .bind(whole(spent.tokens_in))
    .bind(whole(spent.tokens_out))
    .bind(spent.usd)
    .execute(db)
    .await?;
    Ok(())
}

impl<'r> TryFrom<Fields<'r>> for Spent {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            tool_calls: row.count("tool_calls")?,
            turns: row.count("turns")?,
            tokens_in: row.count("tokens_in")?,
            tokens_out: row.count("tokens_out")?,
            usd: row.get("usd")?,
        })
    }
}
