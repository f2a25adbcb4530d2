//! What somebody outside can write, flood, wait for or leave unsaid: none of it makes an alert look harmless.

use agent::config::Config;
use agent::eval::run_lab;
use agent::report::AlertResult;
use serde_json::{Value, json};
use state::model::Outcome;
use tempfile::TempDir;
use tests::workbench::{Lab, STRANGE, USUAL, data, scenario_config};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");
const USER: &str = "ana@corp.example";

/// The scenario's own playbook after a change, as the only one of the operator's.
fn changed(change: impl Fn(String) -> String) -> (TempDir, Config) {
    let dir = TempDir::new().unwrap();
    let text = std::fs::read_to_string(data("playbooks").join("scenario.yaml")).unwrap();
    let changed = change(text.clone());
    assert_ne!(changed, text, "nothing was changed");
    std::fs::write(dir.path().join("scenario.yaml"), changed).unwrap();
    let mut config = scenario_config();
    config.paths.playbooks = Some(dir.path().to_owned());
    (dir, config)
}

async fn worked(lab: &Lab, config: Config) -> Vec<AlertResult> {
    let report = run_lab(PROGRAM.as_ref(), lab.path(), (config, None)).await;
    let report = report.unwrap();
    assert_eq!(report.rejected, Vec::<String>::new());
    report.alerts
}

/// The outcome of the alert with this number.
fn outcome(all: &[AlertResult], n: usize) -> Outcome {
    let id = format!("alert-{n}");
    let found = all.iter().find(|a| a.subject.source_alert_id == id);
    found.unwrap().judgement.outcome
}

/// The scenario's alert about this event in place of its own.
fn about(event: Value) -> Lab {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let mut alerts = lab.read("alerts.jsonl").unwrap();
    alerts[0]["events"] = json!([event]);
    lab.lines("alerts.jsonl", &alerts).unwrap();
    lab
}

#[tokio::test]
async fn an_address_that_the_caller_wrote_is_not_where_it_came_from() {
    // The addresses of an audit event of Kubernetes begin with what the caller forwards.
    let forwarded = json!({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "1f6a9c3e-7a1b-4b57-9c1d-0a2b3c4d5e6f",
        "stage": "ResponseComplete", "verb": "get", "requestURI": "/api/v1/namespaces/kube-system/secrets/cluster-admin-token",
        "user": {"username": USER}, "sourceIPs": [USUAL], "userAgent": "kubectl/v1.29", "responseStatus": {"code": 200},
        "objectRef": {"resource": "secrets", "namespace": "kube-system", "name": "cluster-admin-token"},
        "requestReceivedTimestamp": "2026-03-02T01:00:00.000000Z", "stageTimestamp": "2026-03-02T01:00:00.100000Z"});
    let all = worked(&about(forwarded), scenario_config()).await;
    assert_ne!(outcome(&all, 0), Outcome::Closed, "{:?}", all[0]);
    // What the identity provider saw counts.
    let seen = worked(&Lab::scenario(&[USUAL]).unwrap(), scenario_config()).await;
    assert_eq!(outcome(&seen, 0), Outcome::Closed, "{:?}", seen[0]);
}

/// Sign-ins and, an hour before the alert, a rejected push, with so many harmless events between.
fn flooded(between: usize) -> Lab {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let mut logs = lab.read("logs/okta.jsonl").unwrap();
    let like = logs.last().unwrap().clone();
    let at = |minute: usize, second: usize| format!("2026-03-02T00:{minute:02}:{second:02}.000Z");
    let mut add = |uid: String, time: String, kind: &str, result: &str| {
        let mut event = like.clone();
        for (key, value) in [
            ("uuid", &uid),
            ("event_uid", &uid),
            ("published", &time),
            ("event_time", &time),
        ] {
            event[key] = json!(value);
        }
        event["eventType"] = json!(kind);
        event["outcome"] = json!({"result": result});
        logs.push(event);
    };
    add(
        "r1".to_owned(),
        at(5, 0),
        "user.authentication.auth_via_mfa",
        "FAILURE",
    );
    for n in 0..between {
        add(
            format!("f{n}"),
            at(30 + n / 60, n % 60),
            "user.authentication.sso",
            "SUCCESS",
        );
    }
    lab.lines("logs/okta.jsonl", &logs).unwrap();
    lab
}

