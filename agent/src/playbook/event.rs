//! What conditions may read of one event, at two depths of belief; the whole of an alert is `view`'s.

use std::collections::BTreeSet;

use chrono::Timelike;
use serde_json::{Map, Value, json};
use state::model::{Activity, Field, Time};

use crate::data::sha256_hex;

use super::slots::best_hash;

/// How much is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What is trusted or endorsed.
    Trusted,
    /// Everything.
    Any,
}

/// Fields of a closed type, which membership in the inventory endorses: what it was done to.
///
/// That a user, an address or a machine exists does not show that they did it: who acted, from where and on which machine
/// is what the mapping trusts, or nothing.
fn endorsable(field: Field, value: &str) -> bool {
    let word = || value.len() <= 128 && value.bytes().all(|b| b.is_ascii_graphic());
    match field {
        Field::DstIp => value.parse::<std::net::IpAddr>().is_ok(),
        Field::Hash => value.len() >= 32 && value.bytes().all(|b| b.is_ascii_hexdigit()),
        Field::TargetUser | Field::Resource | Field::Account => !value.is_empty() && word(),
        _ => false,
    }
}

/// A mark of what it was done to, whatever its trust, empty where the event names nothing: two events with another object have
/// another mark, and nothing else can be read from it.
fn object(a: &Activity) -> String {
    let [resource, target] = [Field::Resource, Field::TargetUser].map(|f| a.get(f).to_lowercase());
    match resource.is_empty() && target.is_empty() {
        true => String::new(),
        false => sha256_hex(json!([resource, target]).to_string()),
    }
}

/// An event as conditions read it; `inventory` holds what is known to exist.
pub(super) fn activity(
    a: &Activity,
    at: Time,
    depth: Depth,
    inventory: &BTreeSet<String>,
) -> Value {
    let mut out = Map::new();
    for field in Field::ALL {
        let value = match field {
            Field::Hash => best_hash(a.get(*field)),
            _ => a.get(*field),
        };
        // A field that is there counts by its own trust; one that is not, by what the mapping would have trusted.
        let believed = match a.fields.get(field) {
            Some(fact) => fact.trust.is_usable_for_closing(),
            None => a.trusted.contains(field),
        };
        let visible = depth == Depth::Any
            || believed
            || (endorsable(*field, value) && inventory.contains(&value.to_lowercase()));
        if visible {
            out.insert(field.as_str().to_owned(), json!(value));
        }
    }
    out.insert("schema".to_owned(), json!(a.schema));
    out.insert("object".to_owned(), json!(object(a)));
    if let Some(time) = a.time {
        #[allow(
            clippy::cast_precision_loss,
            reason = "milliseconds of a lifetime fit into 52 bits"
        )]
        let age = (at - time).num_milliseconds() as f64 / 3_600_000.0;
        out.insert("age_h".to_owned(), json!(age));
        out.insert("hour".to_owned(), json!(time.hour()));
    }
    if depth == Depth::Any {
        out.insert("uid".to_owned(), json!(a.uid));
        // As text: conditions read inside with `text(act, "raw.a.b")`, and no row is turned inside out for it.
        out.insert("raw".to_owned(), Value::String(a.raw.to_string()));
    }
    Value::Object(out)
}

/// One event in the `any` view, for patterns over single events.
#[must_use]
pub fn activity_view(activity_: &Activity, at: Time) -> Value {
    activity(activity_, at, Depth::Any, &BTreeSet::new())
}
