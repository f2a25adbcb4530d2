//! The policy: what the default says, that an operator's can only narrow, and that every failure is a refusal in bounded time.

use std::time::{Duration, Instant};

use agent::config::CloseMode;
use agent::data::{Folder, POLICY};
use agent::policy::{
    Asker, Asset, CallDecision, CallInput, CaseFacts, CloseDecision, CloseInput, Moment, Policy,
};
use serde_json::json;
use state::model::{
    Analyst, CaseId, Entity, EntityKind, Role, Rule, Severity, Tier, Time, ToolClass, Trust,
    VerdictKind,
};

/// Longest a refusal may take here: the wait inside is two seconds, and the machine may be busy.
const BOUND: Duration = Duration::from_secs(20);

/// The built-in policy with an operator's files over it.
fn policy(files: &[(&str, &str)]) -> Result<Policy, Vec<String>> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Policy::load(&Folder::open(&POLICY, Some(dir.path())).unwrap())
}

/// A policy whose two rules are written out here instead of the built-in ones.
fn own(rules: &str) -> Policy {
    policy(&[
        ("nightdesk.rego", &format!("package nightdesk\n{rules}")),
        ("nightdesk_test.rego", "package nightdesk_test\n"),
    ])
    .unwrap()
}

/// A file of further rules beside the built-in policy.
fn beside(rules: &str) -> Policy {
    policy(&[("site.rego", &format!("package nightdesk\n{rules}"))]).unwrap()
}

fn noon(day: &str) -> Moment {
    let time: Time = format!("{day}T12:00:00Z").parse().unwrap();
    Moment::at(time)
}

fn facts() -> CaseFacts {
    CaseFacts {
        id: CaseId(7),
        sources: vec!["siem".to_owned()],
        rules: vec![Rule {
            id: "sign-in".to_owned(),
            name: "Sign-in from a new address".to_owned(),
            groups: vec!["okta".to_owned()],
        }],
        severity: Severity::High,
        assets: Vec::new(),
        entities: vec![Entity {
            kind: EntityKind::User,
            value: "ana@corp.example".to_owned(),
            role: Role::Principal,
            trust: Trust::Trusted,
        }],
    }
}

fn call(class: ToolClass) -> CallInput {
    CallInput {
        tool: "crm.update".to_owned(),
        server: "crm".to_owned(),
        class,
        tier: Some(Tier::One),
        asked_by: Asker::Playbook,
        arguments: json!({"user": "ana@corp.example"}),
        target: None,
        raise: false,
        live: true,
        case: Some(facts()),
        time: noon("2026-03-04"),
    }
}

fn close() -> CloseInput {
    CloseInput {
        mode: CloseMode::Auto,
        case: facts(),
        verdict: VerdictKind::BenignPositive,
        confidence: 95,
        probability: 0.02,
        playbook: "identity".to_owned(),
        tier: Tier::One,
        analyst: Analyst::Playbook,
        time: noon("2026-03-04"),
    }
}

fn word(decision: &CallDecision) -> &'static str {
    match decision {
        CallDecision::Allow => "allow",
        CallDecision::Approval(_) => "approval",
        CallDecision::Deny(_) => "deny",
    }
}

#[tokio::test]
async fn the_default_reads_freely_and_asks_before_changes() {
    use ToolClass::{Destructive, ReadEgress, ReadInternal, Suppress, Write};
    let policy = policy(&[]).unwrap();
    for (class, asked_by, raise, expected) in [
        (ReadInternal, Asker::Playbook, false, "allow"),
        (ReadInternal, Asker::Model, false, "allow"),
        (ReadEgress, Asker::Daemon, false, "allow"),
        (Write, Asker::Playbook, true, "allow"),
        (Write, Asker::Model, true, "allow"),
        (Write, Asker::Playbook, false, "approval"),
        (Write, Asker::Model, false, "deny"),
        (Suppress, Asker::Playbook, false, "approval"),
        (Suppress, Asker::Playbook, true, "approval"),
        (Suppress, Asker::Model, false, "deny"),
        (Destructive, Asker::Person, false, "approval"),
        (Destructive, Asker::Model, false, "deny"),
    ] {
        let input = CallInput {
            asked_by,
            raise,
            ..call(class)
        };
        let said = policy.call(&input).await;
        assert_eq!(word(&said), expected, "{class} {asked_by:?} {raise}");
    }
    let poll = CallInput {
        asked_by: Asker::Daemon,
        tier: None,
        case: None,
        ..call(ToolClass::ReadInternal)
    };
    assert_eq!(policy.call(&poll).await, CallDecision::Allow);
}

