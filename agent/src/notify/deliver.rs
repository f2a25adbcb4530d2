//! Empties the outbox of one notifier: in order, each until it is seen or refused for good; what is in it is composed elsewhere.

use chrono::TimeDelta;
use state::model::{StoredPost, Time};

use crate::ctx::Ctx;
use crate::telemetry::WayFault;
use crate::text::oneline;

use super::{At, Marks, Notifier, Place, Post, PostError};

/// Posts of one round: a stop waits for its end, and what is more urgent comes in between.
const ROUND: i64 = 10;
/// Wait after a first failure, seconds; it doubles from there.
const FIRST: i64 = 2;
/// Longest wait, seconds.
const LONGEST: i64 = 300;

/// Sends what is due now; gives how many people see.
///
/// A post may arrive twice when the process dies between its arrival and the note of it; what it asks is answered once
/// all the same.
///
/// # Errors
/// When the store fails.
pub async fn deliver(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    marks: &mut Marks,
) -> anyhow::Result<usize> {
    let mut sent = 0;
    for post in ctx
        .store
        .due_posts(notifier.name(), ctx.now(), ROUND)
        .await?
    {
        let (earlier, under) = (post.place.clone().map(Place), post.under.clone().map(Place));
        let at = At {
            earlier: earlier.as_ref(),
            under: under.as_ref(),
        };
        let told = match serde_json::from_value::<Post>(post.body.clone()) {
            Ok(body) => notifier.post(&body, at).await,
            Err(e) => Err(PostError::Refused {
                why: format!("the stored post can't be read: {e}"),
            }),
        };
        note(ctx, notifier.name(), &told);
        match told {
            Ok(place) => {
                ctx.store.post_shown(&post, &place.0, ctx.now()).await?;
                marks.ladder.changed(&post.key);
                sent += 1;
            }
            Err(PostError::Later { after, why }) => {
                let next = ctx.now() + wait(ctx, &post, after);
                tell(&post, &why, Some(next));
                ctx.store
                    .post_failed(post.id, Some(next), &oneline(&why, 500))
                    .await?;
                if let Some(after) = after.and_then(|a| TimeDelta::from_std(a).ok()) {
                    let until = ctx.now() + after;
                    ctx.store.hold_notifier(notifier.name(), until).await?;
                }
                // What stops one stops the next too.
                break;
            }
            Err(PostError::Partly { place, why }) => {
                let next = ctx.now() + wait(ctx, &post, None);
                tell(&post, &why, Some(next));
                let why = oneline(&why, 500);
                ctx.store.post_partly(&post, &place.0, (next, &why)).await?;
            }
            Err(PostError::Refused { why }) => {
                tell(&post, &why, None);
                ctx.store
                    .post_failed(post.id, None, &oneline(&why, 500))
                    .await?;
            }
        }
    }
    Ok(sent)
}

/// How the way stands, for who watches the daemon.
fn note(ctx: &Ctx, way: &str, told: &Result<Place, PostError>) {
    let (meters, now) = (&ctx.guard.meters, ctx.now());
    match told {
        Ok(_) => meters.told(way, now),
        Err(PostError::Later { .. }) => meters.untold(way, WayFault::Later, now),
        Err(PostError::Partly { .. }) => meters.untold(way, WayFault::Partly, now),
        Err(PostError::Refused { .. }) => meters.untold(way, WayFault::Refused, now),
    }
}

/// As long as the other side wants, or twice as long as the last time, with some chance in it.
fn wait(ctx: &Ctx, post: &StoredPost, after: Option<std::time::Duration>) -> TimeDelta {
    let doubled = FIRST << post.attempts.clamp(0, 10);
    let most = TimeDelta::seconds(doubled.min(LONGEST));
    let share = TimeDelta::try_milliseconds((ctx.dice.share() * 1_000.0) as i64);
    let own =
        most / 2 + share.unwrap_or_default() * i32::try_from(doubled.min(LONGEST)).unwrap_or(1) / 2;
    let asked = after.and_then(|a| TimeDelta::from_std(a).ok());
    asked.map_or(own, |asked| asked.max(own))
}

fn tell(post: &StoredPost, why: &str, next: Option<Time>) {
    match next {
        Some(next) => tracing::warn!(
            notifier = post.notifier,
            post = post.key,
            why,
            next = %next,
            "people could not be told; it is tried again"
        ),
        None => tracing::error!(
            notifier = post.notifier,
            post = post.key,
            why,
            "people could not be told, and the same post will be refused again: `nightdesk notify list`"
        ),
    }
}
