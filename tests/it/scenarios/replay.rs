//! Stored cases judged again on recorded answers: the same settings give the same verdicts, others show what they change,
//! and nothing is asked or stored.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::workbench::{Lab, USUAL, data, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn value(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap_or_else(|e| panic!("{e}: {}", stderr(output)))
}

/// The head of the audit log: it moves with everything the store is told.
fn head(site: &Site) -> Value {
    let output = site.run(&["audit", "verify", "--json"]).unwrap();
    value(&output)
}

/// The site's lab servers are gone: whatever is answered comes from the record.
fn without_servers(site: &Site) {
    for name in ["logs", "identity.jsonl", "intel.jsonl"] {
        let path = site.lab.path().join(name);
        let gone = site.lab.path().join(format!("{name}.gone"));
        std::fs::rename(path, gone).unwrap();
    }
}

#[test]
fn the_same_settings_give_the_same_verdicts_without_any_server() {
    let site = Site::new(PROGRAM, Lab::demo().unwrap()).unwrap();
    let result = site.once().unwrap();
    without_servers(&site);
    let before = head(&site);
    let mut cases: Vec<&str> = result["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["case_id"].as_str().unwrap())
        .collect();
    cases.sort_unstable();
    cases.dedup();
    assert!(cases.len() > 15, "{}", cases.len());
    let args = [&["case", "replay", "--json"], &cases[..]].concat();
    let replayed = value(&site.run(&args).unwrap());
    let replayed = replayed["cases"].as_array().unwrap();
    assert_eq!(replayed.len(), cases.len());
    for case in replayed {
        for alert in case["alerts"].as_array().unwrap() {
            assert_eq!(alert["differs"], json!([]), "{case}");
            assert_eq!(alert["unrecorded"], 0, "{case}");
            assert!(alert["before"].is_object(), "{case}");
        }
    }
    assert_eq!(head(&site), before);
}

/// The scenario's playbook without what it asks at tier 2: a case that ended at tier 1 has no record of that.
pub(super) fn playbook() -> String {
    let text = std::fs::read_to_string(data("playbooks").join("scenario.yaml")).unwrap();
    let (begin, rest) = text.split_once("  - id: logins").unwrap();
    let (_, end) = rest.split_once("\n  - { id: bad_address").unwrap();
    format!("{begin}  - {{ id: bad_address{end}")
}

/// A folder with the scenario's playbook in which the usual address counts for less.
fn doubting(dir: &Path) -> String {
    let folder = dir.join("doubting");
    std::fs::create_dir(&folder).unwrap();
    let text = playbook();
    let changed = text.replace("weight: 3.0", "weight: 0.5");
    assert_ne!(text, changed);
    std::fs::write(folder.join("scenario.yaml"), changed).unwrap();
    folder.display().to_string()
}

#[test]
fn other_playbooks_show_what_they_change() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    assert_eq!(site.once().unwrap()["alerts"][0]["outcome"], "closed");
    let folder = doubting(&site.dir());
    let args = ["case", "replay", "ND-1", "--playbooks", &folder];
    let replayed = value(&site.run(&[&args[..], &["--json"]].concat()).unwrap());
    let alert = &replayed["cases"][0]["alerts"][0];
    assert_eq!(alert["before"]["verdict"], "benign_positive", "{alert}");
    assert_eq!(alert["after"]["verdict"], "undetermined", "{alert}");
    let told = stdout(&site.run(&args).unwrap());
    assert!(
        told.contains("usual_address: was -3.00, is -0.50"),
        "{told}"
    );
    let none = site
        .run(&["case", "replay", "ND-1", "--playbooks", "nowhere"])
        .unwrap();
    assert_eq!(none.status.code(), Some(78), "{}", stderr(&none));
    let model = site
        .run(&["case", "replay", "ND-1", "--analyst", "model"])
        .unwrap();
    assert_eq!(model.status.code(), Some(78), "{}", stderr(&model));
}

