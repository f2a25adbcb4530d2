//! `nightdesk selftest`: every rule is tripped and holds, nothing of the operator's is touched, and what does not bind is seen.

use std::collections::BTreeSet;

use agent::config::{CloseMode, Config};
use agent::selftest::{Bench, run};
use serde_json::Value;
use state::model::ToolClass;
use tests::workbench::{nightdesk, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

#[test]
fn every_rule_is_tripped_and_holds_and_nothing_else_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    // A configuration that no command could use.
    std::fs::write(dir.path().join("nightdesk.toml"), "not a [configuration").unwrap();
    let output = nightdesk(PROGRAM, dir.path(), &["selftest", "--json"]).unwrap();
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(output.status.success(), "{result:#}{}", stderr(&output));
    let controls = result["controls"].as_array().unwrap();
    assert_eq!(
        (result["held"].as_u64(), result["failed"].as_u64()),
        (Some(controls.len() as u64), Some(0))
    );
    let rules: BTreeSet<u64> = controls
        .iter()
        .map(|c| c["rule"].as_u64().unwrap())
        .collect();
    assert_eq!(rules, (1..=13).collect());
    for control in controls {
        for key in ["control", "attempted", "what"] {
            assert!(!control[key].as_str().unwrap().is_empty(), "{control}");
        }
    }
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "the selftest wrote into the working directory");
}

#[test]
fn a_word_picks_controls_and_a_wrong_one_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let picked = nightdesk(PROGRAM, dir.path(), &["selftest", "--only", "rule 3"]).unwrap();
    assert_eq!(picked.status.code(), Some(0), "{}", stderr(&picked));
    let lines = stdout(&picked);
    let all_three = lines
        .lines()
        .filter(|l| l.starts_with("pass") || l.starts_with("FAIL"))
        .all(|l| l.contains("rule 3 "));
    assert!(
        all_three && lines.contains(" held, 0 failed, in "),
        "{lines}"
    );
    let none = nightdesk(PROGRAM, dir.path(), &["selftest", "--only", "nosuch"]).unwrap();
    assert_eq!(none.status.code(), Some(1));
    assert!(
        stderr(&none).contains("picks no control"),
        "{}",
        stderr(&none)
    );
}

#[tokio::test]
async fn a_control_that_does_not_bind_is_reported() {
    let mut bench = Bench::start(PROGRAM.as_ref()).await.unwrap();
    let sound = bench.config.clone();
    // Each time the ground is loosened, or made to refuse everything, under one control.
    type Loosen = fn(&mut Config);
    let mutations: [(&str, &str, Loosen); 5] = [
        ("a stranger's yes", "nothing stopped it", |c| {
            let stranger = "stranger@corp.example".to_owned();
            c.people.approvals.approvers.push(stranger);
        }),
        ("no answer", "nothing stopped it", |c| {
            let tools = &mut c.servers.get_mut("ticketing").unwrap().tools;
            let tool = tools.get_mut("create_ticket").unwrap();
            tool.class = ToolClass::Write;
            tool.effect.raise = true;
        }),
        (
            "an outside look-up of a model's own value",
            "nothing stopped it",
            |c| {
                let tools = &mut c.servers.get_mut("outside").unwrap().tools;
                tools.get_mut("lookup_indicator").unwrap().class = ToolClass::ReadInternal;
            },
        ),
        (
            "a harmless case is closed",
            "stopped although allowed",
            |c| {
                c.closing.mode = CloseMode::Never;
            },
        ),
        ("protected target", "another rule stopped it", |c| {
            let tools = &mut c.servers.get_mut("ticketing").unwrap().tools;
            tools.get_mut("create_ticket").unwrap().class = ToolClass::ReadInternal;
        }),
    ];
    for (name, said, change) in mutations {
        for loosened in [false, true] {
            bench.config = sound.clone();
            if loosened {
                change(&mut bench.config);
            }
            let outcomes = run(&bench, Some(name), |_| {}).await;
            assert_eq!(outcomes.len(), 1, "{name}");
            let outcome = &outcomes[0];
            assert_eq!(outcome.held, !loosened, "{outcome:?}");
            assert!(!loosened || outcome.what.starts_with(said), "{outcome:?}");
        }
    }
    bench.stop().await;
}
