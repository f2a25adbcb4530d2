//! `nightdesk baseline`: what is kept about entities, what it says is usual, and making it anew; what counts as usual is
//! `precedent`'s.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};
use state::model::{Baseline, BaselineOf, Time};
use state::store::Store;

use crate::config::Config;
use crate::ctx::Ctx;
use crate::daemon::{Data, assemble, data};
use crate::pipeline::{self, Renewed};
use crate::precedent::{Habit, concerned, habits, unsuspected};
use crate::text::oneline;

use super::output::{Tone, table};
use super::{Done, FAILED, Failed, Out};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what is kept: about whom, how much, how old, and what could not be made anew
    List {
        /// Only what could not be made anew
        #[arg(long)]
        stale: bool,
    },
    /// Show what is usual for a user or an address: addresses, countries, devices, agents, hours (UTC), actions
    Show {
        /// The user, account id or address, letter case aside
        #[arg(value_name = "USER")]
        value: String,
    },
    /// Ask anew now what recent alerts ask, at the servers' rates; exit code 1 when something got no whole answer
    Refresh {
        /// Only about these users or addresses
        #[arg(value_name = "USER")]
        values: Vec<String>,
    },
}

pub(super) async fn baseline(config: Config, command: Command, out: &Out) -> Done {
    if let Command::Refresh { values } = command {
        return refresh(config, &values, out).await;
    }
    let data = data(&config)?;
    let store = Store::open(&config.store.url).await?;
    let done = match command {
        Command::Show { value } => show((&store, &data), &value, out).await,
        Command::List { stale } => {
            let all = store.baselines(None).await;
            let kept = all.map(|mut kept| {
                kept.retain(|b| !stale || b.stale.is_some());
                kept
            });
            kept.map(|kept| list(kept, out)).map_err(Failed::from)
        }
        Command::Refresh { .. } => Ok(()),
    };
    store.close().await;
    done?;
    Ok(ExitCode::SUCCESS)
}

/// A kept answer without its rows.
fn about(baseline: &Baseline) -> Value {
    let answer = baseline.answer.as_ref();
    json!({
        "query": baseline.of.query,
        "value": baseline.of.value,
        "asked_of": baseline.asked_of,
        "rows": answer.map(|a| a.rows.len()),
        "since": answer.map(|a| a.since),
        "until": answer.map(|a| a.until),
        "computed": answer.map(|a| a.computed),
        "tried": baseline.tried,
        "stale": baseline.stale,
    })
}

fn minute(time: Time) -> String {
    time.format("%Y-%m-%d %H:%MZ").to_string()
}

fn list(kept: Vec<Baseline>, out: &Out) {
    if out.is_json() {
        let kept: Vec<Value> = kept.iter().map(about).collect();
        out.value(&json!({"baselines": kept}));
    } else if kept.is_empty() {
        out.say("nothing is kept; `nightdesk baseline refresh` asks what recent alerts ask, the daemon does on schedule");
    } else {
        let header = ["about", "query", "rows", "made", "tried", "state"];
        out.line(&table(&header, kept.into_iter().map(row).collect()));
    }
}

fn row(baseline: Baseline) -> Vec<String> {
    let (rows, made) = match &baseline.answer {
        Some(answer) => (answer.rows.len().to_string(), minute(answer.computed)),
        None => (String::new(), "never".to_owned()),
    };
    let state = match baseline.stale {
        Some(why) => format!("stale: {why}"),
        None => "fresh".to_owned(),
    };
    vec![
        baseline.of.value,
        baseline.of.query,
        rows,
        made,
        minute(baseline.tried),
        state,
    ]
}

async fn show((store, data): (&Store, &Data), value: &str, out: &Out) -> Result<(), Failed> {
    let kept = store.baselines(Some(value.trim())).await?;
    if kept.is_empty() {
        let what = oneline(value, 100);
        let why = format!("nothing is kept about {what}; see `nightdesk baseline list`");
        return Err(Failed::new(FAILED, anyhow::anyhow!(why)));
    }
    let mut told = Vec::new();
    for baseline in &kept {
        let answer = baseline.answer.iter();
        let rows = answer.flat_map(|a| a.rows.iter());
        let events: Vec<_> = rows.map(|row| data.mappings.activity(row)).collect();
        let of = &baseline.of.value;
        let suspects = store.suspects(&concerned(&events, of)).await?;
        let (usual, left_out) = unsuspected(&events, of, &suspects);
        let found = habits(&usual);
        if out.is_json() {
            let mut about = about(baseline);
            about["left_out"] = json!(left_out);
            about["habits"] = json!(found);
            told.push(about);
        } else {
            told_to_people(baseline, (usual.len(), left_out), found, out);
        }
    }
    if out.is_json() {
        out.value(&json!({"baselines": told}));
    }
    Ok(())
}

