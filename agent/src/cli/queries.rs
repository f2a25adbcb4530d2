//! `nightdesk queries`: the named queries of a dialect, and one as it would be sent; nothing is asked.

use std::process::ExitCode;

use chrono::Utc;
use clap::Subcommand;
use serde_json::{Map, Value, json};
use state::model::Time;

use crate::config::{Config, QueriesConfig};
use crate::daemon::data;
use crate::playbook::{Dialect, Library};

use super::output::table;
use super::{DATA, Done, Failed, Out, USAGE};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the named queries of a dialect and what each finds
    List {
        /// Another dialect than the one in force
        #[arg(long, value_name = "NAME")]
        dialect: Option<String>,
    },
    /// Print one as it would be sent; a slot that is not given holds its default or its own name
    Show {
        /// Name of the query
        name: String,
        /// Another dialect than the one in force
        #[arg(long, value_name = "NAME")]
        dialect: Option<String>,
        /// Value of a slot, for instance value=ana@example.com or before=24h
        #[arg(long = "slot", value_name = "SLOT=VALUE")]
        slots: Vec<String>,
        /// Time of the alert, RFC 3339 [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<Time>,
    },
}

pub(super) fn queries(config: Config, command: Command, out: &Out) -> Done {
    match command {
        Command::List { dialect } => {
            list(library(config, dialect)?.dialect(), out);
            Ok(ExitCode::SUCCESS)
        }
        Command::Show {
            name,
            dialect,
            slots,
            at,
        } => {
            let at = at.unwrap_or_else(Utc::now);
            let as_of = config.run.as_of(at);
            let library = library(config, dialect)?;
            show(library.dialect(), (&name, &slots), (at, as_of), out)
        }
    }
}

/// The playbooks with the dialect in force, or with another as it ships.
fn library(mut config: Config, dialect: Option<String>) -> Result<Library, Failed> {
    if let Some(dialect) = dialect.filter(|d| *d != config.queries.dialect) {
        config.queries = QueriesConfig {
            dialect,
            ..QueriesConfig::default()
        };
    }
    Ok(data(&config)?.library)
}

fn list(dialect: &Dialect, out: &Out) {
    let listed = dialect.list();
    if out.is_json() {
        let rows: Vec<Value> = listed
            .iter()
            .map(|q| {
                json!({"name": q.name, "finds": q.finds, "slots": q.slots, "not_available": q.not_available})
            })
            .collect();
        return out.value(&json!({"dialect": dialect.name(), "queries": rows}));
    }
    let mut rows = Vec::new();
    for query in listed {
        let finds = match query.not_available {
            Some(reason) => format!("not available: {reason}"),
            None => query.finds.to_owned(),
        };
        rows.push(vec![query.name.to_owned(), query.slots.join(", "), finds]);
    }
    out.line(&format!("dialect {}", dialect.name()));
    out.line(&table(&["query", "slots", "finds"], rows));
}

fn show(dialect: &Dialect, asked: (&str, &[String]), moments: (Time, Time), out: &Out) -> Done {
    let (name, given) = asked;
    let usage = |message: String| Failed::new(USAGE, anyhow::anyhow!(message));
    let mut slots = Map::new();
    for text in given {
        let (slot, value) = text
            .split_once('=')
            .ok_or_else(|| usage(format!("`{text}` is no slot: write SLOT=VALUE")))?;
        let number = value
            .parse::<u64>()
            .ok()
            .filter(|_| dialect.counts(name, slot));
        slots.insert(
            slot.to_owned(),
            number.map_or_else(|| json!(value), |n| json!(n)),
        );
    }
    for slot in dialect.required(name) {
        slots.entry(slot).or_insert_with(|| json!(slot));
    }
    let asked = dialect
        .ask(name, &slots, moments.0, moments.1)
        .map_err(|e| Failed::new(DATA, e))?;
    let arguments = dialect.arguments(&asked);
    match (&asked.query, out.is_json()) {
        (Value::String(text), false) => out.line(text.trim_end()),
        (Value::Object(_), false) => out.value(&asked.query),
        _ => out.value(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}
