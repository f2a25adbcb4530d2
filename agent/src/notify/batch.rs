//! Equal proposed closes as one question: what makes them equal, when they are asked together, and how the card goes on; answers are `answers`'.

use std::collections::BTreeMap;

use state::model::{Approval, ApprovalState, Batch, CaseId, CaseStatus, NewPost, PostState, Time};

use crate::config::PostKind;
use crate::ctx::Ctx;
use crate::data::sha256_hex;
use crate::report::CaseFile;

use super::card::{BatchCard, Post};
use super::sync::case_key;
use super::{Marks, Notifier, compose as cards};

/// Whether a case asks for nothing but its close and can be asked together with others.
///
/// # Errors
/// When the store fails.
pub(super) async fn is_candidate(ctx: &Ctx, file: &CaseFile) -> anyhow::Result<bool> {
    if ctx.config.people.notify.batch.from == 0
        || file.case.status != CaseStatus::AwaitingApproval
        || close_of(file).is_none()
    {
        return Ok(false);
    }
    let split = match ctx.store.last_batch(&likeness(file)).await? {
        Some(last) => last.split && close_of(file).is_some_and(|a| last.approvals.contains(&a.id)),
        None => false,
    };
    Ok(!split)
}

/// The one open question of a case, when it is its close.
fn close_of(file: &CaseFile) -> Option<&Approval> {
    let mut open = file
        .approvals
        .iter()
        .filter(|a| a.state == ApprovalState::Pending);
    let first = open.next()?;
    (first.action == "close" && open.next().is_none()).then_some(first)
}

/// What cases must have in common to be one question: rules, playbooks, verdicts and the signals that spoke.
fn likeness(file: &CaseFile) -> String {
    let mut parts: Vec<String> = file
        .alerts
        .iter()
        .map(|a| {
            let of = a.verdict.as_ref().map(|v| {
                let mut ids: Vec<&str> = v.basis.reasons.iter().map(|r| r.id.as_str()).collect();
                ids.sort_unstable();
                ids.dedup();
                format!(
                    "{}\n{}\n{}\n{}",
                    v.provenance.playbook,
                    v.kind,
                    v.reason,
                    ids.join(",")
                )
            });
            format!(
                "{}\n{}\n{}\n{}",
                a.alert.source,
                a.alert.rule.id,
                a.alert.severity,
                of.unwrap_or_default()
            )
        })
        .collect();
    parts.sort_unstable();
    parts.dedup();
    sha256_hex(parts.join("\n\n"))
}

/// What became of candidates.
#[derive(Default)]
pub(super) struct Gathered {
    /// To be told by themselves.
    pub(super) alone: Vec<CaseFile>,
    /// They wait for others like them, until then.
    pub(super) later: Vec<(CaseId, Time)>,
    /// In one question with others.
    pub(super) together: Vec<CaseId>,
}

/// Puts candidates that are alike in one post, once there are enough of them or they have waited long enough.
///
/// # Errors
/// When the store fails.
pub(super) async fn gather(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    (candidates, marks): (Vec<CaseFile>, &mut Marks),
) -> anyhow::Result<Gathered> {
    let rules = &ctx.config.people.notify.batch;
    let wait = chrono::TimeDelta::from_std(rules.gather.0).unwrap_or_default();
    let mut alike: BTreeMap<String, Vec<CaseFile>> = BTreeMap::new();
    for file in candidates {
        alike.entry(likeness(&file)).or_default().push(file);
    }
    let mut gathered = Gathered::default();
    for (likeness, mut files) in alike {
        let asked = files.iter().filter_map(close_of).map(|a| a.asked).min();
        let until = asked.map_or_else(|| ctx.now(), |asked| asked + wait);
        let waited = ctx.now() >= until;
        let joined = still_open(ctx, &likeness).await?;
        let ids = files.iter().map(|f| f.case.id);
        if !joined.is_empty() || (waited && files.len() >= rules.from) {
            batch(ctx, notifier, (&likeness, joined, marks), &files).await?;
            gathered.together.extend(ids);
        } else if waited {
            gathered.alone.append(&mut files);
        } else {
            gathered.later.extend(ids.map(|id| (id, until)));
        }
    }
    Ok(gathered)
}

/// Questions of the last batch of a likeness that nobody has answered yet; none of one that was taken apart.
async fn still_open(ctx: &Ctx, likeness: &str) -> anyhow::Result<Vec<Approval>> {
    let mut open = Vec::new();
    if let Some(last) = ctx.store.last_batch(likeness).await?.filter(|l| !l.split) {
        for id in last.approvals {
            let asked = ctx.store.approval(id).await?;
            if asked.state == ApprovalState::Pending {
                open.push(asked);
            }
        }
    }
    Ok(open)
}