fn told_to_people(
    baseline: &Baseline,
    (counted, left_out): (usize, usize),
    found: Vec<Habit>,
    out: &Out,
) {
    let (of, query) = (oneline(&baseline.of.value, 100), &baseline.of.query);
    match &baseline.answer {
        None => out.line(&format!("{of} ({query}): no whole answer yet")),
        Some(answer) => out.line(&format!(
            "{of} ({query}): {counted} events from {} to {}, made {}; {left_out} left out that may have been part of an attack",
            minute(answer.since),
            minute(answer.until),
            minute(answer.computed)
        )),
    }
    if let Some(why) = &baseline.stale {
        let why = format!("  stale, so alerts ask anew: {}", oneline(why, 200));
        out.line(&out.paint(Tone::Warn, &why));
    }
    let rows = found.into_iter().map(|habit| {
        vec![
            habit.aspect.to_owned(),
            habit.value,
            habit.events.to_string(),
            habit.days.to_string(),
            minute(habit.first),
            minute(habit.last),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        let header = ["aspect", "value", "events", "days", "first", "last"];
        out.line(&table(&header, rows));
    }
}

/// What became of one question.
struct Asked {
    of: BaselineOf,
    renewed: Renewed,
}

async fn refresh(config: Config, values: &[String], out: &Out) -> Done {
    let store = Store::open(&config.store.url).await?;
    let assembled = assemble(config, store).await?;
    let asked = ask(&assembled.ctx, values).await;
    assembled.stop().await;
    let asked = asked?;
    if asked.is_empty() && !values.is_empty() {
        let why = "no recent alert asks about them, and nothing is kept";
        return Err(Failed::new(FAILED, anyhow::anyhow!(why)));
    }
    let stale = asked.iter().any(|a| matches!(a.renewed, Renewed::Stale(_)));
    let said = |renewed: &Renewed| match renewed {
        Renewed::Kept(rows) => (json!("kept"), format!("{rows} rows")),
        Renewed::Stale(why) => (json!("stale"), why.clone()),
        Renewed::Later(why) => (json!("later"), why.clone()),
    };
    if out.is_json() {
        let rows = asked.iter().map(|a| {
            let (word, why) = said(&a.renewed);
            json!({"query": a.of.query, "value": a.of.value, "became": word, "what": why})
        });
        out.value(&json!({"asked": rows.collect::<Vec<_>>()}));
    } else if asked.is_empty() {
        out.say("no recent alert asks anything that is kept");
    } else {
        let rows = asked.into_iter().map(|a| {
            let (word, why) = said(&a.renewed);
            let word = word.as_str().unwrap_or_default().to_owned();
            vec![a.of.value, a.of.query, word, why]
        });
        let header = ["about", "query", "became", "what"];
        out.line(&table(&header, rows.collect()));
    }
    Ok(match stale {
        true => ExitCode::from(FAILED),
        false => ExitCode::SUCCESS,
    })
}

/// Asks until all is asked or the rate is used up.
async fn ask(ctx: &std::sync::Arc<Ctx>, values: &[String]) -> anyhow::Result<Vec<Asked>> {
    let mut wanted = pipeline::questions(ctx).await?;
    for value in values {
        for known in ctx.store.baselines(Some(value.trim())).await? {
            if !wanted.contains(&known.of) {
                wanted.push(known.of);
            }
        }
    }
    let named = |of: &BaselineOf| {
        let same = |v: &String| v.trim().to_lowercase() == of.value.to_lowercase();
        values.is_empty() || values.iter().any(same)
    };
    let mut asked = Vec::new();
    for of in wanted.into_iter().filter(named) {
        let renewed = pipeline::renew(ctx, &of).await?;
        let later = matches!(renewed, Renewed::Later(_));
        asked.push(Asked { of, renewed });
        if later {
            break;
        }
    }
    Ok(asked)
}
