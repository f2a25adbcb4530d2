//! Makes baselines anew: which questions recent alerts ask, and one of them asked through the gate.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use state::model::{Answer, BaselineAnswer, BaselineOf, CaseId, Field};
use state::store::NewBaseline;

use crate::ctx::Ctx;
use crate::gate::{self, Called};
use crate::pipeline::rows::in_rows;
use crate::playbook::Slots;

use super::{VALUE, asked_of, question};

/// How long an entity is kept after its last alert came.
const RECENT: TimeDelta = TimeDelta::days(14);
/// Most alerts that are looked through for entities.
const MOST_ALERTS: i64 = 2_000;

/// How an attempt to make a baseline anew ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewed {
    /// The answer is kept; so many rows.
    Kept(usize),
    /// There was no whole answer, for this reason: the one before stays and is marked.
    Stale(String),
    /// The server's rate is used up: nothing was asked and nothing has changed.
    Later(String),
}

/// The questions that steps of recent alerts would ask, those of the newest alert first: about entities in trusted fields
/// only, and about `[baselines] at_most` of them.
///
/// # Errors
/// When the store fails.
pub async fn questions(ctx: &Ctx) -> anyhow::Result<Vec<BaselineOf>> {
    let since = ctx.now() - RECENT;
    let alerts = ctx.store.alerts_received_since(since, MOST_ALERTS).await?;
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut entities = BTreeSet::new();
    for alert in &alerts {
        let of = |f: Field| alert.primary().map_or("", |a| a.get(f)).to_owned();
        let fields = [Field::User, Field::UserId, Field::SrcIp].map(of);
        if !seen.insert((alert.source.clone(), alert.rule.id.clone(), fields)) {
            continue;
        }
        // One whose playbook can't be told asks nothing.
        let Ok(entry) = ctx.library.choose(alert) else {
            continue;
        };
        let slots = Slots::of(alert);
        let asked = entry.playbook.steps.iter();
        for (of, filled) in asked.filter_map(|step| question(step, &slots)) {
            let known = entities.contains(&of.value);
            let room = known || entities.len() < ctx.config.queries.baselines.at_most;
            if filled.untrusted.is_empty() && room && !found.contains(&of) {
                entities.insert(of.value.clone());
                found.push(of);
            }
        }
    }
    Ok(found)
}

/// Asks one question anew and keeps the answer, if it is a whole one.
///
/// # Errors
/// When the store fails.
pub async fn renew(ctx: &Arc<Ctx>, of: &BaselineOf) -> anyhow::Result<Renewed> {
    let (now, settings) = (ctx.now(), &ctx.config.queries.baselines);
    let (dialect, tool) = (ctx.library.dialect(), &ctx.config.queries.tool);
    let values = Map::from_iter([
        (VALUE.to_owned(), json!(of.value)),
        ("before".to_owned(), json!(settings.window)),
        ("until".to_owned(), json!(settings.lag)),
    ]);
    let rows = match dialect.ask(&of.query, &values, now, now) {
        Err(e) => Err(e.to_string()),
        Ok(asked) => match gate::ask_baseline(ctx, tool, dialect.arguments(&asked), now).await {
            Err(refusal) if refusal.rule == 10 => {
                return Ok(Renewed::Later(refusal.to_string()));
            }
            Err(refusal) => Err(refusal.to_string()),
            Ok(called) => {
                let rows = whole(ctx, (&of.query, asked.most), called);
                rows.map(|rows| (asked.bounds, rows))
            }
        },
    };
    let asked_of = asked_of(ctx);
    match rows {
        Ok(((since, until), rows)) => {
            let kept = rows.len();
            let (of, computed) = (of.clone(), now);
            let answer = BaselineAnswer {
                since,
                until: until.min(now),
                computed,
                rows,
            };
            let new = NewBaseline {
                of,
                asked_of,
                answer,
            };
            ctx.store.keep_baseline(&new).await?;
            Ok(Renewed::Kept(kept))
        }
        Err(why) => {
            let why: String = why.chars().take(300).collect();
            let marked = ctx.store.mark_baseline_stale(of, (&asked_of, &why), now);
            marked.await?;
            Ok(Renewed::Stale(why))
        }
    }
}

/// The rows of a whole answer.
fn whole(
    ctx: &Ctx,
    (query, most): (&str, Option<u64>),
    called: Called,
) -> Result<Vec<Value>, String> {
    let tool = &ctx.config.queries.tool;
    let called = in_rows(ctx, query, (tool, most), called);
    let value = called.reply.as_ref().map(|r| r.value.clone());
    // Of no case: it is not stored.
    let read = gate::evidence(ctx, CaseId(0), "baseline", tool, called);
    let rows = value.map(|v| gate::answer_rows(ctx, tool, &v));
    match (read.answer, rows) {
        (Answer::Empty, _) => Ok(Vec::new()),
        (Answer::Found, Some(rows)) if !read.activities.is_empty() => Ok(rows),
        (Answer::Found, _) => Err("the tool's answers are no events".to_owned()),
        (Answer::Partial, _) => Err(format!("the answer is incomplete: {}", read.summary)),
        (Answer::NotHere | Answer::Failed, _) => Err(match read.summary.is_empty() {
            true => "it could not be asked".to_owned(),
            false => read.summary,
        }),
    }
}
