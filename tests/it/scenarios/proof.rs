//! What is judged again shows what could not be proven: storms are judged as they were, and calls without a record are told.

use serde_json::{Value, json};
use tests::daemon::Site;
use tests::storm::{Announced, Storm};
use tests::workbench::{Lab, USUAL, data, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn value(site: &Site, args: &[&str]) -> Value {
    let output = site.run(&[args, &["--json"]].concat()).unwrap();
    let text = stdout(&output);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)))
}

/// A person says of all alerts of the case that they are an attack.
fn attack(site: &Site, case: &str) {
    let says = [
        "case",
        "feedback",
        case,
        "--verdict",
        "true_positive",
        "--by",
        "ana",
    ];
    let said = site.run(&says).unwrap();
    assert!(said.status.success(), "{}", stderr(&said));
}

/// A rate as `k/n`.
fn rate(of: &Value) -> String {
    format!("{}/{}", of["k"], of["n"])
}

/// Storms of 24 alerts: who announced them, the mode of closing, how they end, and what of them would be closed now.
const STORMS: [(Announced, &str, &str, &str); 3] = [
    (Announced::Throughout, "auto", "closed", "24/24"),
    (
        Announced::Throughout,
        "propose",
        "awaiting_approval",
        "24/24",
    ),
    (Announced::Never, "auto", "escalated", "0/24"),
];

#[test]
fn a_storm_is_judged_again_as_it_was() {
    for (announced, mode, outcome, missed) in STORMS {
        let storm = Storm {
            alerts: 24,
            targets: 1,
            announced,
        };
        let lab = storm.lab().unwrap();
        let all = lab.read("alerts.jsonl").unwrap();
        // What is proposed waits, and the rest of the storm joins it.
        let first = if outcome == "closed" { 24 } else { 12 };
        lab.lines("alerts.jsonl", &all[..first]).unwrap();
        let site = Site::new(PROGRAM, lab).unwrap();
        let own = format!("playbooks = {}\n", json!(data("playbooks")));
        site.change(&own, "").unwrap();
        site.change("mode = \"auto\"", &format!("mode = \"{mode}\""))
            .unwrap();
        site.add("[run.shadow]\nanalyst = \"playbook\"").unwrap();
        site.once().unwrap();
        site.lab.lines("alerts.jsonl", &all).unwrap();
        site.once().unwrap();
        let which = format!("{announced:?} {mode}");
        let case = value(&site, &["case", "show", "ND-1"]);
        assert_eq!(case["alerts"].as_array().unwrap().len(), 24, "{which}");
        assert_eq!(case["case"]["outcome"], outcome, "{which}");
        attack(&site, "ND-1");
        let again = value(&site, &["case", "replay", "ND-1"]);
        let alerts = again["cases"][0]["alerts"].as_array().unwrap();
        assert_eq!(alerts.len(), 24, "{which}");
        for alert in alerts {
            assert_eq!(alert["unrecorded"], 0, "{which}: {alert}");
            assert_eq!(alert["differs"], json!([]), "{which}: {alert}");
        }
        let report = value(&site, &["backtest"]);
        let metrics = &report["metrics"];
        assert_eq!(rate(&metrics["missed_true_positives"]), missed, "{which}");
        assert_eq!(rate(&report["disagreement"]), "0/24", "{which}");
        assert_eq!(report["left_out"], json!([]), "{which}");
        let shadow = &value(&site, &["shadow"])["shadows"][0];
        assert_eq!(rate(&shadow["same_verdict"]), "24/24", "{which}: {shadow}");
        assert_eq!(rate(&shadow["missed"]), missed, "{which}");
    }
}

/// Steps that the record has no answer to: a tool that was not asked, and one that was asked something else.
const NEW_STEPS: [&str; 2] = [
    "tool: scm.find_changes, args: { at: $time, values: [$src_ip] }",
    "tool: identity.get_user, args: { id: boss@corp.example }",
];

