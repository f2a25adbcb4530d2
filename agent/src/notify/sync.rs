//! Fills the outbox of one notifier from the store: what needs a person and is not told, and what has changed since; sending is `deliver`'s.

use state::model::{CaseId, NewPost, Switch, SwitchState, Telling, Time};

use crate::config::PostKind;
use crate::ctx::Ctx;
use crate::report::CaseFile;

use super::card::{Notice, Post};
use super::{Looked, Marks, Notifier, batch, compose as cards, ladder};

/// Cases of one round.
pub(super) const ROUND: i64 = 100;

/// Puts everything that people are to be told by this notifier in its outbox; gives what it has looked at.
///
/// It is derived from what is stored, so that a crash or an outage at any point loses nothing. Marks that were kept since
/// the last round spare it what has not changed; new ones make it look at everything.
///
/// # Errors
/// When the store fails.
pub async fn compose(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    marks: &mut Marks,
) -> anyhow::Result<Looked> {
    let since = ctx.store.told_since(notifier.name(), ctx.now()).await?;
    news(ctx, notifier, (since, &mut marks.notice)).await?;
    let mut looked = Looked::default();
    if !notifier.takes(PostKind::Case) {
        return Ok(looked);
    }
    marks.catch_up(ctx, notifier, since).await?;
    looked.cases = cases(ctx, notifier, (since, marks)).await?;
    looked.batches = batch::refresh(ctx, notifier, marks).await?;
    looked.posts = ladder::remind(ctx, notifier, &mut marks.ladder).await?;
    Ok(looked)
}

/// Tells of cases that have changed, and of those that have waited long enough for others like them; gives how many were
/// read. Those that wait are read again only when one like them may have come.
async fn cases(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    (since, marks): (Time, &mut Marks),
) -> anyhow::Result<usize> {
    let changed = marks.changed();
    let (mut read, mut candidates) = look(ctx, notifier, (since, &changed), marks).await?;
    if candidates.is_empty() && !marks.is_ripe(ctx.now()) {
        return Ok(read);
    }
    let waiting = marks.waiting();
    let (more, others) = look(ctx, notifier, (since, &waiting), marks).await?;
    read += more;
    candidates.extend(others);
    let gathered = batch::gather(ctx, notifier, (candidates, marks)).await?;
    for id in gathered.together {
        marks.done(id);
    }
    for file in gathered.alone {
        let telling = Telling {
            case: file.case.id,
            told: None,
        };
        told(
            case(ctx, notifier, (&file, telling)).await,
            (telling.case, marks),
        );
    }
    for (id, until) in gathered.later {
        marks.wait(id, until);
    }
    Ok(read)
}

/// Looks at cases and tells of those that are told by themselves; gives how many were read, and those that can be asked
/// together with others.
async fn look(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    (since, cases): (Time, &[CaseId]),
    marks: &mut Marks,
) -> anyhow::Result<(usize, Vec<CaseFile>)> {
    if cases.is_empty() {
        return Ok((0, Vec::new()));
    }
    let tellings = ctx.store.to_tell_of(notifier.name(), since, cases).await?;
    for id in cases {
        if !tellings.iter().any(|t| t.case == *id) {
            marks.done(*id);
        }
    }
    let mut candidates = Vec::new();
    for telling in &tellings {
        let done = match candidate(ctx, notifier, *telling).await {
            Ok((file, true)) => {
                candidates.push(file);
                continue;
            }
            Ok((file, false)) => case(ctx, notifier, (&file, *telling)).await,
            Err(e) => Err(e),
        };
        told(done, (telling.case, marks));
    }
    Ok((tellings.len(), candidates))
}

/// A case, and whether it can be asked together with others.
async fn candidate(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    telling: Telling,
) -> anyhow::Result<(CaseFile, bool)> {
    let file = CaseFile::read(&ctx.store, &ctx.library, telling.case).await?;
    let together = telling.told.is_none()
        && notifier.takes(PostKind::Batch)
        && batch::is_candidate(ctx, &file).await?;
    Ok((file, together))
}

/// One case that can't be told holds up no other; it is looked at again in the next round.
fn told(told: anyhow::Result<()>, (case, marks): (CaseId, &mut Marks)) {
    match told {
        Ok(()) => {
            marks.ladder.changed(&case_key(case));
            marks.done(case);
        }
        Err(e) => {
            tracing::error!(%case, error = format!("{e:#}"), "people could not be told of a case; it is tried again");
        }
    }
}

