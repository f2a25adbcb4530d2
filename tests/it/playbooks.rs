//! The playbook loader: the shipped library loads, and what must be refused is, with a message that names the fault.

use agent::config::Config;
use agent::daemon::data;

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
        "title: Trial",
        "title: Trial\nuse: [no-such-group]",
        "no shared/no-such-group.yaml",
    ),
];

/// What the loader says when an operator's folder holds this file.
fn faults(name: &str, text: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(name), text).unwrap();
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
    assert!(library.entries().len() >= 20);
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
