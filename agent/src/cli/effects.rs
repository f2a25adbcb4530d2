//! `nightdesk effects`: what was proposed to be done outside and what became of it, and another try for what was not
//! sent; deciding and sending are the gate's.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use state::model::{CaseId, Effect, Held};
use state::store::{Store, StoreError};

use crate::config::Config;
use crate::ctx::{Clock, SystemClock};
use crate::playbook::rfc3339;
use crate::rights::{Rights, Who};
use crate::text::oneline;

use super::approvals::{groups, person, refusal_of};
use super::output::table;
use super::{Done, FAILED, Failed, Out};

/// Effects that are listed at most.
const MOST: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List outside effects, the newest first
    List {
        /// Of this case alone
        #[arg(long)]
        case: Option<CaseId>,
    },
    /// Show one: the exact call, and what became of it or until when it is held
    Show {
        /// Number of the effect
        id: i64,
    },
    /// Let one that was not sent (failed, denied, dry run) be proposed again; every rule is asked anew
    Retry {
        /// Number of the effect
        id: i64,
        /// Who wants it, as in [approvals] approvers; only root may speak for others [default: you]
        #[arg(long)]
        by: Option<String>,
    },
}

pub(super) async fn effects(config: Config, command: Command, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let done = match command {
        Command::List { case } => list(&store, case, out).await,
        Command::Show { id } => show(&store, id, out).await,
        Command::Retry { id, by } => retry(&store, &config, (id, by), out).await,
    };
    store.close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

fn of_machine(effect: &Effect) -> serde_json::Value {
    let mut value = json!(effect);
    value["word"] = json!(effect.word());
    value
}

async fn list(store: &Store, case: Option<CaseId>, out: &Out) -> Result<(), Failed> {
    if let Some(case) = case {
        // A case that is not there is no case without effects.
        store.case(case).await?;
    }
    let found = store.list_effects(case, MOST).await?;
    if out.is_json() {
        let effects: Vec<_> = found.iter().map(of_machine).collect();
        out.value(&json!({ "effects": effects }));
    } else if found.is_empty() {
        out.say("no outside effect was proposed");
    } else {
        let row = |e: Effect| {
            vec![
                e.id.to_string(),
                e.case.to_string(),
                stands(&e),
                oneline(&e.tool, 60),
                oneline(&e.target, 60),
                e.about.d3fend.clone().unwrap_or_default(),
                oneline(&e.reason, 120),
            ]
        };
        let header = ["id", "case", "stands", "tool", "on", "d3fend", "why"];
        out.line(&table(&header, found.into_iter().map(row).collect()));
    }
    Ok(())
}

async fn show(store: &Store, id: i64, out: &Out) -> Result<(), Failed> {
    let effect = store.effect(id).await?;
    if out.is_json() {
        out.value(&of_machine(&effect));
        return Ok(());
    }
    out.line(&format!(
        "effect {id} of {}: {} ({}), {}",
        effect.case,
        oneline(&effect.tool, 100),
        effect.class,
        effect.word()
    ));
    let approval = effect.approval.map(|a| a.to_string());
    let arguments = effect.arguments.to_string();
    let lines = [
        ("on", oneline(&effect.target, 200)),
        ("arguments", oneline(&arguments, 4000)),
        ("why", oneline(&effect.reason, 1000)),
        ("held", held(&effect)),
        ("approval", approval.unwrap_or_default()),
        ("d3fend", effect.about.d3fend.clone().unwrap_or_default()),
        (
            "status",
            oneline(effect.about.wanted.as_deref().unwrap_or_default(), 60),
        ),
    ];
    for (key, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        out.line(&format!("  {key:<10} {value}"));
    }
    Ok(())
}

/// Where an effect stands, and until when when it is held.
fn stands(effect: &Effect) -> String {
    let word = effect.word();
    let held = effect.about.held;
    held.map_or_else(
        || word.to_owned(),
        |h| format!("{word} until {}", rfc3339(h.next)),
    )
}

/// Since when one is held, how often it was ruled on, and when next.
fn held(effect: &Effect) -> String {
    let told = |h: Held| {
        let (since, next) = (rfc3339(h.since), rfc3339(h.next));
        format!("since {since}, tries {}, next {next}", h.tries)
    };
    effect.about.held.map_or(String::new(), told)
}

async fn retry(
    store: &Store,
    config: &Config,
    (id, by): (i64, Option<String>),
    out: &Out,
) -> Result<(), Failed> {
    let Who {
        name: by, channel, ..
    } = person(by)?;
    let effect = store.effect(id).await?;
    let groups = groups(config).await;
    let rights = Rights::new(&config.people.approvals, &*groups);
    let involved = store.involved(effect.case).await?;
    let may = rights.may_approve(&by, &involved).await;
    let mut entry = json!({
        "kind": "effect_retry",
        "case": effect.case,
        "effect": id,
        "tool": effect.tool,
        "by": by,
        "channel": channel,
    });
    let now = SystemClock.now();
    let wanted = match may {
        Err(why) => Err(why),
        Ok(()) => match store.retry_effect(&effect, &by, &entry, now).await {
            Err(StoreError::Refused { why }) => Err(why),
            wanted => Ok(wanted?),
        },
    };
    if let Err(why) = wanted {
        refusal_of(&mut entry, &why);
        store.append_audit(now, &entry).await?;
        return Err(Failed::new(FAILED, anyhow::anyhow!(why)));
    }
    if out.is_json() {
        out.value(&json!({"effect": id, "retry": true}));
    } else {
        out.line(&format!(
            "effect {id}: the daemon proposes it again; `nightdesk effects show {id}` says what became of it"
        ));
    }
    Ok(())
}
