//! `nightdesk approvals`: questions that wait for a person, and the answers; who may answer is not checked by this version.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use state::model::{
    Approval, ApprovalState, CaseEvent, Outcome, Time, TimelineEvent, TimelineKind,
};
use state::store::{Answered, ApprovalAnswer, Store};

use crate::config::Config;
use crate::ctx::{Clock, SystemClock};

use super::output::table;
use super::{Done, FAILED, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the questions that wait for a person
    List {
        /// Also those that were answered or have run out
        #[arg(long)]
        all: bool,
    },
    /// Say yes: the case is closed
    Approve(Answer),
    /// Say no: the case goes to a person
    Deny(Answer),
}

/// Which question, and who answers it.
#[derive(Debug, clap::Args)]
pub(super) struct Answer {
    /// Number of the question
    id: i64,
    /// Who answers; stands in the timeline and the audit record
    #[arg(long, env = "USER", value_parser = named)]
    by: String,
}

/// A name that says who did it.
pub(super) fn named(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say who you are: --by NAME".to_owned()),
        name => Ok(name.to_owned()),
    }
}

pub(super) async fn approvals(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open(&config.store.url).await?;
    let done = match command {
        Command::List { all } => list(&store, (!all).then_some(ApprovalState::Pending), out).await,
        Command::Approve(answer) => give(&store, answer, Answered::Approved, out).await,
        Command::Deny(answer) => give(&store, answer, Answered::Denied, out).await,
    };
    store.close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, state: Option<ApprovalState>, out: &Out) -> Result<(), Failed> {
    let found = store.approvals(state).await?;
    if out.is_json() {
        out.value(&json!({"approvals": found}));
    } else if found.is_empty() {
        out.say("nothing waits for a person");
    } else {
        let row = |a: Approval| {
            vec![
                a.id.to_string(),
                a.case.to_string(),
                a.state.to_string(),
                a.action,
                a.summary,
                a.expires.format("%Y-%m-%d %H:%MZ").to_string(),
                a.answered_by.unwrap_or_default(),
            ]
        };
        let header = [
            "id",
            "case",
            "state",
            "action",
            "what",
            "expires",
            "answered by",
        ];
        out.line(&table(&header, found.into_iter().map(row).collect()));
    }
    Ok(())
}

/// Answers one question; the audit record stands before the answer takes effect, and again after it.
async fn give(store: &Store, answer: Answer, answered: Answered, out: &Out) -> Result<(), Failed> {
    let asked = store.approval(answer.id).await?;
    let at = SystemClock.now();
    open(&asked, at)?;
    let (event, outcome, kind, word) = match answered {
        Answered::Approved => (
            CaseEvent::Closed,
            Outcome::Closed,
            TimelineKind::Closed,
            "closed",
        ),
        Answered::Denied => (
            CaseEvent::Escalated,
            Outcome::Escalated,
            TimelineKind::Escalated,
            "kept open",
        ),
    };
    let said = format!("{word} by {}", answer.by);
    let mut told = TimelineEvent::ours(asked.case, at, TimelineKind::Answered, said.clone());
    told.actor.clone_from(&answer.by);
    let mut record = json!({"kind": "approval", "case": asked.case, "approval": asked.id, "action": asked.action,
        "digest": asked.digest, "answer": word, "by": answer.by, "stage": "intent"});
    store.append_audit(at, &record).await?;
    let decided = TimelineEvent::ours(
        asked.case,
        at,
        kind,
        format!("{word}: a person has decided"),
    );
    let answer = ApprovalAnswer {
        approval: asked.id,
        answered,
        by: answer.by,
        at,
        event,
        outcome: Some(outcome),
        events: vec![told, decided],
    };
    let given = store.answer_approval(answer).await?;
    record["stage"] = json!("done");
    store.append_audit(SystemClock.now(), &record).await?;
    if out.is_json() {
        out.value(&given);
    } else {
        out.line(&format!("{} is {said}", given.case));
    }
    Ok(())
}

/// Whether a question can be answered here and now.
fn open(asked: &Approval, at: Time) -> Result<(), Failed> {
    let refuse = |why: String| {
        Err(Failed::new(
            FAILED,
            anyhow::anyhow!("approval {}: {why}", asked.id),
        ))
    };
    if asked.action != "close" {
        return refuse(format!(
            "it is for `{}`; this version answers closes only",
            asked.action
        ));
    }
    match asked.state {
        ApprovalState::Pending if at > asked.expires => {
            refuse("it has run out, which means no".to_owned())
        }
        ApprovalState::Pending => Ok(()),
        state => refuse(format!("it is {state}; only a pending one can be answered")),
    }
}
