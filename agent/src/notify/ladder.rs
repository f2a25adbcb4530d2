//! Reminders of what nobody has answered: first under the card, then rung by rung with mentions; the end of the ladder changes nothing, running out does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use state::model::{ApprovalState, CaseId, NewPost, Severity, Time};

use crate::config::PostKind;
use crate::ctx::Ctx;

use super::Notifier;
use super::card::{BatchCard, CaseCard, Closed, Post, Reminder};

/// Nobody is reminded of what was asked longer ago than this, hours.
const LONGEST: i64 = 24;

/// Something that waits for a person.
struct Waiting {
    /// What of the post waits: each question is reminded of by itself.
    what: String,
    case: CaseId,
    severity: Severity,
    /// Since when.
    since: Time,
    text: String,
}

/// When which posts are to be looked at for reminders.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    all: bool,
    changed: BTreeSet<String>,
    at: BTreeMap<String, Time>,
    due: BTreeSet<(Time, String)>,
}

impl Ladder {
    /// Every post is looked at in the next round.
    pub(super) fn look_at_all(&mut self) {
        self.all = true;
    }

    /// A post is another than before, or is seen for the first time; what is of neither a case nor a batch waits for nobody.
    pub(super) fn changed(&mut self, key: &str) {
        if key.starts_with("case:") || key.starts_with("batch:") {
            self.changed.insert(key.to_owned());
        }
    }

    /// Keys of the posts to look at now.
    fn keys(&self, now: Time) -> Vec<String> {
        let come = self.due.iter().take_while(|(at, _)| *at <= now);
        let mut keys = self.changed.clone();
        keys.extend(come.map(|(_, key)| key.clone()));
        keys.into_iter().collect()
    }

    /// These were looked at, and some of them will be again.
    fn looked(&mut self, keys: Vec<String>, next: Vec<(String, Time)>) {
        if self.all {
            (self.at, self.due) = (BTreeMap::new(), BTreeSet::new());
        }
        for key in keys {
            if let Some(at) = self.at.remove(&key) {
                self.due.remove(&(at, key));
            }
        }
        for (key, at) in next {
            self.due.insert((at, key.clone()));
            self.at.insert(key, at);
        }
        self.all = false;
        self.changed.clear();
    }
}

/// Puts the reminders that are due in the outbox; gives how many posts were looked at.
///
/// # Errors
/// When the store fails; then the next round looks at the same.
pub(super) async fn remind(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    ladder: &mut Ladder,
) -> anyhow::Result<usize> {
    if !notifier.takes(PostKind::Reminder) {
        *ladder = Ladder::default();
        return Ok(0);
    }
    let (now, name) = (ctx.now(), notifier.name());
    let keys = ladder.keys(now);
    let open = match (ladder.all, keys.is_empty()) {
        (true, _) => ctx.store.seen_posts(name).await?,
        (false, true) => return Ok(0),
        (false, false) => ctx.store.seen_posts_of(name, &keys).await?,
    };
    let (looked, mut posts, mut next) = (open.len(), Vec::new(), Vec::new());
    for post in open {
        let Some(first) = post.first_sent else {
            continue;
        };
        let waiting = match serde_json::from_value::<Post>(post.body) {
            Ok(Post::Case(card)) => of_case(&card, first),
            Ok(Post::Batch(card)) => of_batch(&card, first),
            _ => None,
        };
        let Some(waiting) = waiting else { continue };
        if let Some(at) = next_rung(ctx, &waiting, now) {
            next.push((post.key.clone(), at));
        }
        let Some(rung) = rung(ctx, &waiting, now) else {
            continue;
        };
        let key = format!("reminder:{}:{}:{rung}", post.key, waiting.what);
        if ctx.store.post(name, &key).await?.is_none() {
            posts.push(reminder(ctx, notifier, (waiting, rung, key, post.key))?);
        }
    }
    if !posts.is_empty() {
        ctx.store.queue_posts(&posts, now).await?;
    }
    ladder.looked(keys, next);
    Ok(looked)
}

/// Rungs with anything on them: one without mentions, then the configured ones.
fn rungs(ctx: &Ctx) -> i64 {
    let named = ctx.config.people.notify.ladder.rungs.len();
    i64::try_from(named).unwrap_or(i64::MAX).saturating_add(1)
}

/// Rungs that time alone has reached; the ladder may have fewer.
fn climbed(ctx: &Ctx, waiting: &Waiting, now: Time) -> (i64, i64) {
    let rules = &ctx.config.people.notify.ladder;
    let step = rules.step(waiting.severity).num_seconds().max(1);
    ((now - waiting.since).num_seconds().max(0) / step, step)
}

/// The rung that is reached; none before the first.
fn rung(ctx: &Ctx, waiting: &Waiting, now: Time) -> Option<u32> {
    if (now - waiting.since).num_hours() >= LONGEST {
        return None;
    }
    let (climbed, _) = climbed(ctx, waiting, now);
    let rung = u32::try_from(climbed.min(rungs(ctx))).ok();
    rung.filter(|rung| *rung > 0)
}

/// When the next rung is reached; none after the last.
fn next_rung(ctx: &Ctx, waiting: &Waiting, now: Time) -> Option<Time> {
    let (climbed, step) = climbed(ctx, waiting, now);
    let after = TimeDelta::try_seconds(step.checked_mul(climbed + 1)?)?;
    (climbed < rungs(ctx) && after.num_hours() < LONGEST).then(|| waiting.since + after)
}

fn reminder(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    (waiting, rung, key, under): (Waiting, u32, String, String),
) -> anyhow::Result<NewPost> {
    let rungs = &ctx.config.people.notify.ladder.rungs;
    let mention = usize::try_from(rung)
        .ok()
        .and_then(|r| rungs.get(r.checked_sub(2)?));
    let reminder = Reminder {
        case: waiting.case,
        rung,
        text: waiting.text,
        mention: mention.cloned().unwrap_or_default(),
    };
    Ok(NewPost {
        notifier: notifier.name().to_owned(),
        key,
        case: Some(waiting.case),
        under: Some(under),
        body: serde_json::to_value(Post::Reminder(reminder))?,
        seq: 0,
        settles: true,
    })
}

/// What a case waits for, when it waits for a person: its oldest open question, or anybody at all.
fn of_case(card: &CaseCard, first: Time) -> Option<Waiting> {
    if card.owner.is_some() || card.closed == Closed::Yes {
        return None;
    }
    let waiting = |what: String, since, text| Waiting {
        what,
        case: card.case,
        severity: card.severity,
        since,
        text,
    };
    let mut open = card.asks.iter();
    if let Some(ask) = open.find(|a| a.state == ApprovalState::Pending) {
        let until = ask.expires.format("%Y-%m-%d %H:%MZ");
        let text = format!(
            "{} waits for an answer until {until}; then it counts as denied",
            card.case
        );
        return Some(waiting(
            ask.approval.to_string(),
            first.max(ask.asked),
            text,
        ));
    }
    let answered = card.asks.iter().any(|a| a.answered_by.is_some());
    let text = format!("{} waits for a person: nobody has taken it over", card.case);
    (!answered).then(|| waiting("case".to_owned(), first, text))
}

fn of_batch(card: &BatchCard, first: Time) -> Option<Waiting> {
    let sample = card.sample.first().filter(|_| card.outcome.is_none())?;
    let until = card.expires.format("%Y-%m-%d %H:%MZ");
    Some(Waiting {
        what: "batch".to_owned(),
        case: sample.case,
        severity: sample.severity,
        since: first,
        text: format!(
            "{} proposed closes wait for an answer until {until}; then they count as denied",
            card.count
        ),
    })
}
