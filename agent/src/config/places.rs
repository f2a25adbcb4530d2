//! Where a setting stands in the file, so that a fault can say its line; what is at fault is found in `load`.

use super::ConfigFault;

/// Finds the line of a setting in the file.
pub(super) struct Places {
    name: String,
    lines: Vec<(String, usize)>,
}

impl Places {
    pub(super) fn new(text: &str, name: &str) -> Self {
        let mut lines = Vec::new();
        if let Ok(table) = toml::de::DeTable::parse(text) {
            walk(table.get_ref(), "", text, &mut lines);
        }
        Self {
            name: name.to_owned(),
            lines,
        }
    }

    pub(super) fn fault(&self, key: &str, message: String) -> ConfigFault {
        let mut at = key;
        let line = loop {
            if let Some((_, line)) = self.lines.iter().find(|(k, _)| k == at) {
                break Some(*line);
            }
            match at.rsplit_once('.') {
                Some((parent, _)) => at = parent,
                None => break None,
            }
        };
        ConfigFault {
            place: line.map_or_else(|| self.name.clone(), |n| format!("{}:{n}", self.name)),
            key: key.to_owned(),
            message,
        }
    }
}

fn walk(table: &toml::de::DeTable<'_>, prefix: &str, text: &str, out: &mut Vec<(String, usize)>) {
    use toml::de::DeValue;
    let line = |at: usize| {
        text.as_bytes()[..at.min(text.len())]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1
    };
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        out.push((path.clone(), line(key.span().start)));
        match value.get_ref() {
            DeValue::Table(inner) => walk(inner, &path, text, out),
            DeValue::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let path = format!("{path}.{i}");
                    out.push((path.clone(), line(item.span().start)));
                    if let DeValue::Table(inner) = item.get_ref() {
                        walk(inner, &path, text, out);
                    }
                }
            }
            _ => {}
        }
    }
}
