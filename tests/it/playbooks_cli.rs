//! `nightdesk playbook`: list, show, check and test, on the shipped library and on an operator's own folder; and the shipped tests themselves.

use std::path::Path;

use agent::config::PathsConfig;
use agent::drill::{self, Outcome, Which};
use serde_json::Value;
use tests::workbench::{nightdesk, stderr, stdout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// A folder of the operator's with these files, and a configuration that names it.
fn site(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = dir.path().join("own").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    std::fs::write(
        dir.path().join("nightdesk.toml"),
        "[paths]\nplaybooks = \"own\"\n",
    )
    .unwrap();
    dir
}

fn run(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = nightdesk(PROGRAM, dir, &[&["playbook"], args].concat()).unwrap();
    (output.status.code(), stdout(&output), stderr(&output))
}

/// A playbook for alerts of one rule, with a name that would break out of a label.
const OWN: &str = r#"
id: own
title: "Own \"] --> x"
priority: 900
select: trusted.alert.rule_id == 'R.own'
use: [change-context]
scoring:
  prior: -1.0
  close: { at_most: 0.05, when: "trusted.steps.who.complete && trusted.steps.who.rows.exists(u, text(u, 'status') == 'active')", requires: [who], verdict: benign_positive, reason: expected_business }
  escalate: { at_least: 0.9, reason: malicious_activity }
steps:
  - { id: who, tier: 1, tool: identity.get_user, args: { id: $user }, asks: "Who?" }
  - { id: again, tier: 2, tool: identity.get_user, args: { id: $user }, needs: [who], asks: "Who, again?" }
signals:
  - { id: known, lean: benign, weight: 4.0, when: "trusted.steps.who.complete && trusted.steps.who.rows.size() > 0", says: "known", evidence: [who] }
  - { id: loud, lean: malicious, weight: 6.0, when: "any.act.action == 'DeleteTrail'", says: "loud", techniques: [T1562.008] }
responses: [{ does: "Lock \"it\" | now.", d3fend: D3-AL, target: user }]
guidance: Look.
fallback: Look.
"#;

const OWN_TEST: &str = r#"
cases:
  - name: a person of ours
    mapping: panther
    alert: &alert
      {id: a1, rule_id: R.own, title: Own, severity: LOW, created_at: "2026-03-01T10:00:00Z", events: [{eventVersion: "1.11", eventID: e, eventTime: "2026-03-01T10:00:00Z", eventSource: s, eventName: TagResource, userIdentity: {type: IAMUser, arn: "arn:aws:iam::1:user/u", userName: u}}]}
    answers: { who: { rows: [{ id: u, status: active }] } }
    expect: { verdict: benign_positive, outcome: closed, close_allowed: true, tier: 1, speak: [known], silent: [loud] }
  - name: the directory is down
    mapping: panther
    alert: *alert
    answers: { who: failed }
    expect: { verdict: undetermined, outcome: escalated, close_allowed: false, silent: [known] }
  - name: the directory is cut short
    mapping: panther
    alert: *alert
    answers: { who: { rows: [{ id: u, status: active }], more: true } }
    expect: { verdict: undetermined, outcome: escalated, close_allowed: false }
"#;

#[test]
fn an_operators_playbook_is_listed_shown_checked_and_tested() {
    let dir = site(&[("own.yaml", OWN), ("tests/own.yaml", OWN_TEST)]);
    let (code, text, _) = run(dir.path(), &["list", "--json"]);
    let rows: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!((code, rows[0]["id"].as_str()), (Some(0), Some("own")));
    assert_eq!(rows[0]["from"], "own folder");
    let shipped = rows.iter().find(|r| r["id"] == "default").unwrap();
    assert_eq!(
        (&shipped["from"], &shipped["closes"]),
        (&Value::from("shipped"), &Value::from(false))
    );

    let (_, text, _) = run(dir.path(), &["show", "own"]);
    for part in [
        "tier 1, triage",
        "identity.get_user",
        "-4.0 known",
        "closes  as benign_positive at 5 % or less",
        "T1562.008",
        "D3-AL",
        "by hand",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (_, text, _) = run(dir.path(), &["show", "own", "--format", "mermaid"]);
    assert!(
        text.starts_with("flowchart TB\n")
            && text.contains("--> j1")
            && text.contains("\n  s1 --> s2\n"),
        "{text}"
    );
    assert!(text.contains("Lock #34;it#34; #124; now."), "{text}");
    let (_, text, _) = run(dir.path(), &["show", "own", "--format", "json"]);
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["steps"][1]["of"], "identity.get_user");
    assert_eq!(
        shown["signals"].as_array().unwrap().last().unwrap()["log_odds"],
        6.0
    );

    let (code, text, _) = run(dir.path(), &["check", "own"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("3 of 3 cases pass"), "{text}");
    assert_eq!(run(dir.path(), &["test", "nobody"]).0, Some(2));
    assert_eq!(run(dir.path(), &["show", "nobody"]).0, Some(2));
    let (code, _, said) = run(dir.path(), &["test", "default"]);
    assert!(
        code == Some(1) && said.contains("playbooks/tests/default.yaml"),
        "{said}"
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn what_is_wrong_is_told_with_its_place() {
    let file = |name: &str, text: &str| {
        let dir = site(&[]);
        std::fs::create_dir_all(dir.path().join("own")).unwrap();
        let at = dir.path().join(name);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(&at, text).unwrap();
        let (code, text, _) = run(dir.path(), &["check", &at.display().to_string()]);
        assert_eq!(code, Some(1), "{text}");
        text
    };
    let faults = file(
        "own.yaml",
        &OWN.replace("D3-AL", "AL").replace("$user", "$nobody"),
    );
    for part in [
        "own.yaml",
        "`AL` is not a D3FEND id",
        "`$nobody` is not a slot",
    ] {
        assert!(faults.contains(part), "{part}: {faults}");
    }
    assert!(file("own.yaml", &OWN.replace("prior: -1.0", "prier: -1.0")).contains("line 8"));

    let wrong = |from: &str, to: &str, said: &str| {
        let test = OWN_TEST.replacen(from, to, 1);
        assert_ne!(test, OWN_TEST, "{from} does not stand in the test");
        let dir = site(&[("own.yaml", OWN), ("tests/own.yaml", &test)]);
        let (code, text, _) = run(dir.path(), &["test", "own"]);
        assert!(code == Some(1) && text.contains(said), "{said}: {text}");
    };
    wrong(
        "verdict: benign_positive",
        "verdict: true_positive",
        "the verdict is benign_positive, expected true_positive",
    );
    wrong(
        "outcome: closed",
        "outcome: escalated",
        "the outcome is closed, expected escalated",
    );
    wrong(
        "speak: [known]",
        "speak: [loud]",
        "signal `loud` does not speak",
    );
    wrong("silent: [loud]", "silent: [known]", "signal `known` speaks");
    wrong(
        "tier: 1,",
        "tier: 1, techniques: [T1110],",
        "technique T1110 is not claimed",
    );
    wrong(
        "answers: { who:",
        "answers: { whom:",
        "answers `whom`, which is not a step of own",
    );
    wrong(
        "{ id: u, status: active }] } }",
        "{ id: u, status: active }] }, again: empty }",
        "answers `again` otherwise than a step that asks the same",
    );
    wrong(
        "mapping: panther",
        "mapping: nobody",
        "the alert can't be read",
    );
    wrong(
        "R.own",
        "R.other",
        "the playbook is generic-cloudtrail, expected own",
    );
    wrong("name: a person", "nome: a person", "unknown field `nome`");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_playbooks_pass_their_tests() {
    let outcomes = drill::run(&PathsConfig::default(), Which::Named(&[]))
        .await
        .unwrap();
    let failing: Vec<&Outcome> = outcomes.iter().filter(|o| !o.passed).collect();
    assert!(failing.is_empty(), "{failing:#?}");
    let mut families: Vec<&str> = outcomes.iter().map(|o| o.playbook.as_str()).collect();
    families.dedup();
    assert!(families.len() >= 12, "{families:?}");
    for family in families {
        let cases = outcomes.iter().filter(|o| o.playbook == family).count();
        assert!(cases >= 2, "{family} has one case alone");
    }
}

#[tokio::test]
async fn check_works_what_is_changed_and_sees_whose_alerts_are_taken() {
    let paths = |dir: &tempfile::TempDir| PathsConfig {
        playbooks: Some(dir.path().join("own")),
        ..PathsConfig::default()
    };
    let of = |outcomes: &[Outcome]| -> Vec<String> {
        let failed = outcomes.iter().filter(|o| !o.passed);
        let told = failed.map(|o| format!("{}: {}", o.playbook, o.faults.join("; ")));
        told.collect()
    };
    // An own playbook that takes what another is for.
    let thief = OWN.replace(
        "trusted.alert.rule_id == 'R.own'",
        "trusted.act.schema != 'x'",
    );
    let dir = site(&[("own.yaml", &thief)]);
    let taken = drill::run(&paths(&dir), Which::Changed).await.unwrap();
    let told = of(&taken);
    assert!(told.len() > 100, "{}", told.len());
    let named = "expected web-attack";
    assert!(told.iter().any(|t| t.contains(named)), "{told:?}");
    // A changed playbook is worked.
    let folder = agent::data::Folder::open(&agent::data::PLAYBOOKS, None).unwrap();
    let shipped = folder.list("", ".yaml").find(|f| f.stem() == "web-attack");
    let changed = shipped.unwrap().text.replace("prior: ", "prior: -9.0 # ");
    let dir = site(&[("web-attack.yaml", &changed)]);
    let worked = drill::run(&paths(&dir), Which::Changed).await.unwrap();
    let told = of(&worked);
    assert!(!told.is_empty(), "the prior is of no matter");
    assert!(
        told.iter().all(|t| t.starts_with("web-attack: ")),
        "{told:?}"
    );
}
