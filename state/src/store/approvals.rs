//! Questions to people and their answers, each answered once and used once; who may answer is checked elsewhere.

use serde_json::json;
use sqlx::SqliteConnection;

use super::cases::{move_case, status_of};
use super::rows::{self, Fields, micros};
use super::{
    Result, Store, StoreError, binding_digest, effects, feedback, record, standing, timeline, votes,
};
use crate::model::{
    Answered, Approval, ApprovalState, CaseEvent, CaseId, CaseStatus, Feedback, Outcome, Time,
    TimelineEvent, TimelineKind,
};

/// A person's answer and what follows for the case.
#[derive(Debug, Clone, PartialEq)]
pub struct ApprovalAnswer {
    /// Which question.
    pub approval: i64,
    /// The answer.
    pub answered: Answered,
    /// Who gave it.
    pub by: String,
    /// Why, in their words; may be empty.
    pub reason: String,
    /// How it came.
    pub channel: String,
    /// When.
    pub at: Time,
    /// What happens to the case. `Answered` moves only a case that still waits; the second of two answers moves nothing.
    pub event: CaseEvent,
    /// What is thereby done with the case.
    pub outcome: Option<Outcome>,
    /// What the answer says of the alerts of the case, for later ones like them.
    pub feedback: Vec<Feedback>,
    /// For the timeline of the case.
    pub events: Vec<TimelineEvent>,
}

impl Store {
    /// Questions in a state, or all; oldest first.
    pub async fn approvals(&self, state: Option<ApprovalState>) -> Result<Vec<Approval>> {
        let found =
            sqlx::query("SELECT * FROM approvals WHERE ?1 IS NULL OR state = ?1 ORDER BY id")
                .bind(state.map(ApprovalState::as_str))
                .fetch_all(&self.readers)
                .await?;
        rows::all("approvals", &found)
    }

    /// Questions about a case, oldest first.
    pub async fn approvals_of(&self, case: CaseId) -> Result<Vec<Approval>> {
        let found = sqlx::query("SELECT * FROM approvals WHERE case_id = ?1 ORDER BY id")
            .bind(case.0)
            .fetch_all(&self.readers)
            .await?;
        rows::all("approvals", &found)
    }