/// What is not about a case: notices and the week.
async fn news(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    (since, last): (Time, &mut i64),
) -> anyhow::Result<()> {
    let new = ctx.store.notices(notifier.name(), (since, *last)).await?;
    for (id, key, body) in new {
        let kind = serde_json::from_value::<Post>(body.clone()).map(|post| post.kind());
        let post = [NewPost {
            notifier: notifier.name().to_owned(),
            key,
            case: None,
            under: None,
            body,
            seq: 0,
            settles: true,
        }];
        match kind.is_ok_and(|kind| !notifier.takes(kind)) {
            false => ctx.store.queue_posts(&post, ctx.now()).await?,
            true => ctx.store.hold_posts(&post, ctx.now()).await?,
        }
        *last = id;
    }
    Ok(())
}

/// The card of a case and what happened since it was last told.
async fn case(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    (file, telling): (&CaseFile, Telling),
) -> anyhow::Result<()> {
    let card = cards::case_card(ctx, file).await?;
    let last = file.timeline.last().map_or(0, |e| e.seq);
    let key = case_key(file.case.id);
    let of = |key: String, under: Option<String>, post: &Post| -> anyhow::Result<NewPost> {
        Ok(NewPost {
            notifier: notifier.name().to_owned(),
            key,
            case: Some(file.case.id),
            settles: under.is_some() || file.case.status == state::model::CaseStatus::Closed,
            under,
            body: serde_json::to_value(post)?,
            seq: last,
        })
    };
    let mut posts = vec![of(key.clone(), None, &Post::Case(Box::new(card)))?];
    if let Some(told) = telling.told.filter(|told| *told > 0)
        && notifier.takes(PostKind::Line)
    {
        for (seq, line) in cards::lines(file, told) {
            let own = format!("line:{}:{seq}", file.case.id.0);
            posts.push(of(own, Some(key.clone()), &Post::Line(line))?);
        }
    }
    Ok(ctx.store.queue_posts(&posts, ctx.now()).await?)
}

/// Key of the post about a case.
pub(super) fn case_key(case: CaseId) -> String {
    format!("case:{}", case.0)
}

/// Notes what the daemon's own watches have found, for people to be told once.
///
/// # Errors
/// When the store fails.
pub async fn notice_watches(ctx: &Ctx) -> anyhow::Result<()> {
    for switch in [Switch::Closing, Switch::Effects] {
        let Some(turn) = ctx.store.switch(switch).await? else {
            continue;
        };
        let (state, fix) = match turn.state {
            SwitchState::Off => ("off", "`nightdesk resume` switches it on again"),
            SwitchState::On => ("on", "`nightdesk pause` switches it off"),
        };
        let notice = Notice {
            severity: state::model::Severity::High,
            title: format!("{switch} was switched {state} by {}", turn.by),
            text: format!("{}. {fix}.", turn.why),
        };
        let key = format!("switch:{switch}:{}", turn.at.timestamp_micros());
        note(ctx, &key, notice).await?;
    }
    for found in ctx
        .store
        .findings(Some(state::model::FindingState::Open))
        .await?
    {
        let notice = Notice {
            severity: state::model::Severity::High,
            title: format!("off-pattern: {}", found.deviation.measure),
            text: format!(
                "{}. `nightdesk drift list` shows it, `nightdesk drift accept {}` takes it as the new normal.",
                found.deviation.what, found.id
            ),
        };
        note(ctx, &format!("finding:{}", found.id), notice).await?;
    }
    Ok(())
}

/// Notes something about the daemon itself that people are told once for a key.
///
/// # Errors
/// When the store fails.
pub async fn note(ctx: &Ctx, key: &str, notice: Notice) -> anyhow::Result<()> {
    tell_of(ctx, &format!("notice:{key}"), &Post::Notice(notice)).await
}

/// Notes something that people are told once for a key, and that is about no case.
///
/// # Errors
/// When the store fails.
pub async fn tell_of(ctx: &Ctx, key: &str, post: &Post) -> anyhow::Result<()> {
    let body = serde_json::to_value(post)?;
    Ok(ctx.store.add_notice(key, &body, ctx.now()).await?)
}
