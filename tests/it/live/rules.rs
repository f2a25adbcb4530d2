//! The shipped alert rules, judged by Prometheus itself over made-up series: what fires and what does not.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

fn shipped(name: &str) -> PathBuf {
    crate::tidy::root().join("deploy/prometheus").join(name)
}

#[test]
fn the_rules_fire_when_they_must_and_only_then() {
    let ran = Command::new("promtool")
        .args(["test", "rules"])
        .arg(shipped("nightdesk.rules.test.yml"))
        .output();
    let Ok(ran) = ran else {
        eprintln!("SKIPPED: promtool is not here, so the alert rules are not judged");
        return;
    };
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    assert!(ran.status.success(), "{said}");
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn what_is_said_of_people_and_canaries_is_tested() {
    let rules = std::fs::read_to_string(shipped("nightdesk.rules.yml")).unwrap();
    let tests = std::fs::read_to_string(shipped("nightdesk.rules.test.yml")).unwrap();
    let names = rules
        .lines()
        .filter_map(|l| l.trim().strip_prefix("- alert: "));
    let names: BTreeSet<&str> = names.collect();
    let wanted = ["Canary", "Posts", "Nobody", "Gone"];
    let of_them = names
        .iter()
        .filter(|n| wanted.iter().any(|w| n.contains(w)));
    let of_them: Vec<_> = of_them.collect();
    assert!(of_them.len() >= 5, "{names:?}");
    for name in of_them {
        let fires = format!("alertname=\"{name}\"");
        assert!(tests.contains(&fires), "nothing makes {name} fire");
    }
}
