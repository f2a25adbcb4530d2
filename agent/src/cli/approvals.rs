//! `nightdesk approvals`: questions that wait for a person, and the answers; who may answer is decided in `approvals`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use nix::unistd::{User, getuid};
use serde_json::{Value, json};
use state::model::{Answered, Approval, ApprovalState};
use state::store::Store;

use crate::approvals::{self, AnswerError};
use crate::config::{Config, GROUP};
use crate::ctx::{Clock, SystemClock};
use crate::notify;
use crate::rights::{Groups, NoGroups, Rights, Who};
use crate::text::oneline;

use super::output::table;
use super::{Done, FAILED, Failed, Out, USAGE};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the questions that wait for a person
    List {
        /// Also those that were answered or have run out
        #[arg(long)]
        all: bool,
    },
    /// List batches: equal proposed closes that one answer settles (`approve --batch N`)
    Batches,
    /// Take a batch apart: each of its cases is asked by itself
    Apart {
        /// Number of the batch
        batch: i64,
        /// Who wants it, as in [approvals] closers; only root may do it for others [default: you]
        #[arg(long)]
        by: Option<String>,
    },
    /// Show one question: the exact action with its arguments, and what the approval is bound to
    Show {
        /// Number of the question
        id: i64,
    },
    /// Say yes: a proposed close closes the case, a proposed action is checked again and sent once
    Approve(Answer),
    /// Say no: the case stays with a person, the action is not done
    Deny(Answer),
}

