//! Room `storm`: the alerts of a case to bouts of equal ones, so that a storm is one investigation; judging is `judge`'s.
//!
//! Alerts are equal when all their trusted fields are, and their playbook would ask the same questions of each. Of a bout
//! the last and the first are investigated: what the last one's answers show covers all that came before it, and both
//! ends of the time must be judged alike; an equal alert of an earlier run stands for the first. The others are judged by
//! those answers and by their own text; nothing is asked for them. What differs in any trusted field is never judged by another's answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::TimeDelta;
use serde_json::{Value, json};
use state::model::{Activity, Alert, Field};

use crate::ctx::Ctx;
use crate::playbook::{Entry, Slots};

/// Longest time from the first to the last alert of a bout.
const REACH: TimeDelta = TimeDelta::hours(1);
/// Most alerts of one case that are investigated in one go.
pub const MOST_LEADS: usize = 40;

/// Equal alerts, by their place in the list.
#[derive(Debug, Clone)]
pub struct Bout<'c> {
    /// Their playbook.
    pub entry: &'c Entry,
    /// The last of them; it is investigated.
    pub last: usize,
    /// The first of them, when there is more than one; it is investigated too.
    pub first: Option<usize>,
    /// Those between.
    pub like: Vec<usize>,
    /// An equal alert that was investigated in an earlier run, not longer before, by its place among those.
    pub before: Option<usize>,
}

/// Sorts alerts into bouts, the ones to be looked at first in front: one of each rule, then the severest and largest.
/// `earlier` are alerts of the case that were investigated in an earlier run.
///
/// # Errors
/// When an alert can't be read into conditions.
pub fn bouts<'c>(
    ctx: &'c Ctx,
    alerts: &[Alert],
    earlier: &[&Alert],
) -> anyhow::Result<Vec<Bout<'c>>> {
    let mut shaper = Shaper::default();
    let mut shapes: BTreeMap<String, (&Entry, Vec<usize>)> = BTreeMap::new();
    for (i, alert) in alerts.iter().enumerate() {
        let (shape, entry) = shaper.shape(ctx, alert)?;
        let members = shapes.entry(shape).or_insert_with(|| (entry, Vec::new()));
        members.1.push(i);
    }
    let mut known: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (i, alert) in earlier.iter().enumerate() {
        let (shape, _) = shaper.shape(ctx, alert)?;
        known.entry(shape).or_default().push(i);
    }
    let mut all: Vec<Bout<'c>> = Vec::new();
    for (shape, (entry, members)) in shapes {
        let known = known.get(&shape).map_or(&[][..], Vec::as_slice);
        for mut bout in parted(alerts, entry, members) {
            let first = alerts[bout.first.unwrap_or(bout.last)].time;
            let last = alerts[bout.last].time;
            let near = |i: &&usize| earlier[**i].time <= first && last - earlier[**i].time <= REACH;
            bout.before = known
                .iter()
                .filter(near)
                .max_by_key(|i| earlier[**i].time)
                .copied();
            all.push(bout);
        }
    }
    put_in_order(alerts, &mut all);
    Ok(all)
}

/// Whether what was asked about one alert covers the time of another too.
#[must_use]
pub fn covers(ctx: &Ctx, earlier: &Alert, later: &Alert) -> bool {
    ctx.config.run.as_of(earlier.time) >= later.time
}

/// Tells shapes; a playbook is chosen once for all alerts that are equal in what may be believed.
#[derive(Default)]
struct Shaper<'c> {
    chosen: HashMap<String, &'c Entry>,
}

impl<'c> Shaper<'c> {
    fn shape(&mut self, ctx: &'c Ctx, alert: &Alert) -> anyhow::Result<(String, &'c Entry)> {
        let trusted = trusted_shape(alert).to_string();
        // A selector could read the hour.
        let chosen_at = format!("{} {trusted}", alert.time.format("%FT%H"));
        let entry = match self.chosen.get(&chosen_at) {
            Some(entry) => *entry,
            None => {
                let entry = ctx.library.choose(alert)?;
                self.chosen.insert(chosen_at, entry);
                entry
            }
        };
        let shape = format!("{} {trusted} {}", entry.hash, questions(entry, alert));
        Ok((shape, entry))
    }
}

/// Bouts of alerts of one shape, none longer than [`REACH`].
fn parted<'c>(alerts: &[Alert], entry: &'c Entry, mut members: Vec<usize>) -> Vec<Bout<'c>> {
    members.sort_by_key(|i| (alerts[*i].time, alerts[*i].id));
    let mut all = Vec::new();
    let mut rest = members.as_slice();
    while let Some(first) = rest.first() {
        let end = alerts[*first].time + REACH;
        let n = rest.iter().take_while(|i| alerts[**i].time <= end).count();
        let (now, later) = rest.split_at(n);
        rest = later;
        if let [between @ .., last] = now {
            all.push(Bout {
                entry,
                last: *last,
                first: between.first().copied(),
                like: between.iter().skip(1).copied().collect(),
                before: None,
            });
        }
    }
    all
}

fn put_in_order(alerts: &[Alert], all: &mut Vec<Bout<'_>>) {
    all.sort_by_key(|bout| {
        let alert = &alerts[bout.last];
        (
            std::cmp::Reverse((alert.severity.id(), bout.like.len())),
            alert.time,
            alert.id,
        )
    });
    let mut seen = BTreeSet::new();
    let is_first_of_rule: Vec<bool> = all
        .iter()
        .map(|bout| seen.insert(&alerts[bout.last].rule.id))
        .collect();
    let (front, back): (Vec<_>, Vec<_>) = std::mem::take(all)
        .into_iter()
        .zip(is_first_of_rule)
        .partition(|(_, first)| *first);
    all.extend(front.into_iter().chain(back).map(|(bout, _)| bout));
}

/// All of an alert that may be believed, times aside.
fn trusted_shape(alert: &Alert) -> Value {
    let fields = |a: &Activity| {
        let believed = a
            .fields
            .iter()
            .filter(|(_, f)| f.trust.is_usable_for_closing());
        let believed = believed.map(|(field, fact)| (field.as_str(), fact.value.as_str()));
        let shown: BTreeMap<&str, &str> = believed.collect();
        let present: Vec<&str> = a.fields.keys().map(|f: &Field| f.as_str()).collect();
        json!([a.schema, shown, present, a.trusted])
    };
    let entities = alert.entities.iter();
    let mut entities: Vec<Value> = entities
        .filter(|e| e.trust.is_usable_for_closing())
        .map(|e| json!([e.kind, e.role, e.trust, e.key()]))
        .collect();
    entities.sort_by_key(Value::to_string);
    let activities: Vec<Value> = alert.activities.iter().map(fields).collect();
    json!([
        alert.source,
        alert.mapping,
        alert.product,
        alert.rule,
        alert.severity,
        alert.attacks,
        entities,
        activities,
    ])
}

/// What the playbook would ask about an alert; the alert's own time and id are no difference.
fn questions(entry: &Entry, alert: &Alert) -> Value {
    let mut like = alert.data.clone();
    like.time = state::model::Time::UNIX_EPOCH;
    like.source_alert_id = String::new();
    let slots = Slots::of(&like);
    let asks = entry
        .playbook
        .steps
        .iter()
        .map(|step| match slots.fill(&step.args) {
            Ok(filled) => json!([step.id, filled.arguments, filled.untrusted]),
            Err(e) => json!([step.id, e.to_string()]),
        });
    asks.collect()
}
