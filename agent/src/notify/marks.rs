//! What one notifier's rounds have looked at, so that a round looks at what has changed since and at what the clock brings; nothing here is the truth, and new marks look at everything once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use state::model::{CaseId, Time};
use state::store::Mark;

use crate::ctx::Ctx;

use super::Notifier;
use super::ladder::Ladder;
use super::sync::ROUND;

/// How often everything is looked at all the same: what no event tells of is late and not lost.
const SWEEP: TimeDelta = TimeDelta::minutes(10);

/// How far the rounds of one notifier have come.
#[derive(Debug, Default)]
pub struct Marks {
    /// Up to where the store was looked at, and when everything was.
    swept: Option<(Mark, Time)>,
    /// All cases after this one are still to be looked at.
    page: Option<CaseId>,
    /// Cases to look at.
    cases: BTreeSet<CaseId>,
    /// Cases that wait for others like them, each until then.
    waiting: BTreeMap<CaseId, Time>,
    /// Batches to draw anew, by their first one.
    batches: BTreeSet<i64>,
    /// The last notice that is in the outbox or is not for it.
    pub(super) notice: i64,
    /// Posts that people are to be reminded of.
    pub(super) ladder: Ladder,
}

/// What a round has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Cases.
    pub cases: usize,
    /// Batches.
    pub batches: usize,
    /// Posts that people see, for reminders.
    pub posts: usize,
}

impl Marks {
    /// Finds what is to be looked at in this round.
    ///
    /// # Errors
    /// When the store fails; then the next round finds the same.
    pub(super) async fn catch_up(
        &mut self,
        ctx: &Ctx,
        notifier: &dyn Notifier,
        since: Time,
    ) -> anyhow::Result<()> {
        let (store, name, now) = (&ctx.store, notifier.name(), ctx.now());
        let swept = self.swept.filter(|(_, at)| now >= *at && now - *at < SWEEP);
        match swept {
            None => {
                // Whatever comes while everything is looked at is a change.
                let mark = store.mark().await?;
                let open = store.open_batches(name).await?;
                self.batches.extend(open);
                self.page = Some(CaseId(0));
                self.ladder.look_at_all();
                self.swept = Some((mark, now));
            }
            Some((mark, at)) => {
                let changes = store.changes(mark).await?;
                for id in &changes.apart {
                    let batch = store.batch(*id).await?;
                    for asked in batch.approvals {
                        self.case(store.approval(asked).await?.case);
                    }
                    self.batches.insert(batch.root);
                }
                if !changes.cases.is_empty() {
                    let about = store.batches_about(name, &changes.cases).await?;
                    self.batches.extend(about);
                }
                changes.cases.into_iter().for_each(|id| self.case(id));
                self.swept = Some((changes.to, at));
            }
        }
        if let Some(after) = self.page {
            let page = store.to_tell_after(name, (since, after), ROUND).await?;
            page.iter().for_each(|telling| self.case(telling.case));
            let whole = i64::try_from(page.len()).unwrap_or(i64::MAX) >= ROUND;
            self.page = page.last().map(|last| last.case).filter(|_| whole);
        }
        Ok(())
    }

    /// A case is to be looked at.
    fn case(&mut self, id: CaseId) {
        self.waiting.remove(&id);
        self.cases.insert(id);
    }

    /// Cases that have changed, as many as fit in a round.
    pub(super) fn changed(&self) -> Vec<CaseId> {
        self.cases.iter().copied().take(FIT).collect()
    }

    /// Cases that wait for others like them, the first to have waited long enough first, as many as fit in a round.
    pub(super) fn waiting(&self) -> Vec<CaseId> {
        let mut all: Vec<(Time, CaseId)> = self.waiting.iter().map(|(id, at)| (*at, *id)).collect();
        all.sort_unstable();
        all.into_iter().map(|(_, id)| id).take(FIT).collect()
    }

    /// Whether some of them have waited long enough.
    pub(super) fn is_ripe(&self, now: Time) -> bool {
        self.waiting.values().any(|until| now >= *until)
    }

    /// A case is told, or need not be.
    pub(super) fn done(&mut self, id: CaseId) {
        self.cases.remove(&id);
        self.waiting.remove(&id);
    }

    /// A case waits for others like it.
    pub(super) fn wait(&mut self, id: CaseId, until: Time) {
        self.cases.remove(&id);
        self.waiting.insert(id, until);
    }

    /// Batches to draw anew.
    pub(super) fn batches(&self) -> Vec<i64> {
        self.batches.iter().copied().collect()
    }

    /// A batch is drawn as it is.
    pub(super) fn drawn(&mut self, root: i64) {
        self.batches.remove(&root);
    }
}

/// Cases of one kind in a round.
const FIT: usize = ROUND as usize;