/// Which question, and who answers it.
#[derive(Debug, clap::Args)]
pub(super) struct Answer {
    /// Number of the question
    #[arg(required_unless_present = "batch")]
    id: Option<i64>,
    /// Number of a batch of equal questions, instead: one answer to all of them
    #[arg(long, conflicts_with = "id")]
    batch: Option<i64>,
    /// Who answers, as in [approvals] approvers and closers; only root may answer for others [default: you]
    #[arg(long)]
    by: Option<String>,
    /// Why; needed to say no, and to say yes to something destructive
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn approvals(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let done = match command {
        Command::List { all } => list(&store, (!all).then_some(ApprovalState::Pending), out).await,
        Command::Batches => batches(&store, out).await,
        Command::Apart { batch, by } => apart(&store, &config, (batch, by), out).await,
        Command::Show { id } => show(&store, id, out).await,
        Command::Approve(answer) => give(&store, &config, (answer, Answered::Approved), out).await,
        Command::Deny(answer) => give(&store, &config, (answer, Answered::Denied), out).await,
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
                oneline(&a.action, 60),
                oneline(&a.summary, 160),
                a.expires.format("%Y-%m-%d %H:%MZ").to_string(),
                oneline(&a.answered_by.unwrap_or_default(), 40),
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

async fn batches(store: &Store, out: &Out) -> Result<(), Failed> {
    let mut found = Vec::new();
    for batch in store.open_questions().await? {
        let mut cases = Vec::new();
        for id in &batch.approvals {
            let asked = store.approval(*id).await?;
            if asked.state == ApprovalState::Pending {
                cases.push(asked.case);
            }
        }
        found.push((batch, cases));
    }
    if out.is_json() {
        let all = found
            .iter()
            .map(|(batch, cases)| json!({"batch": batch, "open": cases}));
        out.value(&json!({"batches": all.collect::<Vec<_>>()}));
    } else if found.is_empty() {
        out.say("no batch waits for a person");
    }
    for (batch, cases) in found.iter().filter(|_| !out.is_json()) {
        let names: Vec<String> = cases.iter().map(ToString::to_string).collect();
        let (id, names) = (batch.id, names.join(", "));
        out.line(&format!("batch {id}: {} closes: {names}", cases.len()));
    }
    Ok(())
}

async fn apart(
    store: &Store,
    config: &Config,
    (batch, by): (i64, Option<String>),
    out: &Out,
) -> Result<(), Failed> {
    let (who, groups) = (person(by)?, groups(config).await);
    let rights = Rights::new(&config.people.approvals, &*groups);
    let apart = approvals::take_apart(store, rights, (batch, &who), SystemClock.now());
    apart.await.map_err(refused)?;
    if out.is_json() {
        out.value(&json!({"batch": batch, "apart": true}));
    } else {
        out.line(&format!(
            "batch {batch} is taken apart; each of its cases is asked by itself"
        ));
    }
    Ok(())
}

async fn show(store: &Store, id: i64, out: &Out) -> Result<(), Failed> {
    let asked = store.approval(id).await?;
    let votes = store.votes_of(id).await?;
    let form = store.elicitation_for(id).await?;
    if out.is_json() {
        let mut value = serde_json::to_value(&asked).unwrap_or_default();
        value["votes"] = json!(votes);
        value["elicitation"] = json!(form);
        out.value(&value);
        return Ok(());
    }
    out.line(&format!(
        "approval {id}, {}: {} for {}, until {}",
        asked.state,
        oneline(&asked.action, 60),
        asked.case,
        asked.expires.format("%Y-%m-%d %H:%MZ")
    ));
    out.line(&oneline(&asked.summary, 2000));
    for key in ["target", "arguments", "alerts", "pin", "policy"] {
        if let Some(value) = asked.binding.get(key).filter(|v| !v.is_null()) {
            out.line(&format!(
                "  {key:<10} {}",
                oneline(&value.to_string(), 4000)
            ));
        }
    }
    if let Some(content) = form.as_ref().and_then(|f| f.content.as_ref()) {
        let shown = oneline(&content.to_string(), 4000);
        out.line(&format!("  {:<10} {shown}", "values"));
    }
    out.line(&format!("  {:<10} {}", "digest", asked.digest));
    out.line(&format!("  {:<10} {}", "needed", asked.needed));
    for vote in votes {
        let (person, reason) = (oneline(&vote.person, 60), oneline(&vote.reason, 500));
        out.line(&format!("  {:<10} {person} {reason}", vote.answer));
    }
    Ok(())
}

async fn give(
    store: &Store,
    config: &Config,
    given: (Answer, Answered),
    out: &Out,
) -> Result<(), Failed> {
    let (answer, answered) = given;
    let who = person(answer.by)?;
    let by = who.name.clone();
    if let Some(batch) = answer.batch {
        let all = approvals::ForAll {
            batch,
            answered,
            who,
            reason: answer.reason.unwrap_or_default(),
            at: SystemClock.now(),
        };
        return give_all(store, config, all, out).await;
    }
    let answer = approvals::Answer {
        id: answer.id.unwrap_or_default(),
        answered,
        who,
        reason: answer.reason.unwrap_or_default(),
        at: SystemClock.now(),
    };
    let groups = groups(config).await;
    let rights = Rights::new(&config.people.approvals, &*groups);
    let given = approvals::answer(store, rights, answer).await;
    let given = given.map_err(refused)?;
    if out.is_json() {
        out.value(&given);
        return Ok(());
    }
    let (case, id) = (given.case, given.id);
    if let Some(more) = still_waits(&given, &by) {
        out.line(&more);
        return Ok(());
    }
    out.line(&match (given.action.as_str(), answered) {
        ("close", Answered::Approved) => format!("{case} is closed by {by}"),
        ("close", Answered::Denied) => format!("{case} is kept open by {by}"),
        (_, Answered::Approved) => format!(
            "approval {id}: {}\nthe daemon checks it once more and does it; `nightdesk case show {case}` says what became of it",
            given.state
        ),
        (_, Answered::Denied) => format!("approval {id}: denied; it is not done"),
    });
    Ok(())
}

async fn give_all(
    store: &Store,
    config: &Config,
    all: approvals::ForAll,
    out: &Out,
) -> Result<(), Failed> {
    let batch = all.batch;
    let groups = groups(config).await;
    let rights = Rights::new(&config.people.approvals, &*groups);
    let tally = approvals::answer_all(store, rights, all).await;
    let tally = tally.map_err(refused)?;
    if out.is_json() {
        out.value(&json!({"batch": batch, "taken": tally.taken, "before": tally.before, "refused": tally.refused}));
    } else {
        let said = format!(
            "batch {batch}: {} answered, {} were answered before",
            tally.taken, tally.before
        );
        out.line(&said);
    }
    match tally.refused.first() {
        None => Ok(()),
        Some(why) => {
            let refused = format!("{} refused: {why}", tally.refused.len());
            Err(Failed::new(FAILED, anyhow::anyhow!(refused)))
        }
    }
}

/// What is said to whoever has said yes while more people must.
pub(super) fn still_waits(given: &Approval, by: &str) -> Option<String> {
    let (id, needed) = (given.id, given.needed);
    (given.state == ApprovalState::Pending)
        .then(|| format!("approval {id}: {by} says yes; {needed} people must, so it still waits"))
}

/// An answer that does not count.
pub(super) fn refused(e: AnswerError) -> Failed {
    match e {
        AnswerError::Store(e) => e.into(),
        refused => Failed::new(FAILED, refused),
    }
}

/// Makes the audit entry of something that a person asked for that of its refusal.
pub(super) fn refusal_of(entry: &mut Value, why: &str) {
    entry["decision"] = json!("deny");
    entry["rule"] = json!(6);
    entry["why"] = json!(why);
}

/// Who is in the groups that the rules name; Slack is asked only when they name one.
pub(super) async fn groups(config: &Config) -> Arc<dyn Groups> {
    let rules = &config.people.approvals;
    let mut listed = rules.approvers.iter().chain(&rules.closers);
    match listed.any(|entry| entry.starts_with(GROUP)) {
        true => notify::groups(&config.people.notify, Arc::new(SystemClock)).await,
        false => Arc::new(NoGroups::default()),
    }
}

/// Who answers: the user of this process. Root may answer for others, since root can write the store as it likes.
pub(super) fn person(by: Option<String>) -> Result<Who, Failed> {
    let refuse = |why: String| Failed::new(FAILED, anyhow::anyhow!(why));
    let uid = getuid();
    let user =
        User::from_uid(uid).map_err(|e| refuse(format!("who you are can't be told: {e}")))?;
    let user = user.map_or_else(|| format!("uid {uid}"), |u| u.name);
    let by = by.unwrap_or_else(|| user.clone());
    if by.trim().is_empty() {
        let why = anyhow::anyhow!("say who you are: --by NAME");
        return Err(Failed::new(USAGE, why));
    }
    if by.contains(':') {
        return Err(refuse(format!(
            "`{by}` is an account elsewhere and answers there: name the person, as in [[approvals.people]]"
        )));
    }
    if by != user && !uid.is_root() {
        return Err(refuse(format!(
            "you are `{user}` and can't answer for `{by}`"
        )));
    }
    Ok(Who::at_shell(by, format!("command line as {user}")))
}
