//! Reminders of what nobody has answered: first under the card, then rung by rung with mentions; the end of the ladder changes nothing, running out does.

use state::model::{ApprovalState, NewPost};

use crate::config::PostKind;
use crate::ctx::Ctx;

use super::Notifier;
use super::card::{CaseCard, Closed, Post, Reminder};
use super::sync::case_key;

/// Nobody is reminded of what was told longer ago than this, hours.
const LONGEST: i64 = 24;

/// Puts the reminders that are due in the outbox.
///
/// # Errors
/// When the store fails.
pub(super) async fn remind(ctx: &Ctx, notifier: &dyn Notifier) -> anyhow::Result<()> {
    if !notifier.takes(PostKind::Reminder) {
        return Ok(());
    }
    let rules = &ctx.config.people.notify.ladder;
    let now = ctx.now();
    let mut posts = Vec::new();
    for open in ctx.store.open_posts(notifier.name()).await? {
        let Ok(Post::Case(card)) = serde_json::from_value::<Post>(open.body) else {
            continue;
        };
        let Some((first, text)) = open.first_sent.zip(waits(&card)) else {
            continue;
        };
        let step = rules.step(card.severity);
        let rungs = u32::try_from(rules.rungs.len()).unwrap_or(u32::MAX);
        let age = now - first;
        if age.num_hours() >= LONGEST || step.num_seconds() < 1 {
            continue;
        }
        let climbed = u32::try_from(age.num_seconds() / step.num_seconds()).unwrap_or(0);
        let rung = climbed.min(rungs.saturating_add(1));
        if rung == 0 {
            continue;
        }
        let mention = usize::try_from(rung)
            .ok()
            .and_then(|r| rules.rungs.get(r.checked_sub(2)?));
        let reminder = Reminder {
            case: card.case,
            rung,
            text,
            mention: mention.cloned().unwrap_or_default(),
        };
        posts.push(NewPost {
            notifier: notifier.name().to_owned(),
            key: format!("reminder:{}:{rung}", card.case.0),
            case: Some(card.case),
            under: Some(case_key(card.case)),
            body: serde_json::to_value(Post::Reminder(reminder))?,
            seq: 0,
            settles: true,
        });
    }
    Ok(ctx.store.queue_posts(&posts, now).await?)
}

/// What a case waits for, when it waits for a person.
fn waits(card: &CaseCard) -> Option<String> {
    if card.owner.is_some() || card.closed == Closed::Yes {
        return None;
    }
    let pending = |state| state == ApprovalState::Pending;
    if let Some(ask) = card.asks.iter().find(|a| pending(a.state)) {
        let until = ask.expires.format("%Y-%m-%d %H:%MZ");
        return Some(format!(
            "{} waits for an answer until {until}; then it counts as denied",
            card.case
        ));
    }
    let answered = card.asks.iter().any(|a| a.answered_by.is_some());
    (!answered).then(|| format!("{} waits for a person: nobody has taken it over", card.case))
}
