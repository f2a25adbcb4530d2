//! A scanner's storm through the real daemon: one investigation, and nothing closed by what it is not equal to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::storm::{Announced, NIGHT, SCANNER, Storm};
use tests::workbench::{Lab, data, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// A site with the playbooks that are shipped.
fn site(lab: Lab) -> Site {
    let site = Site::new(PROGRAM, lab).unwrap();
    let own = format!("playbooks = {}\n", json!(data("playbooks")));
    site.change(&own, "").unwrap();
    site
}

fn alerts(result: &Value) -> &Vec<Value> {
    result["alerts"].as_array().unwrap()
}

fn cases(result: &Value) -> BTreeSet<&str> {
    let cases = alerts(result).iter().map(|a| a["case_id"].as_str());
    cases.map(Option::unwrap).collect()
}

fn calls(result: &Value) -> u64 {
    let calls = alerts(result).iter().map(|a| a["tool_calls"].as_u64());
    calls.map(Option::unwrap).sum()
}

fn tally<'r>(result: &'r Value, key: &str) -> BTreeMap<&'r str, usize> {
    let mut tally = BTreeMap::new();
    for alert in alerts(result) {
        *tally.entry(alert[key].as_str().unwrap()).or_default() += 1;
    }
    tally
}

#[test]
fn a_storm_of_a_whole_night_is_one_investigation() {
    let storm = Storm {
        alerts: NIGHT,
        targets: 4,
        announced: Announced::Throughout,
    };
    let site = site(storm.lab().unwrap());
    let began = Instant::now();
    let result = site.once().unwrap();
    let figures = format!(
        "{} alerts, {} cases, {} tool calls, {:.0} s",
        alerts(&result).len(),
        cases(&result).len(),
        calls(&result),
        began.elapsed().as_secs_f64()
    );
    eprintln!("storm: {figures}");
    assert_eq!(alerts(&result).len(), NIGHT);
    assert!(cases(&result).len() <= 3, "{figures}");
    assert!(calls(&result) <= 600, "{figures}");
    assert_eq!(tally(&result, "outcome"), [("closed", NIGHT)].into());
}
