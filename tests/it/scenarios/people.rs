//! What people do from the command line: confirming closes, pinning tools.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tests::workbench::{Lab, USUAL, data, nightdesk, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// A lab with its settings in a folder of its own; `change` edits the settings.
fn site(lab: &Lab, change: impl Fn(String) -> String) -> PathBuf {
    let dir = lab.path().join("work");
    std::fs::create_dir(&dir).unwrap();
    let store = format!("sqlite:{}", dir.join("s.db").display());
    let text = agent::eval::lab_settings(PROGRAM.as_ref(), lab.path(), &store).unwrap();
    let text = format!(
        "{text}\n[paths]\nplaybooks = {}\n",
        json!(data("playbooks"))
    );
    std::fs::write(dir.join("nightdesk.toml"), change(text)).unwrap();
    dir
}

fn json_of(dir: &Path, args: &[&str]) -> Value {
    let output = nightdesk(PROGRAM, dir, args).unwrap();
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn a_proposed_close_waits_for_one_answer() {
    for (word, outcome, status) in [
        ("approve", "closed", "closed"),
        ("deny", "escalated", "escalated"),
    ] {
        let lab = Lab::scenario(&[USUAL]).unwrap();
        let dir = site(&lab, |text| {
            text.replace("mode = \"auto\"", "mode = \"propose\"")
        });
        let result = json_of(&dir, &["run", "--once", "--json"]);
        assert_eq!(
            result["alerts"][0]["outcome"], "awaiting_approval",
            "{result}"
        );
        let waiting = json_of(&dir, &["approvals", "list", "--json"]);
        let id = waiting["approvals"][0]["id"].to_string();
        let plain = ["approvals", word, &id, "--by", "ana", "--json"];
        if word == "deny" {
            let silent = nightdesk(PROGRAM, &dir, &plain).unwrap();
            assert!(stderr(&silent).contains("say why"), "{}", stderr(&silent));
        }
        json_of(&dir, &[&plain[..], &["--reason", "seen it"]].concat());
        let case = json_of(&dir, &["case", "show", "ND-1", "--json"]);
        assert_eq!(case["case"]["outcome"], outcome);
        assert_eq!(case["case"]["status"], status);
        let again = nightdesk(PROGRAM, &dir, &["approvals", "approve", &id, "--by", "bo"]).unwrap();
        assert!(!again.status.success(), "a question is answered once");
        assert_eq!(
            json_of(&dir, &["approvals", "list", "--json"])["approvals"],
            json!([])
        );
        assert_eq!(json_of(&dir, &["audit", "verify", "--json"])["ok"], true);
    }
}

#[test]
fn a_tool_that_is_not_as_pinned_is_not_called() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let dir = site(&lab, |text| text);
    // The embedded servers are pinned in the binary; a pin in the lock file comes before that.
    json_of(&dir, &["tools", "pin", "identity", "--json"]);
    let lock = dir.join("nightdesk.lock");
    let pinned = std::fs::read_to_string(&lock).unwrap();
    let ok = nightdesk(PROGRAM, &dir, &["check"]).unwrap();
    assert!(ok.status.success(), "{}", stdout(&ok));
    let (before, entry) = pinned.split_once("[tools.\"identity.get_user\"]").unwrap();
    let at = entry.find("digest = \"").unwrap() + "digest = \"".len();
    let other = format!("{}{}{}", &entry[..at], "0".repeat(64), &entry[at + 64..]);
    std::fs::write(
        &lock,
        format!("{before}[tools.\"identity.get_user\"]{other}"),
    )
    .unwrap();
    let check = nightdesk(PROGRAM, &dir, &["check"]).unwrap();
    assert_eq!(check.status.code(), Some(1), "{}", stdout(&check));
    assert!(
        stdout(&check).contains("not as pinned"),
        "{}",
        stdout(&check)
    );
    let result = json_of(&dir, &["run", "--once", "--json"]);
    let alert = &result["alerts"][0];
    assert_eq!(alert["outcome"], "escalated", "{alert}");
    assert!(alert["gaps"].to_string().contains("rule 2"), "{alert}");
    std::fs::write(&lock, "not a lock").unwrap();
    let broken = nightdesk(PROGRAM, &dir, &["run", "--once"]).unwrap();
    assert_eq!(broken.status.code(), Some(78), "{}", stderr(&broken));
}

#[test]
fn the_example_configuration_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nightdesk.example.toml");
    std::fs::copy(&example, dir.path().join("nightdesk.toml")).unwrap();
    agent::config::load(&dir.path().join("nightdesk.toml")).unwrap();
}

#[test]
fn a_command_speaks_of_the_store_of_its_configuration_and_makes_none() {
    let root = tempfile::tempdir().unwrap();
    let (own, other) = (root.path().join("own"), root.path().join("other"));
    for dir in [&own, &other] {
        std::fs::create_dir(dir).unwrap();
    }
    std::fs::write(own.join("nightdesk.toml"), "").unwrap();
    let from = |args: &[&str]| {
        let named = [&["--config", "../own/nightdesk.toml"], args].concat();
        nightdesk(PROGRAM, &other, &named).unwrap()
    };
    let pause = ["pause", "--why", "stop now", "--by", "ana"];
    for args in [&pause[..], &["approvals", "list"], &["case", "list"]] {
        let said = from(args);
        assert_eq!(said.status.code(), Some(69), "{args:?}: {}", stdout(&said));
        let place = format!(
            "{}",
            own.canonicalize().unwrap().join("nightdesk.db").display()
        );
        let why = stderr(&said).replace("other/../", "");
        assert!(
            why.contains("there is no store at") && why.contains(&place),
            "{why}"
        );
    }
    let left = |dir: &Path| std::fs::read_dir(dir).unwrap().count();
    assert_eq!((left(&own), left(&other)), (1, 0), "nothing was made");

    let ran = nightdesk(PROGRAM, &own, &["run", "--once"]).unwrap();
    assert!(ran.status.success(), "{}", stderr(&ran));
    let said = from(&pause);
    assert!(said.status.success(), "{}", stderr(&said));
    let seen = nightdesk(PROGRAM, &own, &["check", "--json"]).unwrap();
    assert!(stdout(&seen).contains("stop now"), "{}", stdout(&seen));
    assert_eq!(left(&other), 0);
    let nobody = nightdesk(PROGRAM, &own, &["effects", "list", "--case", "ND-999"]).unwrap();
    assert_eq!(nobody.status.code(), Some(1), "{}", stdout(&nobody));
}