#[tokio::test]
async fn a_flood_of_events_hides_none() {
    let step = "  - { id: near, tier: 1, query: events_of, args: { value: $user, before: 2h, after: 0s, limit: 120 }, asks: \"What else?\" }\n";
    let signal = "signals:\n  - { id: rejected, lean: malicious, weight: 5.0, evidence: [near], says: \"a push was rejected\", \
        when: \"any.steps.near.rows.exists(r, r.outcome == 'failure')\" }\n";
    for (between, weighed) in [(20, true), (140, false)] {
        let (_dir, config) = changed(|t| {
            t.replace("steps:\n", &format!("steps:\n{step}"))
                .replace("signals:\n", signal)
        });
        let all = worked(&flooded(between), config).await;
        assert_ne!(outcome(&all, 0), Outcome::Closed, "{between}: {:?}", all[0]);
        let heard = all[0].reasons.iter().any(|r| r.contains("rejected"));
        assert_eq!(heard, weighed, "{between}: {:?}", all[0]);
        let cut = all[0].gaps.iter().any(|g| g.contains("incomplete"));
        assert_eq!(cut, !weighed, "{between}: {:?}", all[0]);
    }
    // A whole answer in which nothing speaks against it still closes.
    let (_dir, config) = changed(|t| t.replace("steps:\n", &format!("steps:\n{step}")));
    let all = worked(&flooded(110), config).await;
    assert_eq!(outcome(&all, 0), Outcome::Closed, "{:?}", all[0]);
}

#[tokio::test]
async fn intelligence_in_any_bad_word_forbids_the_close() {
    for (word, closes) in [
        ("unknown", true),
        ("benign", true),
        ("botnet", false),
        ("phishing", false),
    ] {
        let lab = Lab::scenario(&[USUAL]).unwrap();
        let known = json!({"value": USUAL, "kind": "ip", "verdict": word});
        lab.lines("intel.jsonl", &[known]).unwrap();
        let all = worked(&lab, scenario_config()).await;
        assert_eq!(
            outcome(&all, 0) == Outcome::Closed,
            closes,
            "{word}: {:?}",
            all[0]
        );
    }
}

#[tokio::test]
async fn who_waits_behind_an_open_suspicion_is_not_closed() {
    // The first is merely suspicious and nobody answers; the second comes three days later.
    let later = |lab: Lab| {
        let mut alerts = lab.read("alerts.jsonl").unwrap();
        let text = alerts[1]
            .to_string()
            .replace("2026-03-02T02", "2026-03-05T02");
        alerts[1] = serde_json::from_str(&text).unwrap();
        lab.lines("alerts.jsonl", &alerts).unwrap();
        let manifest = std::fs::read_to_string(lab.path().join("lab.toml")).unwrap();
        lab.write(
            "lab.toml",
            &manifest.replace("2026-03-02T12", "2026-03-06T12"),
        )
        .unwrap();
        lab
    };
    for (first, closes) in [(STRANGE, false), (USUAL, true)] {
        let (_dir, config) = changed(|t| t.replace("weight: 2.0", "weight: 1.0"));
        let all = worked(&later(Lab::scenario(&[first, USUAL]).unwrap()), config).await;
        if !closes {
            assert_eq!(
                all[0].judgement.verdict.as_str(),
                "suspicious",
                "{:?}",
                all[0]
            );
        }
        assert_eq!(outcome(&all, 1) == Outcome::Closed, closes, "{:?}", all[1]);
    }
}

#[tokio::test]
async fn what_speaks_for_it_is_proposed_beside_hints_alone() {
    let playbook = |against: &[f64]| {
        let hint = |(n, weight): (usize, &f64)| {
            format!(
                "  - {{ id: hint{n}, lean: malicious, weight: {weight}, when: 'true', says: \"hint {n}\" }}\n"
            )
        };
        let hints: String = against.iter().enumerate().map(hint).collect();
        format!(
            "id: scenario\ntitle: A sign-in\npriority: 100000\nselect: trusted.alert.rule_id == 'scenario-login'\n\
             scoring:\n  prior: 0.0\n  escalate: {{ at_least: 0.9, reason: compromised_account, impact: attempted }}\n\
             fallback: Ask.\nsignals:\n  - {{ id: good, lean: benign, weight: 4.0, when: 'true', says: \"it is good\" }}\n{hints}"
        )
    };
    let unsaid = || about(json!({"who": USER, "note": "hello"}));
    let said = || Lab::scenario(&[USUAL]).unwrap();
    let cases: [(Lab, &[f64], bool); 6] = [
        (said(), &[], true),
        (said(), &[0.5, 0.3], true),
        (said(), &[0.6], false),
        (said(), &[0.5, 0.4], false),
        (said(), &[0.1; 9], false),
        (unsaid(), &[], false),
    ];
    for (lab, against, proposed) in cases {
        let (_dir, config) = changed(|_| playbook(against));
        let all = worked(&lab, config).await;
        let want = match proposed {
            true => Outcome::AwaitingApproval,
            false => Outcome::Escalated,
        };
        assert_eq!(outcome(&all, 0), want, "{against:?}: {:?}", all[0]);
    }
}
