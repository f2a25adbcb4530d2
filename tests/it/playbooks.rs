//! The playbook loader: the shipped library loads, and what must be refused is, with a message that names the fault.

use agent::config::Config;
use agent::daemon::data;
use agent::playbook::Lean;

/// A playbook that is right, in which each row of the table breaks one thing.
const GOOD: &str = r#"
id: trial
title: Trial
select: trusted.alert.rule_id == 'trial'
scoring:
  prior: 0.0
  close: { at_most: 0.1, requires: [who], verdict: benign_positive, reason: expected_business }
  escalate: { at_least: 0.9, reason: malicious_activity }
steps:
  - { id: who, tier: 1, tool: identity.get_user, args: { id: $user }, asks: "Who?" }
  - { id: more, tier: 2, tool: intel.lookup_indicator, args: { value: $src_ip }, needs: [who], asks: "Known?" }
signals:
  - { id: good, lean: benign, weight: 1.0, when: trusted.steps.who.count > 0, says: "known", evidence: [who] }
  - { id: bad, lean: malicious, weight: 1.0, when: any.act.user_agent == 'x', says: "odd", techniques: [T1078] }
fallback: Look.
"#;

/// What is changed, into what, and what the loader must say of it.
const BROKEN: &[(&str, &str, &str)] = &[
    ("needs: [who]", "needs: [more]", "on a cycle"),
    ("needs: [who]", "needs: [nobody]", "which is not a step"),
    ("id: who, tier: 1", "id: who, tier: 3", "never reached"),
    ("id: more", "id: who", "two steps are called `who`"),
    (
        "when: trusted.steps.who.count > 0",
        "when: any.steps.who.count > 0",
        "leans benign and reads `any`",
    ),
    (
        "when: trusted.steps.who.count > 0",
        "when: trusted.act.user == any.act.user",
        "leans benign and reads `any`",
    ),
    (
        "select: trusted.alert.rule_id",
        "select: any.alert.rule_id",
        "selector may read `trusted` only",
    ),
    (
        "requires: [who]",
        "when: any.act.user == 'x'",
        "closing may read `trusted` only",
    ),
    (
        "requires: [who]",
        "requires: [nobody]",
        "`close.requires` names `nobody`",
    ),
    ("at_most: 0.1", "at_most: 0.9", "from 0 to 0.3"),
    (
        "verdict: benign_positive",
        "verdict: true_positive",
        "only benign_positive and false_positive close",
    ),
    ("tool: identity.get_user", "tool: get_user", "is not a tool"),
    (
        "tool: identity.get_user",
        "query: nothing_like_it",
        "no query `nothing_like_it`",
    ),
    ("id: $user", "id: $nobody", "is not a slot"),
    (
        "args: { id: $user }",
        "baseline: 24h, args: { id: $user }",
        "goes with a query",
    ),
    (
        "tool: intel.lookup_indicator, args: { value: $src_ip }",
        "query: history_of, baseline: 24h, args: { value: $src_ip, until: 2h }",
        "`value` and nothing else",
    ),
    (
        "tool: intel.lookup_indicator,",
        "query: history_of, baseline: 1m,",
        "lies between 1h and 7d",
    ),
    ("[T1078]", "[T9999]", "not in attack/techniques.csv"),
    (
        "weight: 1.0, when: any",
        "weight: -1.0, when: any",
        "above 0",
    ),
    ("id: trial", "id: other", "the file is called `trial`"),
    ("fallback: Look.", "fallback: ''", "`fallback` is empty"),
    (
        "fallback: Look.",
        "fallback: Look.\nfalback: x",
        "unknown field",
    ),
    (
        "when: any.act.user_agent == 'x'",
        "when: any.act.user_agent ==",
        "is not a CEL condition",
    ),
    (
        "select: trusted.alert.rule_id == 'trial'",
        "select: >-\n  is(no_such_term)",
        "`is(no_such_term)`: there is no such term",
    ),
    (
        "when: trusted.steps.who.count > 0",
        "when: is(usual_address)",
        "line 13: a condition with `is(…)` is written as block text",
    ),
    (
        "fallback: Look.",
        "responses: [{ does: Lock it., d3fend: D3-al }]\nfallback: Look.",
        "`D3-al` is not a D3FEND id",
    ),
    (
        "title: Trial",
        "title: Trial\nuse: [no-such-group]",
        "no shared/no-such-group.yaml",
    ),
];

