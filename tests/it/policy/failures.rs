//! A policy that fails refuses in bounded time, and what is wrong with one is told with its place.

use std::time::{Duration, Instant};

use agent::config::CloseMode;
use agent::policy::CallDecision;
use serde_json::json;
use state::model::ToolClass;
use tests::workbench::{Lab, USUAL, data, nightdesk, stderr, stdout};

use super::{call, close, own, policy};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

/// Longest a refusal may take here: the wait inside is two seconds, and the machine may be busy.
const BOUND: Duration = Duration::from_secs(20);

/// Rules that fail, and a part of the reason that people are told.
const FAILING: [(&str, &str); 15] = [
    ("answer := 1 if input.nothing", "no answer"),
    ("answer := \"allow\"", "another shape"),
    ("answer := true", "another shape"),
    (
        "answer := {\"decision\": \"maybe\", \"mode\": \"maybe\"}",
        "another shape",
    ),
    ("answer := {\"why\": \"forgotten\"}", "another shape"),
    (
        "answer := {\"decision\": \"allow\", \"mode\": \"auto\", \"also\": 1}",
        "another shape",
    ),
    (
        "answer := object.union(allowed, {\"why\": 1})",
        "another shape",
    ),
    (
        "answer := allowed if input.time.hour > 1\nanswer := {\"decision\": \"deny\", \"mode\": \"never\"} if input.time.hour > 2",
        "nightdesk.rego:",
    ),
    ("answer := allowed if 1 / 0 > 0", "nightdesk.rego:"),
    (
        "answer := allowed if to_number(\"x\") > 0",
        "nightdesk.rego:",
    ),
    (
        "answer := allowed if not http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1:9\"})",
        "http.send",
    ),
    (
        "answer := allowed if count(numbers.range(1, 1000000000000)) > 0",
        "not available here",
    ),
    (
        "answer := allowed if count(net.cidr_expand(\"10.0.0.0/8\")) > 0",
        "not available here",
    ),
    ("answer := allowed if time.now_ns() > 0", "input.time"),
    (
        "many := [1, 2, 3, 4, 5, 6, 7, 8, 9]\nanswer := allowed if count([1 | some a in many; some b in many; some c in many; some d in many; some e in many; some f in many; some g in many; some h in many; a + b + c + d + e + f + g + h == 0]) == 0",
        LATE,
    ),
];

/// Why there is no answer yet: another time there may be one.
const LATE: &str = "too long";

#[tokio::test]
async fn a_policy_that_fails_refuses_in_time_and_answers_the_next_question() {
    for (rules, reason) in FAILING {
        let policy = own(&format!(
            "allowed := {{\"decision\": \"allow\", \"mode\": \"auto\"}}\n{rules}\n\
             call := {{k: v | some k, v in answer; k != \"mode\"}} if {{ input.class == \"read_internal\"; is_object(answer) }}\n\
             call := answer if {{ input.class == \"read_internal\"; not is_object(answer) }}\n\
             call := {{\"decision\": \"allow\"}} if input.class == \"read_egress\"\n\
             close := {{k: v | some k, v in answer; k != \"decision\"}} if is_object(answer)\n\
             close := answer if not is_object(answer)\n"
        ));
        let began = Instant::now();
        let why = match policy.call(&call(ToolClass::ReadInternal)) {
            CallDecision::Deny(why) if reason != LATE => why,
            CallDecision::CannotTell(why) if reason == LATE => why,
            other => panic!("{rules}: {other:?}"),
        };
        assert!(why.contains(reason), "{rules}: {why}");
        let said = policy.close(&close());
        assert_eq!(said.mode, CloseMode::Never, "{rules}");
        assert!(said.why.contains(reason), "{rules}: {}", said.why);
        assert!(began.elapsed() < BOUND, "{rules}: {:?}", began.elapsed());
        let next = policy.call(&call(ToolClass::ReadEgress));
        assert_eq!(next, CallDecision::Allow, "{rules}");
    }
}

