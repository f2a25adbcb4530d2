//! Which playbook an alert gets: `tests/data/playbook_selection.json` has a row for every kind, also under a title that says nothing.

use std::collections::BTreeSet;

use agent::config::Config;
use agent::daemon::data;
use serde_json::Value;

#[test]
fn every_kind_of_alert_gets_the_playbook_of_its_family() {
    let file = crate::tidy::root().join("tests/data/playbook_selection.json");
    let rows: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let data = data(&Config::default()).unwrap();
    let mut kinds = BTreeSet::new();
    for row in &rows {
        let want = row["playbook"].as_str().unwrap();
        let mapping = row["mapping"].as_str().unwrap();
        let alert = data
            .mappings
            .read(mapping, "test", &row["alert"].to_string())
            .unwrap();
        let chosen = &data.library.choose(&alert).unwrap().playbook.id;
        assert_eq!(chosen, want, "{row}");
        kinds.insert(want);
    }
    for entry in data.library.entries() {
        let id = entry.playbook.id.as_str();
        assert!(kinds.contains(id), "no row asks for {id}");
    }
}
