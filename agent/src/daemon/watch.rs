//! Looks after the daemon's own ground: the state that decides, once a minute, and the anchors of the audit log; what stops because of it is the gate's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;
use state::model::Severity;
use tokio_util::sync::CancellationToken;

use crate::anchors::{AnchorError, Anchors};
use crate::ctx::Ctx;
use crate::data::sha256_hex;
use crate::integrity::Standing;
use crate::notify::{self, card::Notice};

/// How often the state is looked at.
const EVERY: Duration = Duration::from_secs(60);
/// How old the last anchor grows while the log does.
const ANCHOR_AGE: TimeDelta = TimeDelta::minutes(10);
/// How many records may stand behind the last anchor.
const ANCHOR_RECORDS: i64 = 1_000;

/// What watches.
pub struct Watch {
    ctx: Arc<Ctx>,
    anchors: Option<Anchors>,
    /// Whether the break stands in the audit log.
    told: AtomicBool,
    /// Number of the last entry that was anchored.
    anchored: AtomicI64,
    /// When, in Unix seconds.
    anchored_at: AtomicI64,
}

impl Watch {
    /// A watch over the daemon's ground.
    #[must_use]
    pub fn new(ctx: Arc<Ctx>) -> Self {
        Self {
            anchors: Anchors::of(&ctx.config),
            ctx,
            told: AtomicBool::new(false),
            anchored: AtomicI64::new(0),
            anchored_at: AtomicI64::new(0),
        }
    }

    /// Looks at the state once. A break is logged and stands in the audit log, once.
    pub async fn look(&self) -> Standing {
        let standing = self.ctx.guard.integrity.check().await;
        let Standing::Broken(found) = &standing else {
            return standing;
        };
        if self.told.load(Ordering::Relaxed) {
            return standing;
        }
        tracing::error!(
            what = found.join("; "),
            "integrity: what decides is not as it was accepted or started from; nothing is closed or done outside until it was reviewed, accepted (`nightdesk check --accept`) and the daemon started again"
        );
        let notice = Notice {
            severity: Severity::Critical,
            title: "what decides is not as it was accepted or started from".to_owned(),
            text: format!(
                "{}. Nothing is closed or done outside until it was reviewed, accepted (`nightdesk check --accept`) and the daemon started again.",
                found.join("; ")
            ),
        };
        // Another break may have the same words; one that lasts is told again each day.
        let (mark, day) = (
            self.ctx.guard.integrity.mark().await,
            self.ctx.now().date_naive(),
        );
        let key = format!("integrity:{}:{mark}:{day}", sha256_hex(found.join("\n")));
        if let Err(e) = notify::note(&self.ctx, &key, notice).await {
            tracing::error!(
                error = format!("{e:#}"),
                "the notice of it could not be stored"
            );
        }
        let record = json!({"kind": "integrity", "decision": "deny", "found": found,
            "why": "what decides is not as it was accepted or started from"});
        match self.ctx.store.append_audit(self.ctx.now(), &record).await {
            Ok(_) => self.told.store(true, Ordering::Relaxed),
            Err(e) => {
                tracing::error!(error = %e, "the break could not be recorded; it is tried again")
            }
        }
        standing
    }

    /// Writes down the head of the audit log. A log that does not go on from the last anchor breaks the integrity.
    pub async fn anchor(&self) {
        let Some(anchors) = &self.anchors else { return };
        let now = self.ctx.now();
        match anchors.keep(&self.ctx.store, now).await {
            Ok(head) => {
                self.anchored.store(head.seq, Ordering::Relaxed);
                self.anchored_at.store(now.timestamp(), Ordering::Relaxed);
            }
            Err(e @ (AnchorError::Rewritten { .. } | AnchorError::Line { .. })) => {
                self.ctx.guard.integrity.break_for(e.to_string());
                self.look().await;
            }
            Err(e) => tracing::error!(error = %e, "the audit log could not be anchored"),
        }
    }

    /// Looks and anchors until `stop`.
    pub async fn keep(self: Arc<Self>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = beat.tick() => {}
            }
            self.look().await;
            if self.anchor_is_due().await {
                self.anchor().await;
            }
        }
    }

    async fn anchor_is_due(&self) -> bool {
        let age = self.ctx.now().timestamp() - self.anchored_at.load(Ordering::Relaxed);
        let behind = match self.ctx.store.audit_head().await {
            Ok(head) => head.seq - self.anchored.load(Ordering::Relaxed),
            // Then the anchoring says what is wrong.
            Err(_) => return true,
        };
        age >= ANCHOR_AGE.num_seconds() || behind >= ANCHOR_RECORDS
    }
}
