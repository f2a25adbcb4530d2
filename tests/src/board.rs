//! A notifier in memory: what people see, and a fault on demand; it obeys the contract that the real ones obey.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use agent::config::PostKind;
use agent::ctx::Ctx;
use agent::daemon::{Told, tell_on};
use agent::notify::{At, Marks, Notifier, Place, Post, PostError};
use async_trait::async_trait;
use serde_json::json;

/// One thing on the board.
#[derive(Debug, Clone)]
pub struct Pinned {
    /// Its number; a later form of it keeps it.
    pub id: usize,
    /// The one that it hangs under.
    pub under: Option<usize>,
    /// What it says now.
    pub post: Post,
    /// How often it was changed.
    pub changed: usize,
}

/// A board.
#[derive(Debug, Default)]
pub struct Board {
    pinned: Mutex<Vec<Pinned>>,
    faults: Mutex<VecDeque<PostError>>,
    marks: tokio::sync::Mutex<Marks>,
}

impl Board {
    /// Everything that people see, in the order in which it came.
    pub fn seen(&self) -> Vec<Pinned> {
        lock(&self.pinned).clone()
    }

    /// Tells people what has changed since the beat before, as the daemon does beat after beat.
    pub async fn beat(&self, ctx: &Ctx) -> anyhow::Result<Told> {
        let mut marks = self.marks.lock().await;
        tell_on(ctx, self, &mut marks).await
    }

    /// The next attempts fail like this, in this order.
    pub fn fail(&self, faults: impl IntoIterator<Item = PostError>) {
        lock(&self.faults).extend(faults);
    }

    /// Attempts succeed again; says whether any was still to fail.
    pub fn heal(&self) -> bool {
        let left = std::mem::take(&mut *lock(&self.faults));
        !left.is_empty()
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(place: &Place) -> Option<usize> {
    place.0["id"].as_u64().and_then(|n| usize::try_from(n).ok())
}

#[async_trait]
impl Notifier for Board {
    fn name(&self) -> &str {
        "board"
    }

    fn takes(&self, _: PostKind) -> bool {
        true
    }

    async fn post(&self, post: &Post, at: At<'_>) -> Result<Place, PostError> {
        if let Some(fault) = lock(&self.faults).pop_front() {
            return Err(fault);
        }
        let mut pinned = lock(&self.pinned);
        let id = match at.earlier.and_then(number) {
            Some(id) => {
                let old = pinned.get_mut(id).ok_or_else(|| PostError::Refused {
                    why: format!("nothing hangs at {id}"),
                })?;
                old.post = post.clone();
                old.changed += 1;
                id
            }
            None => {
                let id = pinned.len();
                pinned.push(Pinned {
                    id,
                    under: at.under.and_then(number),
                    post: post.clone(),
                    changed: 0,
                });
                id
            }
        };
        Ok(Place(json!({"id": id})))
    }
}
