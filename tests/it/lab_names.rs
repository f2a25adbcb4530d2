//! Playbooks are general: they name no rule, person, machine or address of the demo lab or of the development corpus.

use std::path::{Path, PathBuf};

use state::model::Field;

use crate::tidy::{files, root};

/// Names by which a playbook could know a lab: rules, alerts, people, machines, addresses.
fn names_of_lab(dir: &Path) -> Vec<String> {
    let mappings = mcp_clients::mappings::Mappings::load(None).unwrap();
    let mut names = Vec::new();
    for feed in lab::manifest::load(dir).unwrap().feeds {
        let text = std::fs::read_to_string(dir.join(&feed.file)).unwrap();
        for line in text.lines() {
            let alert = mappings.read(&feed.mapping, "tidy", line).unwrap();
            // A product's own event type is no rule of the house.
            let is_event = alert
                .activities
                .iter()
                .any(|a| a.get(Field::Action) == alert.rule.id);
            names.extend(Some(alert.rule.id.clone()).filter(|_| !is_event));
            names.push(alert.source_alert_id.clone());
            names.extend(alert.entities.into_iter().map(|e| e.value));
        }
    }
    for file in [
        "identity.jsonl",
        "assets.jsonl",
        "endpoints.jsonl",
        "changes.jsonl",
        "intel.jsonl",
    ] {
        let text = std::fs::read_to_string(dir.join(file)).unwrap_or_default();
        for row in text.lines() {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            for key in [
                "id",
                "name",
                "email",
                "address",
                "arn",
                "device",
                "okta_id",
                "host",
                "value",
                "indicator",
            ] {
                names.extend(row[key].as_str().map(str::to_owned));
            }
            let lists = ["aliases", "usual_addresses"].map(|k| row[k].as_array().cloned());
            for value in lists.into_iter().flatten().flatten() {
                let name = value.as_str().or_else(|| value["address"].as_str());
                names.extend(name.map(str::to_owned));
            }
        }
    }
    names
}

/// Whether a name belongs to one place: words of the field, built-in accounts and services do not.
fn is_telling(name: &str) -> bool {
    let general = [
        "nt authority",
        "127.0.0.1",
        "0.0.0.0",
        "169.254.169.254",
        ".amazonaws.com",
        "break-glass",
    ];
    let name = name.to_lowercase();
    name.len() >= 5
        && name.contains(|c: char| c.is_ascii_digit() || "-.@\\:".contains(c))
        && !general.iter().any(|g| name.contains(g))
}

/// Whether the text holds the name as a whole word.
fn names(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '.' || c == '-';
    text.match_indices(name).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(|c| c.is_alphanumeric() || c == '-')
    })
}

#[test]
fn playbooks_name_nothing_of_a_lab() {
    let mut labs = vec![root().join("lab/demo")];
    match std::fs::read_dir(root().join("../shared/corpus")) {
        Ok(found) => labs.extend(
            found
                .map(|l| l.unwrap().path())
                .filter(|l| l.join("lab.toml").exists()),
        ),
        Err(_) => eprintln!(
            "SKIPPED: the development corpus is not here, so only the demo lab's names are looked for"
        ),
    }
    let mut playbooks = Vec::new();
    for ending in [".yaml", ".md", ".csv"] {
        files(&root().join("playbooks"), ending, &mut playbooks);
    }
    let read = |p: &PathBuf| std::fs::read_to_string(p).unwrap().to_lowercase();
    let texts: Vec<(PathBuf, String)> = playbooks.iter().map(|p| (p.clone(), read(p))).collect();
    assert!(
        texts.len() > 80,
        "the playbooks are not where they are looked for"
    );
    let mut faults = std::collections::BTreeSet::new();
    for lab in &labs {
        let telling: Vec<String> = names_of_lab(lab)
            .into_iter()
            .filter(|n| is_telling(n))
            .map(|n| n.to_lowercase())
            .collect();
        assert!(telling.len() > 5, "{}: no names were read", lab.display());
        for (path, text) in &texts {
            let found = telling.iter().filter(|n| names(text, n));
            faults.extend(
                found.map(|n| format!("{}: names {n} of {}", path.display(), lab.display())),
            );
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // What it looks for it finds.
    assert!(names("from 192.0.2.10, by", "192.0.2.10") && !names("192.0.2.109", "192.0.2.10"));
    assert!(is_telling("web-01") && !is_telling("root") && !is_telling("nt authority\\system"));
}
