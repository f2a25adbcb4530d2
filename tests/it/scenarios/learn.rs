//! Learned weights through the real program: written on demand, counted once accepted, told wherever they count.

use chrono::TimeDelta;
use serde_json::{Value, json};
use state::model::{RuleAt, VerdictKind};
use tests::daemon::Site;
use tests::past::{Word, leave_word};
use tests::workbench::{Lab, STRANGE, USUAL, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// Works the first `n` alerts of the lab; gives the verdict of the last one and what became of it.
fn worked(site: &Site, all: &[Value], n: usize) -> (Value, Value) {
    site.lab.lines("alerts.jsonl", &all[..n]).unwrap();
    let result = site.once().unwrap();
    let id = all[n - 1]["id"].clone();
    let alerts = result["alerts"].as_array().unwrap();
    let alert = alerts.iter().find(|a| a["source_alert_id"] == id);
    let alert = alert.unwrap_or_else(|| panic!("{result}")).clone();
    let case = alert["case_id"].as_str().unwrap();
    let shown = site.run(&["case", "show", case, "--json"]).unwrap();
    let shown: Value = serde_json::from_str(&stdout(&shown)).unwrap();
    let verdict = shown["alerts"][0]["verdict"].clone();
    (verdict, alert["outcome"].clone())
}

/// Leaves words of people that call most sign-ins from a new address harmless, under rules of no lab alert.
async fn teach(site: &Site) {
    let store = site.store().await.unwrap();
    let start: state::model::Time = "2026-02-01T00:00:00Z".parse().unwrap();
    for n in 0..48 {
        let of = RuleAt {
            source: "siem".to_owned(),
            rule: format!("earlier-{}", n % 3),
        };
        let word = Word {
            playbook: "scenario",
            signals: vec![("new_address", 2.0)],
            kind: match n % 4 {
                0 => VerdictKind::TruePositive,
                _ => VerdictKind::BenignPositive,
            },
        };
        let at = start + TimeDelta::minutes(10 * n);
        leave_word(&store, &of, &word, at).await.unwrap();
    }
    store.close().await;
}

/// Sign-ins by turns from a new and from the usual address; each from the usual one is of a user of their own, with no
/// open incident.
fn lab() -> (Lab, Vec<Value>) {
    let lab = Lab::scenario(&[STRANGE, USUAL, STRANGE, STRANGE, USUAL]).unwrap();
    let mut all = lab.read("alerts.jsonl").unwrap();
    let mut users = lab.read("identity.jsonl").unwrap();
    for (n, name) in [(1, "bo"), (4, "cy")] {
        let renamed = |row: &Value| {
            let text = row.to_string().replace("ana@corp", &format!("{name}@corp"));
            serde_json::from_str::<Value>(&text.replace("\"u1\"", &json!(name).to_string()))
                .unwrap()
        };
        all[n] = renamed(&all[n]);
        let user = renamed(&users[0]);
        users.push(user);
    }
    lab.lines("identity.jsonl", &users).unwrap();
    (lab, all)
}

/// How the playbook is shown.
fn shown(site: &Site) -> String {
    stdout(&site.run(&["playbook", "show", "scenario"]).unwrap())
}

fn in_force(site: &Site) {
    let check = stdout(&site.run(&["check"]).unwrap());
    assert!(check.contains("in force: 1 signals"), "{check}");
}

/// A replay judges with the weights that count.
fn same_again(site: &Site, case: &Value) {
    let replayed = site.run(&["case", "replay", case.as_str().unwrap(), "--json"]);
    let replayed: Value = serde_json::from_str(&stdout(&replayed.unwrap())).unwrap();
    assert_eq!(
        replayed["cases"][0]["alerts"][0]["differs"],
        json!([]),
        "{replayed}"
    );
}

#[tokio::test]
async fn what_is_learned_counts_once_a_person_has_accepted_it() {
    let (lab, all) = lab();
    let site = Site::new(PROGRAM, lab).unwrap();
    site.add("[run]\njoin_window = \"0s\"").unwrap();
    let accepted = site.run(&["check", "--accept"]).unwrap();
    assert!(accepted.status.success(), "{}", stdout(&accepted));
    let (before, _) = worked(&site, &all, 1);
    let said = before["basis"]["probability"].as_f64().unwrap();
    assert!((said - 0.8808).abs() < 0.001, "{before}");
    let too_few = site.run(&["learn", "--write"]).unwrap();
    assert_eq!(too_few.status.code(), Some(1), "{}", stdout(&too_few));
    teach(&site).await;

    let file = site.dir().join("learned.yaml");
    let looked = site.run(&["learn", "--json"]).unwrap();
    let told: Value = serde_json::from_str(&stdout(&looked)).unwrap();
    assert_eq!(told["proposal"]["verdicts"], 48, "{told}");
    assert_eq!(told["proposal"]["refused"], json!(null), "{told}");
    assert_eq!(told["written"], json!(null));
    assert!(!file.exists(), "nothing is written unasked");
    let written = site.run(&["learn", "--write"]).unwrap();
    assert!(written.status.success(), "{}", stderr(&written));
    assert!(file.exists());

    // Until a person has accepted it the shipped weights count, and nothing is closed.
    let check = site.run(&["check"]).unwrap();
    assert_eq!(check.status.code(), Some(1));
    let lines = stdout(&check);
    assert!(lines.contains("learned added"), "{lines}");
    assert!(
        lines.contains("learned weights: not accepted: the shipped weights count"),
        "{lines}"
    );
    let (verdict, outcome) = worked(&site, &all, 2);
    assert_eq!(outcome, "escalated");
    let case = verdict["case"].as_str().unwrap();
    let told = stdout(&site.run(&["case", "timeline", case, "--json"]).unwrap());
    assert!(told.contains("learned added"), "{told}");
    // Also where nobody has ever accepted anything.
    std::fs::remove_file(site.dir().join("nightdesk.manifest")).unwrap();
    let (fresh, _) = worked(&site, &all, 3);
    assert_eq!(fresh["basis"]["probability"].as_f64(), Some(said));
    assert!(!shown(&site).contains("with learned weights"));
    let accepted = site.run(&["check", "--accept"]).unwrap();
    assert!(accepted.status.success(), "{}", stdout(&accepted));
    in_force(&site);
    assert!(shown(&site).contains("with learned weights"));
    let (after, _) = worked(&site, &all, 4);
    let says = after["basis"]["probability"].as_f64().unwrap();
    assert!(says < said - 0.05, "{said} then {says}");
    same_again(&site, &after["case"]);
    assert_ne!(
        before["provenance"]["playbook_hash"],
        after["provenance"]["playbook_hash"]
    );
    let (verdict, outcome) = worked(&site, &all, 5);
    assert_eq!(outcome, "closed", "{verdict}");

    // A weight beyond its band is no configuration.
    let text = std::fs::read_to_string(&file).unwrap();
    let beyond = text.replacen("weight: ", "weight: 10", 1);
    assert_ne!(text, beyond);
    std::fs::write(&file, beyond).unwrap();
    let refused = site.run(&["run", "--once"]).unwrap();
    assert_eq!(refused.status.code(), Some(78), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("outside of"),
        "{}",
        stderr(&refused)
    );
    let verified = site.run(&["audit", "verify"]).unwrap();
    assert!(verified.status.success(), "{}", stdout(&verified));
}