    /// One question.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none with this id.
    pub async fn approval(&self, id: i64) -> Result<Approval> {
        let found = sqlx::query("SELECT * FROM approvals WHERE id = ?1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        rows::one("approvals", found.as_ref())?
            .ok_or_else(|| StoreError::not_found(format!("approval {id}")))
    }

    /// Stores a person's answer and what follows for the case, in one transaction. While more people have to say yes the
    /// question stays pending and nothing follows.
    ///
    /// An approved `close` that closes the case is used up by it.
    ///
    /// # Errors
    /// [`StoreError::NotOpen`] when it was answered before, has run out, or is about nothing any more (it is then stored as
    /// expired),
    /// [`StoreError::Refused`] when the answer would close a case without approving just that, or the person has answered
    /// before,
    /// [`StoreError::IllegalMove`], [`StoreError::NotFound`].
    pub async fn answer_approval(&self, answer: ApprovalAnswer) -> Result<Approval> {
        let mut tx = self.begin().await?;
        let mut asked = read(&mut tx, answer.approval).await?;
        if asked.state != ApprovalState::Pending {
            return Err(not_open(&asked));
        }
        let ended = match (answer.at > asked.expires, answer.answered) {
            (true, _) => Some(LATE),
            (false, Answered::Approved) => no_longer(&mut tx, &asked).await?,
            (false, Answered::Denied) => None,
        };
        if let Some(why) = ended {
            expire(&mut tx, &asked, why, answer.at).await?;
            tx.commit().await?;
            asked.state = ApprovalState::Expired;
            return Err(not_open(&asked));
        }
        let yes = votes::cast(&mut tx, &answer).await?;
        asked.answered_by = Some(answer.by.clone());
        asked.state = match answer.answered {
            Answered::Denied => ApprovalState::Denied,
            Answered::Approved if yes >= asked.needed => ApprovalState::Approved,
            Answered::Approved => {
                let message = format!("{} says yes, {yes} of {}", answer.by, asked.needed);
                tell(&mut tx, &asked, answer.at, message).await?;
                tx.commit().await?;
                return Ok(asked);
            }
        };
        write(&mut tx, &asked, answer.at).await?;
        effects::answered(&mut tx, &asked).await?;
        if answer.event == CaseEvent::Closed {
            if asked.state != ApprovalState::Approved || asked.action != "close" {
                return Err(StoreError::refused(format!(
                    "closing {} on an answer that does not approve its close",
                    asked.case
                )));
            }
            asked.state = ApprovalState::Used;
            write(&mut tx, &asked, answer.at).await?;
        }
        let waits = status_of(&mut tx, asked.case).await? == CaseStatus::AwaitingApproval
            && (asked.action == "close" || !waits_for_close(&mut tx, asked.case).await?);
        if waits || answer.event != CaseEvent::Answered {
            move_case(&mut tx, asked.case, answer.event, answer.at).await?;
            record::set_outcome(&mut tx, asked.case, answer.outcome).await?;
        }
        feedback::keep(&mut tx, asked.case, &answer.feedback).await?;
        timeline::append_all(&mut tx, asked.case, &answer.events).await?;
        tx.commit().await?;
        Ok(asked)
    }

    /// Ends the questions nobody answered in time. A case that waits for nothing else goes to a person.
    pub async fn expire_approvals(&self, now: Time) -> Result<Vec<Approval>> {
        let mut tx = self.begin().await?;
        let found = sqlx::query(
            "SELECT * FROM approvals WHERE state = 'pending' AND expires < ?1 ORDER BY id",
        )
        .bind(micros(now))
        .fetch_all(&mut *tx)
        .await?;
        let mut ended: Vec<Approval> = rows::all("approvals", &found)?;
        for asked in &mut ended {
            expire(&mut tx, asked, LATE, now).await?;
            asked.state = ApprovalState::Expired;
        }
        tx.commit().await?;
        Ok(ended)
    }
}

/// Uses an approved question for the action with this digest; it can not be used again.
///
/// # Errors
/// [`StoreError::NotOpen`] when it is not approved or has run out, [`StoreError::Refused`] when it approves another action.
pub(super) async fn spend(
    db: &mut SqliteConnection,
    id: i64,
    digest: &str,
    now: Time,
) -> Result<()> {
    let mut asked = read(db, id).await?;
    if asked.digest != digest || binding_digest(&asked.binding) != digest {
        return Err(StoreError::refused(format!(
            "using approval {id} for an action it was not given for"
        )));
    }
    if asked.state != ApprovalState::Approved {
        return Err(not_open(&asked));
    }
    if now > asked.expires {
        asked.state = ApprovalState::Expired;
        return Err(not_open(&asked));
    }
    asked.state = ApprovalState::Used;
    write(db, &asked, now).await
}

/// Why questions lapse when their case goes back to work.
pub(super) const WORKED: &str = "the case is worked again";

/// What people were asked about a case no longer holds: its open questions end as expired.
pub(super) async fn lapse_of_case(
    db: &mut SqliteConnection,
    case: CaseId,
    why: &str,
    now: Time,
) -> Result<()> {
    let found = sqlx::query("SELECT * FROM approvals WHERE case_id = ?1 AND state = 'pending'")
        .bind(case.0)
        .fetch_all(&mut *db)
        .await?;
    for asked in rows::all::<Approval>("approvals", &found)? {
        lapse(db, asked.id, why, now).await?;
    }
    Ok(())
}

/// Ends a question, if it is open, without a word on its case.
pub(super) async fn lapse(db: &mut SqliteConnection, id: i64, why: &str, now: Time) -> Result<()> {
    let mut asked = read(db, id).await?;
    if asked.state != ApprovalState::Pending {
        return Ok(());
    }
    asked.state = ApprovalState::Expired;
    write(db, &asked, now).await?;
    effects::answered(db, &asked).await?;
    let message = format!("approval {id} ({}) lapsed: {why}", asked.action);
    tell(db, &asked, now, message).await
}

/// Why a question ends that nobody answered.
const LATE: &str = "was not answered in time and counts as denied";
/// Why a close ends that is no longer the one that was asked.
const OTHER: &str =
    "lapsed: the alerts of the case or their verdicts are not as they were when it was asked";

/// Why a question ends on which no action hangs.
const NOTHING: &str = "lapsed: no action waits for it any more";

/// Why a question can't be answered with yes any more, if so.
async fn no_longer(db: &mut SqliteConnection, asked: &Approval) -> Result<Option<&'static str>> {
    Ok(match asked.action.as_str() {
        "close" => (!standing::is_as_asked(db, asked).await?).then_some(OTHER),
        _ => (!effects::wait_for(db, asked.id).await?).then_some(NOTHING),
    })
}

