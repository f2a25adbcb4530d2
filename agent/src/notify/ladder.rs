//! Reminders of what nobody has answered: first under the card, then rung by rung with mentions; the end of the ladder changes nothing, running out does.

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

/// Puts the reminders that are due in the outbox.
///
/// # Errors
/// When the store fails.
pub(super) async fn remind(ctx: &Ctx, notifier: &dyn Notifier) -> anyhow::Result<()> {
    if !notifier.takes(PostKind::Reminder) {
        return Ok(());
    }
    let mut open = ctx.store.open_posts(notifier.name()).await?;
    open.extend(ctx.store.open_batches(notifier.name()).await?);
    let mut posts = Vec::new();
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
        let Some(rung) = rung(ctx, &waiting) else {
            continue;
        };
        let key = format!("reminder:{}:{}:{rung}", post.key, waiting.what);
        if ctx.store.post(notifier.name(), &key).await?.is_none() {
            posts.push(reminder(ctx, notifier, (waiting, rung, key, post.key))?);
        }
    }
    Ok(ctx.store.queue_posts(&posts, ctx.now()).await?)
}

/// The rung that is reached; none before the first.
fn rung(ctx: &Ctx, waiting: &Waiting) -> Option<u32> {
    let rules = &ctx.config.people.notify.ladder;
    let step = rules.step(waiting.severity).num_seconds().max(1);
    let age = ctx.now() - waiting.since;
    if age.num_hours() >= LONGEST {
        return None;
    }
    let rungs = u32::try_from(rules.rungs.len()).unwrap_or(u32::MAX);
    let climbed = u32::try_from(age.num_seconds() / step).unwrap_or(0);
    Some(climbed.min(rungs.saturating_add(1))).filter(|rung| *rung > 0)
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
