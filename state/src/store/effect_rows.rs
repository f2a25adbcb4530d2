//! A row of the effects as the noun; which rows are read, and what becomes of them, is `effects`'.

use super::rows::Fields;
use super::{Result, StoreError};
use crate::model::{AlertId, Effect, EffectAbout, Held};

impl<'r> TryFrom<Fields<'r>> for Effect {
    type Error = StoreError;
    fn try_from(row: Fields<'r>) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            case: row.case("case_id")?,
            tool: row.get("tool")?,
            class: row.word("class")?,
            target: row.get("target")?,
            arguments: row.json("arguments")?,
            decision: row.word("decision")?,
            reason: row.get("reason")?,
            approval: row.get("approval_id")?,
            at: row.time("at")?,
            about: EffectAbout {
                raise: row.flag("raises")?,
                d3fend: row.get("d3fend")?,
                alert: row.get::<Option<i64>>("alert_id")?.map(AlertId),
                wanted: row.get("wanted")?,
                round: row.get("round")?,
                proof: row.opt_word("proof")?,
                looks: row.get("looks")?,
                held: held(&row)?,
                untrusted: row.opt_json("untrusted")?,
                requested_by: row.get("requested_by")?,
            },
        })
    }
}

fn held(row: &Fields<'_>) -> Result<Option<Held>> {
    let times = (row.opt_time("held_since")?, row.opt_time("held_next")?);
    let (Some(since), Some(next)) = times else {
        return Ok(None);
    };
    Ok(Some(Held {
        since,
        tries: row.get("held_tries")?,
        next,
        asked_by: row.word("held_for")?,
    }))
}