async fn batch(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    (likeness, joined, marks): (&str, Vec<Approval>, &mut Marks),
    files: &[CaseFile],
) -> anyhow::Result<()> {
    let root = match joined.is_empty() {
        true => 0,
        false => ctx.store.last_batch(likeness).await?.map_or(0, |l| l.root),
    };
    let new = files.iter().filter_map(close_of).cloned();
    let mut asked: Vec<Approval> = joined.into_iter().chain(new).collect();
    asked.sort_by_key(|a| a.id);
    asked.dedup_by_key(|a| a.id);
    let digests: Vec<&str> = asked.iter().map(|a| a.digest.as_str()).collect();
    let cases: Vec<CaseId> = asked.iter().map(|a| a.case).collect();
    let made = Batch {
        id: 0,
        root,
        likeness: likeness.to_owned(),
        approvals: asked.iter().map(|a| a.id).collect(),
        digest: sha256_hex(digests.join("\n")),
        sample: drawn(ctx, &cases),
        split: false,
    };
    let made = ctx.store.add_batch(&made, ctx.now()).await?;
    let held = files.iter().map(|file| NewPost {
        notifier: notifier.name().to_owned(),
        key: case_key(file.case.id),
        case: Some(file.case.id),
        under: None,
        body: serde_json::json!({"in": batch_key(&made)}),
        seq: file.timeline.last().map_or(0, |e| e.seq),
        settles: true,
    });
    let held: Vec<NewPost> = held.collect();
    show(ctx, notifier, &made).await?;
    marks.ladder.changed(&batch_key(&made));
    Ok(ctx.store.hold_posts(&held, ctx.now()).await?)
}

/// Some of them, by chance.
fn drawn(ctx: &Ctx, cases: &[CaseId]) -> Vec<CaseId> {
    let mut left = cases.to_vec();
    let mut drawn = Vec::new();
    while drawn.len() < ctx.config.people.notify.batch.sample && !left.is_empty() {
        let at = (ctx.dice.share() * left.len() as f64) as usize;
        drawn.push(left.swap_remove(at.min(left.len() - 1)));
    }
    drawn.sort_unstable();
    drawn
}

/// Brings the cards of open batches up to date with what was answered, one by one or by running out; gives how many were
/// drawn.
///
/// # Errors
/// When the store fails; those that are left are drawn in the next round.
pub(super) async fn refresh(
    ctx: &Ctx,
    notifier: &dyn Notifier,
    marks: &mut Marks,
) -> anyhow::Result<usize> {
    let mut drawn = 0;
    for root in marks.batches() {
        let key = key_of(root);
        let post = ctx.store.post(notifier.name(), &key).await?;
        let open = post.is_some_and(|p| matches!(p.state, PostState::Due | PostState::Sent));
        if open && notifier.takes(PostKind::Batch) {
            show(ctx, notifier, &ctx.store.batch_of(root).await?).await?;
            marks.ladder.changed(&key);
            drawn += 1;
        }
        marks.drawn(root);
    }
    Ok(drawn)
}

/// The post of a batch as it stands.
async fn show(ctx: &Ctx, notifier: &dyn Notifier, batch: &Batch) -> anyhow::Result<()> {
    let mut asked = Vec::new();
    for id in &batch.approvals {
        asked.push(ctx.store.approval(*id).await?);
    }
    let mut sample = Vec::new();
    for case in &batch.sample {
        let file = CaseFile::read(&ctx.store, &ctx.library, *case).await?;
        sample.push(cards::case_card(ctx, &file).await?);
    }
    let open = asked
        .iter()
        .filter(|a| a.state == ApprovalState::Pending)
        .count();
    let title = sample.first().map_or(String::new(), |c| c.title.clone());
    let card = BatchCard {
        batch: batch.id,
        title,
        count: open,
        sample,
        cases: asked.iter().map(|a| a.case).collect(),
        digest: batch.digest.clone(),
        expires: asked
            .iter()
            .map(|a| a.expires)
            .min()
            .unwrap_or_else(|| ctx.now()),
        outcome: outcome(batch, &asked),
    };
    let post = NewPost {
        notifier: notifier.name().to_owned(),
        key: batch_key(batch),
        case: None,
        under: None,
        settles: card.outcome.is_some(),
        body: serde_json::to_value(Post::Batch(Box::new(card)))?,
        seq: batch.id,
    };
    Ok(ctx.store.queue_posts(&[post], ctx.now()).await?)
}

/// What became of a batch, once nothing of it is open or it was taken apart.
fn outcome(batch: &Batch, asked: &[Approval]) -> Option<String> {
    let count = |state: ApprovalState| asked.iter().filter(|a| a.state == state).count();
    if count(ApprovalState::Pending) > 0 {
        return batch
            .split
            .then(|| "taken apart: each case is asked by itself".to_owned());
    }
    let mut people: Vec<&str> = asked
        .iter()
        .filter_map(|a| a.answered_by.as_deref())
        .collect();
    people.sort_unstable();
    people.dedup();
    Some(format!(
        "{} closed, {} kept open, {} not answered in time{}{}",
        count(ApprovalState::Used) + count(ApprovalState::Approved),
        count(ApprovalState::Denied),
        count(ApprovalState::Expired),
        if people.is_empty() { "" } else { "; by " },
        people.join(", ")
    ))
}

fn batch_key(batch: &Batch) -> String {
    key_of(batch.root)
}

/// Key of the post about a batch.
fn key_of(root: i64) -> String {
    format!("batch:{root}")
}
