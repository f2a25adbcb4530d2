//! Where the nouns are kept: SQLite behind one type; one file a family of tables, no policy.
//!
//! One connection writes, always inside `BEGIN IMMEDIATE`; four others only read.
//! Every public call is one transaction: it is stored as a whole or not at all.
//! SQL stays inside this folder.

pub mod acts;
mod address;
pub mod alerts;
pub mod approvals;
pub mod asking;
pub mod assurance;
pub mod audit;
mod baselines;
pub mod batches;
pub mod calls;
pub mod canary;
pub mod cases;
mod changes;
pub mod cursors;
pub mod digest;
mod effect_rows;
pub mod effects;
pub mod elicitations;
pub mod error;
pub mod evidence;
pub mod feedback;
pub mod held;
mod list;
mod live;
pub mod mentions;
pub mod metrics;
mod migrations;
mod open;
pub mod patterns;
pub mod posts;
pub mod queue;
pub mod record;
mod rows;
pub mod shadow;
pub mod split;
mod standing;
pub mod steps;
pub mod switches;
pub mod timeline;
pub mod verdicts;
pub mod votes;

use std::fs::File;
use std::sync::Arc;

use sqlx::sqlite::SqlitePool;
use sqlx::{Sqlite, Transaction};

pub use acts::{Telling, Untold};
pub use alerts::{DeadLetter, Received, StoredDeadLetter};
pub use approvals::ApprovalAnswer;
pub use asking::{NewApproval, binding_digest};
pub use audit::{AuditEntry, AuditFault, AuditMark, AuditReport};
pub use baselines::NewBaseline;
pub use calls::CallEnd;
pub use canary::CanaryEnd;
pub use changes::{Changes, Mark};
pub use effects::{EffectAnswer, EffectBegin, EffectEnd};
pub use elicitations::{HeardQuestion, NewElicitation};
pub use error::{Result, StoreError};
pub use held::{EffectHold, wait_after};
pub use list::{Canaries, CaseFilter, CaseLine, Counts};
pub use live::{Live, WayPosts};
pub use mentions::{Candidate, RuleBy, Spread};
pub use queue::{Claim, Reclaim};
pub use record::{Intervention, Record, Recorded};
pub use split::Split;
pub use standing::Seen;
pub use verdicts::StoredVerdict;

/// A handle on the store; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
    /// Keeps a memory database alive when the other connections are replaced.
    anchor: Option<SqlitePool>,
    lock: Option<Arc<File>>,
}

/// A write transaction; dropped without `commit` it leaves nothing behind.
type Tx = Transaction<'static, Sqlite>;

impl Store {
    async fn begin(&self) -> Result<Tx> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Closes all connections and gives the lock back. Other clones can no longer be used.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Some(anchor) = &self.anchor {
            anchor.close().await;
        }
        if let Some(file) = &self.lock {
            // The lock also goes with the process; there is nothing to do when this fails.
            let _ = file.unlock();
        }
    }
}
