//! Arguments against a closed schema, bounded, in canonical form; where they come from is not known here.

use serde_json::{Map, Value, json};

use crate::catalogue::{DefinitionError, Entry, Freshness};
use crate::ctx::Ctx;
use crate::data::sha256_hex;

use super::{Refusal, Unsent};

/// Longest argument object, bytes of JSON.
const LARGEST: usize = 64 * 1024;

/// The value with every object's keys sorted.
#[must_use]
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            keys.into_iter()
                .map(|k| (k.clone(), canonical(&map[k])))
                .collect()
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        other => other.clone(),
    }
}

/// The value, or, when it is too large to be kept, its size and digest.
pub(super) fn bounded(value: Value) -> Value {
    let text = value.to_string();
    if text.len() <= LARGEST {
        return value;
    }
    json!({"dropped_bytes": text.len(), "sha256": sha256_hex(text)})
}

/// Checks that the tool is as pinned and the arguments fit its schema, closed.
///
/// # Errors
/// Rule 1, 2 or 3, naming the first fault; a definition that can't be had can't be told.
pub(super) async fn check(
    ctx: &Ctx,
    entry: &Entry,
    arguments: &Map<String, Value>,
    freshness: Freshness,
) -> Result<(), Unsent> {
    let value = Value::Object(arguments.clone());
    if value.to_string().len() > LARGEST {
        let why = format!("the arguments are over {LARGEST} bytes");
        return Err(Refusal::new(3, why).into());
    }
    let asked = (freshness, ctx.now());
    let definition = ctx
        .catalogue
        .definitions()
        .of(ctx.toolbox.as_ref(), entry, asked)
        .await;
    let checked = definition.and_then(|d| d.check(entry, &value));
    checked.map_err(|e| {
        let refusal = Refusal::new(rule(&e), e.to_string());
        match e {
            DefinitionError::NotRead { .. } => Unsent::CannotTell(refusal),
            _ => Unsent::Refused(refusal),
        }
    })
}

/// The rule that a definition breaks.
pub(super) fn rule(error: &DefinitionError) -> u8 {
    match error {
        DefinitionError::NoTool { .. } => 1,
        DefinitionError::NotRead { .. }
        | DefinitionError::Name { .. }
        | DefinitionError::Unpinned { .. }
        | DefinitionError::Changed { .. } => 2,
        DefinitionError::NotASchema { .. } | DefinitionError::Misfit { .. } => 3,
    }
}