#[tokio::test]
async fn the_default_closes_as_configured_below_the_severest() {
    let policy = policy(&[]).unwrap();
    for (severity, expected) in [
        (Severity::Unknown, CloseMode::Auto),
        (Severity::Low, CloseMode::Auto),
        (Severity::High, CloseMode::Auto),
        (Severity::Critical, CloseMode::Propose),
        (Severity::Fatal, CloseMode::Propose),
    ] {
        let mut input = close();
        input.case.severity = severity;
        assert_eq!(policy.close(&input).await.mode, expected, "{severity}");
    }
    for (kind, criticality, expected) in [
        (EntityKind::Host, "critical", CloseMode::Propose),
        (EntityKind::Resource, "CRITICAL", CloseMode::Propose),
        (EntityKind::Host, "high", CloseMode::Auto),
        (EntityKind::Account, "critical", CloseMode::Auto),
    ] {
        let mut input = close();
        input.case.assets.push(Asset {
            kind,
            value: "thing".to_owned(),
            criticality: criticality.to_owned(),
        });
        let said = policy.close(&input).await;
        assert_eq!(said.mode, expected, "{kind} {criticality}: {}", said.why);
    }
    let suspicious = CloseInput {
        verdict: VerdictKind::Suspicious,
        ..close()
    };
    assert_eq!(policy.close(&suspicious).await.mode, CloseMode::Never);
}

#[tokio::test]
async fn a_file_beside_the_default_narrows_it() {
    let policy = beside(
        r#"
call_denied contains "no live effects at the weekend" if {
	input.class in effects
	input.live
	input.time.weekday in {"saturday", "sunday"}
}
call_approval contains "this tool is watched" if input.tool == "crm.search"
close_never contains "always for a person" if {
	some rule in input.case.rules
	rule.id == "break-glass"
}
close_propose contains "new source" if "mail" in input.case.sources
"#,
    );
    assert_ne!(
        policy.version(),
        Policy::load(&Folder::open(&POLICY, None).unwrap())
            .unwrap()
            .version()
    );
    let saturday = CallInput {
        time: noon("2026-03-07"),
        raise: true,
        ..call(ToolClass::Write)
    };
    assert_eq!(
        policy.call(&saturday).await,
        CallDecision::Deny("no live effects at the weekend".to_owned())
    );
    let dry = CallInput {
        live: false,
        ..saturday
    };
    assert_eq!(policy.call(&dry).await, CallDecision::Allow);
    let watched = CallInput {
        tool: "crm.search".to_owned(),
        ..call(ToolClass::ReadInternal)
    };
    assert_eq!(
        policy.call(&watched).await,
        CallDecision::Approval("this tool is watched".to_owned())
    );
    let mut input = close();
    assert_eq!(policy.close(&input).await.mode, CloseMode::Auto);
    input.case.sources.push("mail".to_owned());
    assert_eq!(policy.close(&input).await.mode, CloseMode::Propose);
    input.case.rules[0].id = "break-glass".to_owned();
    assert_eq!(
        policy.close(&input).await,
        CloseDecision {
            mode: CloseMode::Never,
            why: "always for a person".to_owned()
        }
    );
}

#[tokio::test]
async fn no_answer_of_a_policy_widens_the_mode() {
    let modes = [CloseMode::Never, CloseMode::Propose, CloseMode::Auto];
    for (word, says) in [("never", modes[0]), ("propose", modes[1]), ("auto", modes[2])] {
        let policy = own(&format!(
            "call := {{\"decision\": \"allow\"}}\nclose := {{\"mode\": \"{word}\"}}"
        ));
        for mode in modes {
            let input = CloseInput { mode, ..close() };
            let said = policy.close(&input).await;
            assert_eq!(said.mode, says.min(mode), "policy {word}, configured {mode:?}");
        }
    }
}