#[test]
fn a_backtest_names_the_attack_that_would_be_closed_first() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    site.once().unwrap();
    let empty = site.run(&["backtest"]).unwrap();
    assert!(empty.status.success());
    assert!(
        stderr(&empty).contains("case feedback"),
        "{}",
        stderr(&empty)
    );
    let says = |verdict: &str| {
        let args = [
            "case",
            "feedback",
            "ND-1",
            "--verdict",
            verdict,
            "--by",
            "ana",
        ];
        let output = site.run(&args).unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    };
    says("benign_positive");
    let fine = site.run(&["backtest", "--json"]).unwrap();
    let report = value(&fine);
    assert!(fine.status.success(), "{report}");
    assert_eq!(report["metrics"]["coverage"]["k"], 1, "{report}");
    assert_eq!(
        report["metrics"]["missed_true_positives"]["n"], 0,
        "{report}"
    );
    assert_eq!(report["disagreement"]["k"], 0, "{report}");
    // People say nothing of techniques.
    assert_eq!(report["metrics"]["technique_f1"]["n"], 0, "{report}");
    // The person changes their mind: what the daemon closed was an attack.
    says("true_positive");
    let missed = site.run(&["backtest", "--json"]).unwrap();
    assert_eq!(missed.status.code(), Some(1), "{}", stdout(&missed));
    assert_eq!(value(&missed)["metrics"]["missed"], json!(["ND-1/alert-0"]));
    let folder = doubting(&site.dir());
    let mended = site
        .run(&["backtest", "--playbooks", &folder, "--json"])
        .unwrap();
    assert!(mended.status.success(), "{}", stdout(&mended));
    let report = value(&mended);
    assert_eq!(report["disagreement"]["k"], 1, "{report}");
    assert!(
        report["cost"]["tool_calls"].as_u64().unwrap() > 0,
        "{report}"
    );
}

#[test]
fn a_shadow_judges_beside_the_live_verdicts_and_changes_nothing() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    let none = site.run(&["shadow", "--json"]).unwrap();
    assert_eq!(none.status.code(), Some(69), "{}", stderr(&none));
    let folder = doubting(&site.dir());
    site.add(&format!("[run.shadow]\nplaybooks = {}", json!(folder)))
        .unwrap();
    let result = site.once().unwrap();
    assert_eq!(result["alerts"][0]["outcome"], "closed", "{result}");
    let told = value(&site.run(&["shadow", "--json"]).unwrap());
    let shadow = &told["shadows"][0];
    assert_eq!(shadow["same_verdict"]["k"], 0, "{told}");
    assert_eq!(shadow["same_verdict"]["n"], 1, "{told}");
    assert_eq!(
        shadow["matrix"]["benign_positive"]["undetermined"], 1,
        "{told}"
    );
    let case = value(&site.run(&["case", "show", "ND-1", "--json"]).unwrap());
    assert_eq!(
        case["alerts"][0]["verdict"]["kind"], "benign_positive",
        "{case}"
    );
    // Said once; another run adds nothing.
    site.once().unwrap();
    let again = value(&site.run(&["shadow", "--json"]).unwrap());
    assert_eq!(again, told);
    let shown = stdout(&site.run(&["shadow"]).unwrap());
    assert!(
        shown.contains("ND-1 scenario-login: benign_positive here, undetermined by the shadow"),
        "{shown}"
    );
    site.add("analyst = \"model\"").unwrap();
    let refused = site.run(&["run", "--once"]).unwrap();
    assert_eq!(refused.status.code(), Some(78), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("[run.shadow]"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn a_case_that_is_not_there_is_not_judged_again() {
    let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
    site.once().unwrap();
    for args in [
        &["case", "replay", "ND-999"][..],
        &["case", "replay", "--json", "ND-1", "ND-999"],
    ] {
        let output = site.run(args).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
        assert_eq!(stdout(&output), "");
        assert!(stderr(&output).contains("ND-999"), "{}", stderr(&output));
    }
}
