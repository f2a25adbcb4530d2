//! `nightdesk elicitations`: forms that servers asked to be filled in, and people's answers; who may answer is decided in
//! `approvals`, what fits in the gate.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use state::model::{Answered, ApprovalState, Elicitation};
use state::store::{Store, StoreError};

use crate::approvals;
use crate::config::Config;
use crate::ctx::{Clock, SystemClock};
use crate::gate;
use crate::rights::Rights;
use crate::text::{defang, oneline};

use super::approvals::{groups, person, refusal_of};
use super::output::table;
use super::{DATA, Done, FAILED, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the questions of servers that wait for a person
    List {
        /// Also those that were answered or have run out
        #[arg(long)]
        all: bool,
    },
    /// Show one: what the server says, and the form it wants filled in
    Show {
        /// Number of the question
        id: i64,
    },
    /// Answer one and approve the call it is about: it is made once more and gives this answer to just this question
    Answer {
        /// Number of the question
        id: i64,
        /// The fields as one JSON object
        #[arg(long, value_name = "JSON", default_value = "{}")]
        values: String,
        /// Who answers, as in [approvals] approvers; only root may answer for others [default: you]
        #[arg(long)]
        by: Option<String>,
    },
}

pub(super) async fn elicitations(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let done = match command {
        Command::List { all } => list(&store, (!all).then_some(ApprovalState::Pending), out).await,
        Command::Show { id } => show(&store, id, out).await,
        Command::Answer { id, values, by } => answer(&store, &config, (id, values, by), out).await,
    };
    store.close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn list(store: &Store, only: Option<ApprovalState>, out: &Out) -> Result<(), Failed> {
    let mut found = Vec::new();
    for asked in store.elicitations().await? {
        let state = store.approval(asked.approval).await?.state;
        if only.is_none_or(|only| state == only) {
            found.push((asked, state));
        }
    }
    if out.is_json() {
        let list: Vec<Value> = found
            .iter()
            .map(|(asked, state)| of_machine(asked, *state))
            .collect();
        out.value(&json!({ "elicitations": list }));
    } else if found.is_empty() {
        out.say("no server waits for an answer");
    } else {
        let row = |(asked, state): (Elicitation, ApprovalState)| {
            vec![
                asked.id.to_string(),
                asked.case.to_string(),
                asked.effect.to_string(),
                asked.approval.to_string(),
                state.to_string(),
                defang(&oneline(&asked.message, 160)),
            ]
        };
        let header = [
            "id",
            "case",
            "effect",
            "approval",
            "state",
            "the server says",
        ];
        out.line(&table(&header, found.into_iter().map(row).collect()));
    }
    Ok(())
}

fn of_machine(asked: &Elicitation, state: ApprovalState) -> Value {
    let mut value = json!(asked);
    value["state"] = json!(state);
    value
}

async fn show(store: &Store, id: i64, out: &Out) -> Result<(), Failed> {
    let asked = store.elicitation(id).await?;
    let state = store.approval(asked.approval).await?.state;
    if out.is_json() {
        out.value(&of_machine(&asked, state));
        return Ok(());
    }
    out.line(&format!(
        "elicitation {id} of {}, approval {} ({state}); effect {}",
        asked.case, asked.approval, asked.effect
    ));
    out.line(&format!(
        "  the server says {}",
        defang(&oneline(&asked.message, 2000))
    ));
    out.line(&format!(
        "  form            {}",
        oneline(&asked.requested.to_string(), 4000)
    ));
    if let Some(content) = &asked.content {
        let by = asked.answered_by.as_deref().unwrap_or_default();
        let shown = oneline(&content.to_string(), 2000);
        out.line(&format!(
            "  answer          {shown} by {}",
            oneline(by, 100)
        ));
    }
    Ok(())
}

async fn answer(
    store: &Store,
    config: &Config,
    (id, values, by): (i64, String, Option<String>),
    out: &Out,
) -> Result<(), Failed> {
    let bad = |why: String| Failed::new(DATA, anyhow::anyhow!(why));
    let refused = |why: String| Failed::new(FAILED, anyhow::anyhow!(why));
    let who = person(by)?;
    let asked = store.elicitation(id).await?;
    let content: Value =
        serde_json::from_str(&values).map_err(|e| bad(format!("--values is not JSON: {e}")))?;
    gate::answers(&asked, &content).map_err(|why| bad(format!("elicitation {id}: {why}")))?;
    // Who may not approve leaves no answer behind either.
    let groups = groups(config).await;
    let rights = Rights::new(&config.people.approvals, &*groups);
    let involved = store.involved(asked.case).await?;
    let mut entry = gate::answer_record(&asked, &content, (&who.name, &who.channel));
    let now = SystemClock.now();
    let question = store.approval(asked.approval).await?;
    let may = rights.may_say_yes(&who.name, &involved, &question);
    let kept = match may.await {
        Err(why) => Err(why),
        Ok(()) => {
            let given = (&content, who.name.as_str());
            match store.answer_elicitation(id, given, &entry, now).await {
                Err(StoreError::Refused { why }) => Err(why),
                kept => Ok(kept?),
            }
        }
    };
    if let Err(why) = kept {
        refusal_of(&mut entry, &why);
        store.append_audit(now, &entry).await?;
        return Err(refused(why));
    }
    let by = who.name.clone();
    let answer = approvals::Answer {
        id: asked.approval,
        answered: Answered::Approved,
        who,
        reason: "values given for what the server asked".to_owned(),
        at: SystemClock.now(),
    };
    let given = approvals::answer(store, rights, answer).await;
    let given = given.map_err(super::approvals::refused)?;
    if out.is_json() {
        out.value(&given);
    } else if let Some(more) = super::approvals::still_waits(&given, &by) {
        out.line(&more);
    } else {
        let (case, effect) = (asked.case, asked.effect);
        out.line(&format!(
            "the call is checked once more and made with this answer; `nightdesk effects show {effect}` says what became of it ({case})"
        ));
    }
    Ok(())
}