#[test]
fn what_has_no_record_is_named_and_proves_nothing() {
    for step in NEW_STEPS {
        let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
        let folder = asking(&site, step);
        let shown = json!(folder);
        site.add(&format!("[run.shadow]\nplaybooks = {shown}"))
            .unwrap();
        assert_eq!(site.once().unwrap()["alerts"][0]["outcome"], "closed");
        attack(&site, "ND-1");
        let under = ["--playbooks", &folder];
        let again = value(&site, &[&["case", "replay", "ND-1"][..], &under].concat());
        assert_eq!(again["cases"][0]["alerts"][0]["unrecorded"], 1, "{again}");
        let told = site.run(&[&["case", "replay", "ND-1"][..], &under].concat());
        let told = stdout(&told.unwrap());
        assert!(
            told.contains("1 calls of the case have no record"),
            "{told}"
        );
        let args = [&["backtest"][..], &under].concat();
        let report = value(&site, &args);
        let left_out = json!([{"alert": "ND-1/alert-0", "unrecorded": 1}]);
        assert_eq!(report["left_out"], left_out, "{report}");
        assert_eq!(report["unproven"], json!(["ND-1/alert-0"]), "{report}");
        let missed = &report["metrics"]["missed_true_positives"];
        assert_eq!(rate(missed), "0/0", "{report}");
        assert_eq!(rate(&report["disagreement"]), "0/0", "{report}");
        let output = site.run(&args).unwrap();
        assert_eq!(output.status.code(), Some(1), "nothing is proven");
        let told = stdout(&output);
        assert!(told.contains("1 alerts: ND-1/alert-0 (1 calls)"), "{told}");
        assert!(told.contains("NOT PROVEN: of 1 attacks"), "{told}");
        let shadow = &value(&site, &["shadow"])["shadows"][0];
        assert_eq!(rate(&shadow["missed"]), "0/0", "{shadow}");
        assert_eq!(rate(&shadow["same_verdict"]), "0/0", "{shadow}");
        assert_eq!(shadow["left_out"], json!(["ND-1 scenario-login"]));
        let told = stdout(&site.run(&["shadow"]).unwrap());
        assert!(told.contains("1 alerts: ND-1 scenario-login"), "{told}");
    }
}

/// A folder with the scenario's playbook that asks one thing more before it closes.
fn asking(site: &Site, step: &str) -> String {
    let folder = site.dir().join("asking");
    std::fs::create_dir(&folder).unwrap();
    let text = super::replay::playbook();
    let more = format!("steps:\n  - {{ id: more, tier: 1, {step}, asks: \"What else?\" }}\n");
    let text = text.replace("steps:\n", &more);
    let text = text.replace("requires: [who]", "requires: [who, more]");
    std::fs::write(folder.join("scenario.yaml"), text).unwrap();
    folder.display().to_string()
}

/// Steps whose call the gate refuses, the settings for that, and the rule.
const REFUSED: [(&str, &str, &str); 3] = [
    (
        NEW_STEPS[0],
        "[servers.scm.tools.find_changes]\nclass = \"read_internal\"\nenabled = false",
        "rule 1: ",
    ),
    (
        "tool: identity.get_user, args: { id: $user, shoe_size: \"43\" }",
        "",
        "rule 3: ",
    ),
    // An outsider's text that would leave the house.
    (
        "tool: scm.find_changes, args: { at: $time, values: [$user_agent] }",
        "[servers.scm.tools.find_changes]\nclass = \"read_egress\"",
        "rule 8: ",
    ),
];

#[test]
fn what_was_refused_then_is_refused_again_and_no_gap_in_the_record() {
    for (step, settings, rule) in REFUSED {
        let site = Site::new(PROGRAM, Lab::scenario(&[USUAL]).unwrap()).unwrap();
        let folder = asking(&site, step);
        let before = json!(data("playbooks")).to_string();
        site.change(&before, &json!(folder).to_string()).unwrap();
        site.add(settings).unwrap();
        assert_ne!(site.once().unwrap()["alerts"][0]["outcome"], "closed");
        let case = value(&site, &["case", "show", "ND-1"]);
        let calls = case["calls"].as_array().unwrap();
        let refused = calls.iter().find(|c| c["outcome"] == "denied").unwrap();
        let why = refused["reason"].as_str().unwrap();
        assert!(why.starts_with(rule), "{refused}");
        let again = value(&site, &["case", "replay", "ND-1"]);
        let alert = &again["cases"][0]["alerts"][0];
        assert_eq!(alert["unrecorded"], 0, "{alert}");
        assert_eq!(alert["differs"], json!([]), "{alert}");
    }
}