#[test]
fn faults_of_the_files_are_told_with_their_place() {
    const CLOSE: &str = "close := {\"mode\": \"never\"}\n";
    for (name, text, told) in [
        (
            "nightdesk.rego",
            "package nightdesk\n\ncall := {\n".to_owned(),
            "policy/nightdesk.rego:4:",
        ),
        (
            "site.rego",
            "package nightdesk\nx := y if z\n".to_owned(),
            "policy/site.rego:2:",
        ),
        ("site.rego", String::new(), "policy/site.rego"),
        (
            "nightdesk.rego",
            format!("package nightdesk\n{CLOSE}"),
            "data.nightdesk.call",
        ),
        (
            "nightdesk.rego",
            format!("package other\n{CLOSE}"),
            "data.nightdesk.close",
        ),
        (
            "more/site.rego",
            "package nightdesk\n".to_owned(),
            "policy/more/site.rego: is not read",
        ),
        (
            "site_test.rego",
            "package nightdesk\n".to_owned(),
            "outside of the package",
        ),
    ] {
        let faults = policy(&[(name, &text)]).unwrap_err().join("\n");
        assert!(faults.contains(told), "{name}: {faults}");
    }
}

#[tokio::test]
async fn unit_tests_pass_for_the_default_and_name_what_fails() {
    let shipped = policy(&[]).unwrap();
    let tests = shipped.self_test();
    assert!(tests.len() >= 10, "{tests:?}");
    assert!(tests.iter().all(|t| t.passed), "{tests:?}");

    let more = policy(&[(
        "site_test.rego",
        "package site_test\nimport data.nightdesk\n\
         test_holds if nightdesk.reading\n\
         test_is_undefined if 1 == 2\n\
         test_is_false := false\n\
         test_fails if to_number(\"x\")\n\
         helper := false\n",
    )])
    .unwrap();
    assert_eq!(more.version(), shipped.version(), "tests decide nothing");
    let ended = more.self_test();
    let own: Vec<_> = ended
        .iter()
        .filter(|t| t.file == "policy/site_test.rego")
        .map(|t| (t.name.as_str(), t.passed))
        .collect();
    assert_eq!(
        own,
        [
            ("test_fails", false),
            ("test_holds", true),
            ("test_is_false", false),
            ("test_is_undefined", false)
        ]
    );
}

#[test]
fn check_tells_of_the_policy_and_of_each_failing_test() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let dir = lab.path().join("work");
    let own = dir.join("policy");
    std::fs::create_dir_all(&own).unwrap();
    let store = format!("sqlite:{}", dir.join("s.db").display());
    let text = agent::eval::lab_settings(PROGRAM.as_ref(), lab.path(), &store).unwrap();
    let paths = json!({"playbooks": data("playbooks"), "policy": own});
    let paths = format!(
        "[paths]\nplaybooks = {}\npolicy = {}\n",
        paths["playbooks"], paths["policy"]
    );
    std::fs::write(dir.join("nightdesk.toml"), format!("{text}\n{paths}")).unwrap();
    let check = || {
        let output = nightdesk(PROGRAM, &dir, &["check"]).unwrap();
        (output.status.code(), stdout(&output))
    };

    let (code, told) = check();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("ok   policy: version "), "{told}");
    assert!(told.contains(", as built in, "), "{told}");

    let rules = "package nightdesk\nclose_propose contains \"always\" if true\n";
    std::fs::write(own.join("site.rego"), rules).unwrap();
    let (code, told) = check();
    assert_eq!(code, Some(1), "{told}");
    let failing = "FAIL policy test test_the_configured_mode_holds: policy/nightdesk_test.rego: ";
    assert!(told.contains(failing), "{told}");

    let tests = "package nightdesk_test\nimport data.nightdesk\n\
                 test_proposed if \"always\" in nightdesk.close_propose\n";
    std::fs::write(own.join("nightdesk_test.rego"), tests).unwrap();
    let (code, told) = check();
    assert_eq!(code, Some(0), "{told}");
    let over = "overridden: policy/nightdesk_test.rego, policy/site.rego, 1 of 1 unit tests pass";
    assert!(told.contains(over), "{told}");

    std::fs::write(
        own.join("site.rego"),
        "package nightdesk\nclose_propose if {\n",
    )
    .unwrap();
    let (code, told) = check();
    assert_eq!(code, Some(78), "{told}");
    assert!(told.contains("policy/site.rego:3:"), "{told}");
    let run = nightdesk(PROGRAM, &dir, &["run", "--once"]).unwrap();
    assert_eq!(run.status.code(), Some(78), "{}", stderr(&run));
}
