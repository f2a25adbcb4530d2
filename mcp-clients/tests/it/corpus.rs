//! Every lab of the development corpus, where it lies beside the repository, is read without a rejection.
#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mcp_clients::mappings::{Mappings, UNKNOWN};
use serde_json::Value;
use state::model::{EntityKind, Role};

fn labs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let Ok(entries) = std::fs::read_dir(root) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut labs: Vec<PathBuf> = paths.filter(|p| p.join("lab.toml").exists()).collect();
    labs.sort();
    labs
}

fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn every_lab_is_read() {
    let labs = labs();
    if labs.is_empty() {
        eprintln!("skipped: there is no corpus beside the repository");
        return;
    }
    let mappings = Mappings::load(None).unwrap();
    let mut weak = Vec::new();
    for lab in labs {
        let name = lab.file_name().unwrap().to_string_lossy().into_owned();
        let settings: toml::Table = std::fs::read_to_string(lab.join("lab.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let mapping = settings["alerts"]["mapping"].as_str().unwrap().to_owned();
        let alerts = lines(&lab.join("alerts.jsonl"));
        let mut placed = 0;
        for raw in &alerts {
            let alert = mappings
                .read(&mapping, "lab", raw)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let known = alert.entities.iter().any(|e| {
                e.role == Role::Principal
                    || e.kind == EntityKind::Host
                    || (e.role == Role::Target && e.kind == EntityKind::User)
            });
            placed += usize::from(known);
            if std::env::var_os("SHOW").is_some() {
                eprintln!("{}", show(&alert));
            }
        }
        let (rows, schemas) = rows(&mappings, &lab);
        let unknown = schemas.get(UNKNOWN).copied().unwrap_or(0);
        eprintln!(
            "{name}: {placed} of {} alerts with principal or host; {unknown} of {rows} rows unknown; {schemas:?}",
            alerts.len()
        );
        if placed * 10 < alerts.len() * 9 || unknown * 20 > rows {
            weak.push(name);
        }
    }
    assert!(weak.is_empty(), "too little is recognised in {weak:?}");
}

fn rows(mappings: &Mappings, lab: &Path) -> (usize, BTreeMap<String, usize>) {
    let (mut count, mut schemas) = (0, BTreeMap::new());
    for entry in std::fs::read_dir(lab.join("logs")).unwrap() {
        for line in lines(&entry.unwrap().path()) {
            let row: Value = serde_json::from_str(&line).unwrap();
            let activity = mappings.activity(&row);
            assert!(
                activity.time.is_some() && !activity.uid.is_empty(),
                "{line}"
            );
            *schemas.entry(activity.schema).or_default() += 1;
            count += 1;
        }
    }
    (count, schemas)
}

fn show(alert: &state::model::NewAlert) -> String {
    let mut text = format!("{} {} {}\n", alert.product, alert.rule.id, alert.severity);
    for activity in &alert.activities {
        for (field, fact) in &activity.fields {
            let value: String = fact.value.chars().take(90).collect();
            text += &format!(
                "    {} {field} = {value:?} {}\n",
                activity.schema, fact.trust
            );
        }
    }
    for entity in &alert.entities {
        text += &format!(
            "    {:?} {:?} {} {}\n",
            entity.role, entity.kind, entity.value, entity.trust
        );
    }
    text
}
