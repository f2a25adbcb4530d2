//! Tool names that can't be told apart, or that are no plain ASCII names: such a tool is refused, whatever it does.

use std::collections::BTreeMap;

use mcp_clients::ToolDef;

use crate::text::shape;

/// Longest name of a tool, characters (MCP's own limit).
const LONGEST: usize = 128;

/// The tools of one server whose names are refused, with the reason.
#[must_use]
pub fn refused(tools: &[ToolDef]) -> BTreeMap<String, String> {
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for tool in tools {
        alike.entry(shape(&tool.name)).or_default().push(&tool.name);
    }
    let mut refused = BTreeMap::new();
    for tool in tools {
        let twins = &alike[&shape(&tool.name)];
        let why = match twins.as_slice() {
            _ if !is_plain(&tool.name) => {
                "its name is not 1 to 128 of the letters A-Z a-z 0-9 _ - . /".to_owned()
            }
            [_] => continue,
            twins if twins.iter().all(|t| *t == tool.name) => {
                "its server offers two tools of this name".to_owned()
            }
            twins => {
                let other = twins.iter().find(|t| **t != tool.name);
                format!(
                    "its name can be taken for `{}`",
                    other.copied().unwrap_or_default().escape_debug()
                )
            }
        };
        refused.insert(tool.name.clone(), why);
    }
    refused
}

fn is_plain(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    !name.is_empty() && name.len() <= LONGEST && name.chars().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn names_that_can_be_mistaken_are_refused() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&["get_user", "get_users"], &[]),
            (&["close", "close"], &["close"]),
            (&["list_a1", "list_al"], &["list_a1", "list_al"]),
            (&["get-user", "get_user"], &["get-user", "get_user"]),
            (&["Search", "search", "other"], &["Search", "search"]),
            (&["s\u{435}arch"], &["s\u{435}arch"]),
            (&["get\u{200b}user", "x"], &["get\u{200b}user"]),
            (&["", "a b", "x"], &["", "a b"]),
        ];
        for (names, want) in cases {
            let tools: Vec<ToolDef> = names
                .iter()
                .map(|n| ToolDef {
                    name: (*n).to_owned(),
                    title: None,
                    description: String::new(),
                    input_schema: Value::Null,
                    output_schema: None,
                    annotations: Value::Null,
                })
                .collect();
            let got: Vec<String> = refused(&tools).into_keys().collect();
            assert_eq!(got, want, "{names:?}");
        }
    }
}