/// Ends the questions about closing a case of which somebody has said something else since. A case that waits for nothing
/// else goes to a person.
pub(super) async fn lapse_closes(db: &mut SqliteConnection, case: CaseId, now: Time) -> Result<()> {
    let found = sqlx::query(
        "SELECT * FROM approvals WHERE case_id = ?1 AND state = 'pending' AND action = 'close'",
    )
    .bind(case.0)
    .fetch_all(&mut *db)
    .await?;
    for asked in rows::all::<Approval>("approvals", &found)? {
        if !standing::is_as_asked(db, &asked).await? {
            expire(db, &asked, OTHER, now).await?;
        }
    }
    Ok(())
}

/// Whether the close of a case still waits for an answer: until then no other answer sends the case back to work.
async fn waits_for_close(db: &mut SqliteConnection, case: CaseId) -> Result<bool> {
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM approvals WHERE case_id = ?1 AND state = 'pending' AND action = 'close'",
    )
    .bind(case.0)
    .fetch_one(db)
    .await?;
    Ok(open > 0)
}

async fn expire(db: &mut SqliteConnection, asked: &Approval, why: &str, now: Time) -> Result<()> {
    let mut ended = asked.clone();
    ended.state = ApprovalState::Expired;
    write(db, &ended, now).await?;
    effects::answered(db, &ended).await?;
    let message = format!("approval {} ({}) {why}", asked.id, asked.action);
    tell(db, &ended, now, message).await?;
    let open: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM approvals WHERE case_id = ?1 AND state = 'pending'",
    )
    .bind(asked.case.0)
    .fetch_one(&mut *db)
    .await?;
    if open > 0 || status_of(db, asked.case).await? != CaseStatus::AwaitingApproval {
        return Ok(());
    }
    move_case(db, asked.case, CaseEvent::Escalated, now).await?;
    record::set_outcome(db, asked.case, Some(Outcome::Escalated)).await?;
    let event = TimelineEvent::ours(
        asked.case,
        now,
        TimelineKind::Escalated,
        "nothing is asked any more: the case needs a person",
    );
    timeline::append(db, asked.case, &event).await
}

async fn tell(
    db: &mut SqliteConnection,
    asked: &Approval,
    now: Time,
    message: String,
) -> Result<()> {
    let event = TimelineEvent::ours(asked.case, now, TimelineKind::Answered, message)
        .with(json!({"approval": asked.id, "state": asked.state}));
    timeline::append(db, asked.case, &event).await
}

async fn read(db: &mut SqliteConnection, id: i64) -> Result<Approval> {
    let found = sqlx::query("SELECT * FROM approvals WHERE id = ?1")
        .bind(id)
        .fetch_optional(db)
        .await?;
    rows::one("approvals", found.as_ref())?
        .ok_or_else(|| StoreError::not_found(format!("approval {id}")))
}

async fn write(db: &mut SqliteConnection, asked: &Approval, now: Time) -> Result<()> {
    sqlx::query(
        "UPDATE approvals SET state = ?2, answered_by = ?3, answered_at = coalesce(answered_at, ?4) WHERE id = ?1",
    )
    .bind(asked.id)
    .bind(asked.state.as_str())
    .bind(&asked.answered_by)
    .bind(micros(now))
    .execute(db)
    .await?;
    Ok(())
}

fn not_open(asked: &Approval) -> StoreError {
    StoreError::NotOpen {
        id: asked.id,
        state: asked.state,
    }
}

impl<'r> TryFrom<Fields<'r>> for Approval {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            case: row.case("case_id")?,
            action: row.get("action")?,
            summary: row.get("summary")?,
            digest: row.get("digest")?,
            binding: row.json("binding")?,
            state: row.word("state")?,
            asked: row.time("asked")?,
            expires: row.time("expires")?,
            answered_by: row.get("answered_by")?,
            needed: row.get("needed")?,
        })
    }
}
