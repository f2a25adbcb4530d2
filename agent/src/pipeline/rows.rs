//! What a named query was answered, in rows and no more than are taken; asking is the step's, what rows prove is evidence.

use serde_json::Value;
use state::model::CallOutcome;

use crate::ctx::Ctx;
use crate::gate::{self, Called};
use crate::playbook::cut;

/// The answer to a named query with its rows where the catalogue says they stand, no more than are taken; one that can't be
/// read is no answer, and one with more rows is cut.
pub(super) fn in_rows(
    ctx: &Ctx,
    query: &str,
    (tool, most): (&str, Option<u64>),
    mut called: Called,
) -> Called {
    let (Some(reply), CallOutcome::Ok) = (&mut called.reply, called.outcome) else {
        return called;
    };
    let entry = ctx.catalogue.get(tool);
    let place = entry
        .map(|e| e.spec.answer.rows.as_str())
        .unwrap_or_default();
    let dialect = ctx.library.dialect();
    match dialect.rows(query, &reply.value, most) {
        None => {
            let mut keys = place.split('.');
            let rows = keys.try_fold(&mut reply.value, |at, key| at.get_mut(key));
            if let Some(Value::Array(rows)) = rows
                && cut(rows, most)
            {
                reply.cut.get_or_insert_default();
            }
        }
        Some(Ok(found)) => {
            if found.more {
                reply.cut.get_or_insert_default();
            }
            reply.value = gate::as_answered(ctx, tool, found.rows);
        }
        Some(Err(why)) => {
            called.outcome = CallOutcome::Unknown;
            called.reason = Some(why);
        }
    }
    called
}
