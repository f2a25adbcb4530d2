//! The policy: what the default says, and that an operator's can only narrow; how it fails is `failures`.

mod failures;

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
        says: None,
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
        CallDecision::CannotTell(_) => "cannot tell",
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
        let said = policy.call(&input);
        assert_eq!(word(&said), expected, "{class} {asked_by:?} {raise}");
    }
    let poll = CallInput {
        asked_by: Asker::Daemon,
        tier: None,
        case: None,
        ..call(ToolClass::ReadInternal)
    };
    assert_eq!(policy.call(&poll), CallDecision::Allow);
}

#[tokio::test]
async fn the_default_closes_as_configured_below_the_severest() {
    let policy = policy(&[]).unwrap();
    for (severity, expected) in [
        (Severity::Unknown, CloseMode::Auto),
        (Severity::Low, CloseMode::Auto),
        (Severity::High, CloseMode::Auto),
        (Severity::Critical, CloseMode::Auto),
        (Severity::Fatal, CloseMode::Propose),
    ] {
        let mut input = close();
        input.case.severity = severity;
        assert_eq!(policy.close(&input).mode, expected, "{severity}");
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
        let said = policy.close(&input);
        assert_eq!(said.mode, expected, "{kind} {criticality}: {}", said.why);
    }
    let suspicious = CloseInput {
        verdict: VerdictKind::Suspicious,
        ..close()
    };
    assert_eq!(policy.close(&suspicious).mode, CloseMode::Never);
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
        policy.call(&saturday),
        CallDecision::Deny("no live effects at the weekend".to_owned())
    );
    let dry = CallInput {
        live: false,
        ..saturday
    };
    assert_eq!(policy.call(&dry), CallDecision::Allow);
    let watched = CallInput {
        tool: "crm.search".to_owned(),
        ..call(ToolClass::ReadInternal)
    };
    assert_eq!(
        policy.call(&watched),
        CallDecision::Approval("this tool is watched".to_owned())
    );
    let mut input = close();
    assert_eq!(policy.close(&input).mode, CloseMode::Auto);
    input.case.sources.push("mail".to_owned());
    assert_eq!(policy.close(&input).mode, CloseMode::Propose);
    input.case.rules[0].id = "break-glass".to_owned();
    assert_eq!(
        policy.close(&input),
        CloseDecision {
            mode: CloseMode::Never,
            why: "always for a person".to_owned()
        }
    );
}

#[tokio::test]
async fn no_answer_of_a_policy_widens_the_mode() {
    let modes = [CloseMode::Never, CloseMode::Propose, CloseMode::Auto];
    for (word, says) in [
        ("never", modes[0]),
        ("propose", modes[1]),
        ("auto", modes[2]),
    ] {
        let policy = own(&format!(
            "call := {{\"decision\": \"allow\"}}\nclose := {{\"mode\": \"{word}\"}}"
        ));
        for mode in modes {
            let input = CloseInput { mode, ..close() };
            let said = policy.close(&input);
            assert_eq!(
                said.mode,
                says.min(mode),
                "policy {word}, configured {mode:?}"
            );
        }
    }
}

/// The fenced Rego of the folder's README: further rules, then their unit test.
fn examples() -> [String; 2] {
    let readme = POLICY.get_file("README.md").unwrap();
    let text = readme.contents_utf8().unwrap();
    let blocks = text.split("```rego\n").skip(1);
    let blocks: Vec<String> = blocks
        .map(|b| b.split("```").next().unwrap().to_owned())
        .collect();
    blocks.try_into().unwrap()
}

#[tokio::test]
async fn the_examples_of_the_readme_do_what_they_say() {
    let [rules, test] = examples();
    let policy = policy(&[("site.rego", &rules), ("site_test.rego", &test)]).unwrap();
    let ended = policy.self_test();
    assert!(ended.iter().any(|t| t.file == "policy/site_test.rego"));
    assert!(ended.iter().all(|t| t.passed), "{ended:?}");

    let mut input = close();
    input.case.sources = vec!["mail".to_owned()];
    assert_eq!(policy.close(&input).mode, CloseMode::Propose);
    input.case.rules[0].id = "break-glass-login".to_owned();
    assert_eq!(policy.close(&input).mode, CloseMode::Never);

    let sample = CallInput {
        tool: "intel.submit_sample".to_owned(),
        ..call(ToolClass::ReadEgress)
    };
    assert_eq!(word(&policy.call(&sample)), "approval");
    for (day, live, expected) in [
        ("2026-03-07", true, "deny"),
        ("2026-03-08", true, "deny"),
        ("2026-03-07", false, "allow"),
        ("2026-03-09", true, "allow"),
    ] {
        let input = CallInput {
            raise: true,
            live,
            time: noon(day),
            ..call(ToolClass::Write)
        };
        assert_eq!(word(&policy.call(&input)), expected, "{day} {live}");
    }
}