/// What the loader says when an operator's folder holds this file.
fn faults(name: &str, text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
    let mut config = Config::default();
    config.paths.playbooks = Some(dir.path().to_owned());
    data(&config).map_or_else(|faults| faults.to_string(), |_| String::new())
}

#[test]
fn what_must_be_refused_is_refused_by_name() {
    assert_eq!(faults("trial.yaml", GOOD), "");
    for (from, to, said) in BROKEN {
        let broken = GOOD.replacen(from, to, 1);
        assert_ne!(broken, GOOD, "{from} does not stand in the playbook");
        let found = faults("trial.yaml", &broken);
        assert!(
            found.contains("trial.yaml") && found.contains(said),
            "{to}: expected {said:?}, got {found:?}"
        );
    }
}

#[test]
fn the_default_catches_everything_and_never_closes() {
    let library = data(&Config::default()).unwrap().library;
    assert!(library.entries().len() >= 55);
    for entry in library
        .entries()
        .iter()
        .filter(|e| e.playbook.id != "default")
    {
        let p = &entry.playbook;
        assert!(!p.responses.is_empty(), "{} proposes nothing", p.id);
        assert!(!p.guidance.trim().is_empty(), "{} guides nobody", p.id);
        let close = p.scoring.close.as_ref();
        assert!(
            close.is_some_and(|c| c.when.is_some()),
            "{} closes without a reason",
            p.id
        );
        let leans = |lean| p.signals.iter().any(|s| s.lean == lean);
        assert!(
            leans(Lean::Benign) && leans(Lean::Malicious),
            "{} looks one way",
            p.id
        );
    }
    assert!(
        library
            .get("default")
            .unwrap()
            .playbook
            .scoring
            .close
            .is_none()
    );
    let closing = GOOD.replace("id: trial", "id: default");
    assert!(faults("default.yaml", &closing).contains("the default never closes"));
}

#[test]
fn terms_are_checked_and_a_condition_is_told_as_it_was_written() {
    let terms = |text: &str| faults("terms/own.yaml", text);
    let term = |when: &str| format!("own_term: {{ means: Mine, when: \"{when}\" }}");
    assert_eq!(terms(&term("is(usual_address) || is(listed_address)")), "");
    for (text, said) in [
        (term("is(own_term) || true"), "it stands in itself"),
        (term("is(nothing_like_it)"), "there is no such term"),
        (
            term("true").replace("own_term", "usual_address"),
            "is defined twice",
        ),
        (term("true").replace("means", "meens"), "unknown field"),
    ] {
        let found = terms(&text);
        assert!(
            found.contains("terms/own.yaml") && found.contains(said),
            "{text}: {found}"
        );
    }
    let library = data(&Config::default()).unwrap().library;
    let close = &library
        .get("identity-sign-in")
        .unwrap()
        .playbook
        .scoring
        .close;
    let when = close.as_ref().unwrap().when.as_ref().unwrap();
    assert!(when.source().contains("usual_addresses") && !when.source().contains("is("));
    let told = library.in_terms(when.source());
    assert!(told.contains("is(listed_address)") && !told.contains("usual_addresses"));
}

#[test]
fn every_function_of_conditions_is_taught_and_used() {
    let text = |path: &str| std::fs::read_to_string(crate::tidy::root().join(path)).unwrap();
    let source = text("agent/src/playbook/functions.rs");
    let calls = source.split("overload(").skip(1);
    let named = calls.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    let declared: Vec<&str> = named.collect();
    assert!(declared.len() >= 7, "{declared:?}");
    let taught = text("playbooks/README.md");
    let mut files = Vec::new();
    crate::tidy::files(&crate::tidy::root().join("playbooks"), ".yaml", &mut files);
    let read = |file| std::fs::read_to_string(file).unwrap();
    let playbooks: String = files.iter().map(read).collect();
    for name in declared {
        let call = format!("{name}(");
        assert!(
            taught.contains(&call) || taught.contains(&format!("`{name}`")),
            "playbooks/README.md does not teach {name}"
        );
        assert!(playbooks.contains(&call), "no playbook uses {name}");
    }
}
