//! Function names as the protocol allows them (`[A-Za-z0-9_-]`, at most 64) and back; it decides nothing about tools.

use std::collections::HashMap;

use super::ToolSpec;

const MAX: usize = 64;

/// Both directions for one question.
#[derive(Debug)]
pub(super) struct Names {
    to_wire: HashMap<String, String>,
    to_ours: HashMap<String, String>,
}

impl Names {
    pub(super) fn new(tools: &[ToolSpec]) -> Self {
        let mut names = Self {
            to_wire: HashMap::new(),
            to_ours: HashMap::new(),
        };
        for tool in tools {
            let plain = plain(&tool.name);
            let mut wire = plain.clone();
            let mut n = 2;
            while names.to_ours.contains_key(&wire) {
                let suffix = format!("_{n}");
                wire = plain.chars().take(MAX - suffix.len()).collect::<String>() + &suffix;
                n += 1;
            }
            names.to_wire.insert(tool.name.clone(), wire.clone());
            names.to_ours.insert(wire, tool.name.clone());
        }
        names
    }

    /// The name to send. Names that are not offered now (earlier turns) are only made legal.
    pub(super) fn wire(&self, ours: &str) -> String {
        self.to_wire
            .get(ours)
            .cloned()
            .unwrap_or_else(|| plain(ours))
    }

    /// The name that was meant; what was never offered stays as the model wrote it.
    pub(super) fn ours(&self, wire: &str) -> String {
        self.to_ours
            .get(wire)
            .map_or(wire, String::as_str)
            .to_owned()
    }
}

fn plain(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => out.push(c),
            '.' => out.push_str("__"),
            _ => out.push('_'),
        }
    }
    out.truncate(MAX);
    if out.is_empty() { "_".to_owned() } else { out }
}