/// Rules that fail, and a part of the reason that people are told.
const FAILING: [(&str, &str); 14] = [
    ("answer := 1 if input.nothing", "no answer"),
    ("answer := \"allow\"", "another shape"),
    ("answer := true", "another shape"),
    ("answer := {\"decision\": \"maybe\", \"mode\": \"maybe\"}", "another shape"),
    ("answer := {\"why\": \"forgotten\"}", "another shape"),
    ("answer := {\"decision\": \"allow\", \"mode\": \"auto\", \"also\": 1}", "another shape"),
    ("answer := object.union(allowed, {\"why\": 1})", "another shape"),
    ("answer := allowed\nanswer := {\"decision\": \"deny\", \"mode\": \"never\"}", "nightdesk.rego:"),
    ("answer := allowed if 1 / 0 > 0", "nightdesk.rego:"),
    ("answer := allowed if to_number(\"x\") > 0", "nightdesk.rego:"),
    ("answer := allowed if not http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1:9\"})", "http.send"),
    ("answer := allowed if count(numbers.range(1, 1000000000000)) > 0", "not available here"),
    ("answer := allowed if time.now_ns() > 0", "input.time"),
    (
        "many := [1, 2, 3, 4, 5, 6, 7, 8, 9]\nanswer := allowed if count([1 | some a in many; some b in many; some c in many; some d in many; some e in many; some f in many; some g in many; some h in many; a + b + c + d + e + f + g + h == 0]) == 0",
        "too long",
    ),
];

#[tokio::test]
async fn a_policy_that_fails_refuses_in_time_and_answers_the_next_question() {
    for (rules, reason) in FAILING {
        let policy = own(&format!(
            "allowed := {{\"decision\": \"allow\", \"mode\": \"auto\"}}\n{rules}\n\
             call := {{k: v | some k, v in answer; k != \"mode\"}} if {{ is_object(answer); input.class == \"read_internal\" }}\n\
             call := answer if {{ not is_object(answer); input.class == \"read_internal\" }}\n\
             call := {{\"decision\": \"allow\"}} if input.class == \"read_egress\"\n\
             close := {{k: v | some k, v in answer; k != \"decision\"}} if is_object(answer)\n\
             close := answer if not is_object(answer)\n"
        ));
        let began = Instant::now();
        let CallDecision::Deny(why) = policy.call(&call(ToolClass::ReadInternal)).await else {
            panic!("{rules}: not denied");
        };
        assert!(why.contains(reason), "{rules}: {why}");
        let said = policy.close(&close()).await;
        assert_eq!(said.mode, CloseMode::Never, "{rules}");
        assert!(said.why.contains(reason), "{rules}: {}", said.why);
        assert!(began.elapsed() < BOUND, "{rules}: {:?}", began.elapsed());
        let next = policy.call(&call(ToolClass::ReadEgress)).await;
        assert_eq!(next, CallDecision::Allow, "{rules}");
    }
}

#[test]
fn faults_of_the_files_are_told_with_their_place() {
    const CLOSE: &str = "close := {\"mode\": \"never\"}\n";
    for (name, text, told) in [
        ("nightdesk.rego", "package nightdesk\n\ncall := {\n".to_owned(), "policy/nightdesk.rego:4:"),
        ("site.rego", "package nightdesk\nx := y if z\n".to_owned(), "policy/site.rego:2:"),
        ("site.rego", String::new(), "policy/site.rego"),
        ("nightdesk.rego", format!("package nightdesk\n{CLOSE}"), "data.nightdesk.call"),
        ("nightdesk.rego", format!("package other\n{CLOSE}"), "data.nightdesk.close"),
        ("more/site.rego", "package nightdesk\n".to_owned(), "policy/more/site.rego: is not read"),
        ("site_test.rego", "package nightdesk\n".to_owned(), "outside of the package"),
    ] {
        let faults = policy(&[(name, &text)]).unwrap_err().join("\n");
        assert!(faults.contains(told), "{name}: {faults}");
    }
}

#[tokio::test]
async fn unit_tests_pass_for_the_default_and_name_what_fails() {
    let shipped = policy(&[]).unwrap();
    let tests = shipped.self_test().await;
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
    let ended = more.self_test().await;
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
