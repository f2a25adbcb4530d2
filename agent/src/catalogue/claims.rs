//! What a server claims about its own tool, beside the operator's class: compared and told, never obeyed.

use serde_json::Value;
use state::model::ToolClass;

/// The claims in the words of MCP's hints; `nothing` when there are none.
#[must_use]
pub fn claims(annotations: &Value) -> String {
    let words = [
        ("readOnlyHint", "read-only", "changes things"),
        ("destructiveHint", "destructive", "not destructive"),
        ("idempotentHint", "may be repeated", ""),
        ("openWorldHint", "reaches outside", ""),
    ];
    let said = words
        .iter()
        .filter_map(|(key, yes, no)| hint(annotations, key).map(|h| if h { *yes } else { *no }));
    let said: Vec<&str> = said.filter(|w| !w.is_empty()).collect();
    if said.is_empty() {
        "nothing".to_owned()
    } else {
        said.join(", ")
    }
}

/// Where the claims differ from the class; empty when they do not or there are none.
#[must_use]
pub fn differences(class: ToolClass, annotations: &Value) -> Vec<String> {
    let (reads, class_word) = (class.is_read_only(), class.as_str());
    let destroys = class == ToolClass::Destructive;
    let table = [
        ("readOnlyHint", true, !reads, "is read-only"),
        ("readOnlyHint", false, reads, "changes things"),
        ("destructiveHint", true, !destroys, "is destructive"),
        ("destructiveHint", false, destroys, "is not destructive"),
        (
            "openWorldHint",
            true,
            class == ToolClass::ReadInternal,
            "reaches outside",
        ),
        (
            "openWorldHint",
            false,
            class == ToolClass::ReadEgress,
            "stays inside",
        ),
    ];
    // MCP: whether something is destroyed is said of tools that are not read-only.
    let read_only = hint(annotations, "readOnlyHint") == Some(true);
    table
        .iter()
        .filter(|(key, ..)| !(read_only && *key == "destructiveHint"))
        .filter(|(key, said, differs, _)| *differs && hint(annotations, key) == Some(*said))
        .map(|(.., what)| {
            format!("its server says that it {what}, the catalogue says {class_word}")
        })
        .collect()
}

fn hint(annotations: &Value, key: &str) -> Option<bool> {
    annotations.get(key).and_then(Value::as_bool)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_compared_with_the_class() {
        use ToolClass as C;
        for (class, annotations, differ) in [
            (C::ReadInternal, json!(null), 0),
            (
                C::ReadInternal,
                json!({"readOnlyHint": true, "openWorldHint": false}),
                0,
            ),
            (
                C::ReadInternal,
                json!({"readOnlyHint": true, "openWorldHint": true}),
                1,
            ),
            (
                C::ReadInternal,
                json!({"readOnlyHint": false, "destructiveHint": true}),
                2,
            ),
            (C::Destructive, json!({"readOnlyHint": true}), 1),
            (
                C::Destructive,
                json!({"readOnlyHint": false, "destructiveHint": false}),
                1,
            ),
            (
                C::Write,
                json!({"readOnlyHint": false, "destructiveHint": false}),
                0,
            ),
            (C::Write, json!({"readOnlyHint": "yes"}), 0),
        ] {
            let found = differences(class, &annotations);
            assert_eq!(found.len(), differ, "{class} {annotations}: {found:?}");
        }
    }
}
