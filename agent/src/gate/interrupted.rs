//! Calls of an attempt that broke off: whether they were answered is not known, and the record says so; nothing is called.

use state::model::{CallOutcome, CaseId};
use state::store::{CallEnd, Result};

use crate::ctx::Ctx;

use super::audit;

/// Ends the calls of a case that nobody waits for any more as `unknown`. Only for who has just claimed the case.
///
/// # Errors
/// When the store fails.
pub async fn end_interrupted(ctx: &Ctx, case: CaseId) -> Result<()> {
    for call in ctx.store.started_calls(case).await? {
        let end = CallEnd {
            outcome: CallOutcome::Unknown,
            reason: Some("the attempt broke off before the answer came"),
            body: None,
            millis: 0,
            at: ctx.now(),
        };
        let entry = audit::result(&call, call.id, end.outcome, end.millis);
        ctx.store.end_call(call.id, end, entry).await?;
    }
    Ok(())
}
