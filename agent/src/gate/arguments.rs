//! Arguments against a closed schema, bounded, in canonical form; where they come from is not known here.

use serde_json::{Map, Value};

use crate::catalogue::{Entry, SchemaError};
use crate::ctx::Ctx;

use super::Refusal;

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

/// Checks arguments against the tool's own schema, closed.
///
/// # Errors
/// Rule 3, naming the first fault; also when the schema can't be had.
pub(super) async fn check(
    ctx: &Ctx,
    entry: &Entry,
    arguments: &Map<String, Value>,
) -> Result<(), Refusal> {
    let value = Value::Object(arguments.clone());
    if value.to_string().len() > LARGEST {
        return Err(Refusal::new(
            3,
            format!("the arguments are over {LARGEST} bytes"),
        ));
    }
    let checked = ctx.schemas.check(ctx.toolbox.as_ref(), entry, &value).await;
    checked.map_err(|e| match e {
        SchemaError::NoTool { .. } => Refusal::new(1, e.to_string()),
        SchemaError::Changed { .. } => Refusal::new(2, e.to_string()),
        _ => Refusal::new(3, e.to_string()),
    })
}
