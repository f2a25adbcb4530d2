//! `nightdesk notify`: what people were told and what could not be delivered, and a trial of each way to tell them.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::json;
use state::model::{PostState, Severity, StoredPost};
use state::store::Store;

use crate::config::Config;
use crate::ctx::{Clock, Dice, SystemClock};
use crate::notify::card::{Notice, Post};
use crate::notify::slack::Slack;
use crate::notify::{At, notifiers};
use crate::text::oneline;

use super::output::table;
use super::{CONFIG, Done, FAILED, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what people were told or are to be told, the newest first
    List {
        /// due, sent, settled or failed
        #[arg(long)]
        state: Option<PostState>,
        /// At most so many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
    },
    /// Try again what was refused for good, for instance after the channel was made
    Retry,
    /// Send a trial message through every notifier of [notify]
    Test,
}

pub(super) async fn notify(config: Config, command: Command, out: &Out) -> Done {
    if let Command::Test = command {
        return test(&config, out).await;
    }
    let store = Store::open_existing(&config.store.url).await?;
    let done = match command {
        Command::List { state, limit } => list(&store, (state, limit), out).await,
        Command::Retry => retry(&store, out).await,
        Command::Test => Ok(()),
    };
    store.close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

async fn list(
    store: &Store,
    (state, limit): (Option<PostState>, i64),
    out: &Out,
) -> Result<(), Failed> {
    let found = store.posts(state, limit).await?;
    if out.is_json() {
        out.value(&json!({"posts": found}));
    } else if found.is_empty() {
        out.say("there is nothing that people were or are to be told");
    } else {
        let row = |p: StoredPost| {
            vec![
                oneline(&p.notifier, 40),
                oneline(&p.key, 40),
                p.state.to_string(),
                p.attempts.to_string(),
                oneline(&p.why, 120),
            ]
        };
        let header = ["notifier", "what", "state", "attempts", "why not"];
        out.line(&table(&header, found.into_iter().map(row).collect()));
    }
    Ok(())
}

async fn retry(store: &Store, out: &Out) -> Result<(), Failed> {
    let again = store.retry_posts(SystemClock.now()).await?;
    if out.is_json() {
        out.value(&json!({"due": again}));
    } else {
        out.line(&format!(
            "{again} posts are due again; the daemon sends them"
        ));
    }
    Ok(())
}

async fn test(config: &Config, out: &Out) -> Done {
    let mut all = notifiers(&config.people.notify)
        .await
        .map_err(|e| Failed::new(CONFIG, e))?;
    if let Some(settings) = &config.people.notify.slack {
        let slack = Slack::new(settings, Arc::new(SystemClock), Dice::unforeseen()).await;
        all.insert(0, Arc::new(slack.map_err(|e| Failed::new(CONFIG, e))?));
    }
    if all.is_empty() {
        let why = "there is no notifier: add [notify.slack], [[notify.webhooks]] or [notify.mail]";
        return Err(Failed::new(CONFIG, anyhow::anyhow!(why)));
    }
    let post = Post::Notice(Notice {
        severity: Severity::Informational,
        title: "a trial message".to_owned(),
        text: "Sent by `nightdesk notify test`. Nothing has happened.".to_owned(),
    });
    let mut code = ExitCode::SUCCESS;
    let mut told = Vec::new();
    for notifier in all {
        let sent = notifier.post(&post, At::default()).await;
        let why = sent.err().map(|e| e.to_string());
        if why.is_some() {
            code = ExitCode::from(FAILED);
        }
        if !out.is_json() {
            out.line(&match &why {
                None => format!("{}: sent", notifier.name()),
                Some(why) => format!("{}: not sent: {}", notifier.name(), oneline(why, 300)),
            });
        }
        told.push(json!({"notifier": notifier.name(), "sent": why.is_none(), "why": why}));
    }
    if out.is_json() {
        out.value(&json!({"notifiers": told}));
    }
    Ok(code)
}
