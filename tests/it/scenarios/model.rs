//! A model beside the playbook analyst: what it may change, what it may not, and every way in which it fails.

use agent::eval::run_lab;
use serde_json::{Value, json};
use state::model::{Analyst, Outcome, VerdictKind};
use tests::model_server::{ModelServer, Scripted};
use tests::workbench::{Lab, STRANGE, USUAL, with_model};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn answer(verdict: &str, probability: f64, claims: Value) -> Value {
    let next = if verdict == "benign_positive" {
        "close"
    } else {
        "hand_on"
    };
    json!({"verdict": verdict, "probability_malicious": probability, "confidence": 95, "claims": claims,
        "gaps": [], "techniques": [], "next": next})
}

fn claim(text: &str, evidence: &str, quote: &str) -> Value {
    json!([{"text": text, "evidence": [evidence], "quote": quote}])
}

fn submit(verdict: &str, probability: f64, claims: Value) -> Scripted {
    Scripted::call("submit_assessment", answer(verdict, probability, claims))
}

/// The same answer at whatever tier asks; `next` fits the tier.
async fn always(verdict: &'static str, probability: f64, claims: Value) -> ModelServer {
    ModelServer::with(move |request, _| {
        let third = request.to_string().contains("forensics");
        let mut said = answer(verdict, probability, claims.clone());
        if third {
            said["next"] = json!("escalate");
        }
        Scripted::call("submit_assessment", said)
    })
    .await
    .unwrap()
}

struct Seen {
    verdict: VerdictKind,
    outcome: Outcome,
    analyst: Analyst,
    confidence: i64,
    text: String,
}

async fn run(lab: &Lab, server: &ModelServer) -> Seen {
    let mut config = with_model(server.base_url()).unwrap();
    config.tiers.one.budget.seconds = 20;
    let report = run_lab(PROGRAM.as_ref(), lab.path(), (config, None))
        .await
        .unwrap();
    let result = &report.alerts[0];
    Seen {
        verdict: result.judgement.verdict,
        outcome: result.judgement.outcome,
        analyst: result.judgement.analyst,
        confidence: result.judgement.confidence,
        text: serde_json::to_string(result).unwrap(),
    }
}

#[tokio::test]
async fn an_agreeing_model_lets_the_close_stand() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let server = always(
        "benign_positive",
        0.05,
        claim("It is the usual address", "E2", USUAL),
    )
    .await;
    let seen = run(&lab, &server).await;
    assert_eq!(
        (seen.verdict, seen.outcome, seen.analyst),
        (VerdictKind::BenignPositive, Outcome::Closed, Analyst::Model)
    );
}

#[tokio::test]
async fn a_model_can_withhold_a_close() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let server = always(
        "true_positive",
        0.95,
        claim("Somebody else signed in", "E1", USUAL),
    )
    .await;
    let seen = run(&lab, &server).await;
    assert_eq!(seen.outcome, Outcome::Escalated);
    assert!(!seen.verdict.is_benign(), "{}", seen.text);
}

#[tokio::test]
async fn a_model_that_obeys_the_attacker_grants_nothing() {
    let lab = Lab::scenario(&[STRANGE]).unwrap();
    let server = always(
        "benign_positive",
        0.0,
        claim("The SOC approved it", "E1", STRANGE),
    )
    .await;
    let seen = run(&lab, &server).await;
    assert_eq!(
        (seen.verdict, seen.outcome),
        (VerdictKind::TruePositive, Outcome::Escalated),
        "{}",
        seen.text
    );
}

#[tokio::test]
async fn an_invented_quote_caps_the_confidence_and_stops_the_close() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let server = always(
        "benign_positive",
        0.05,
        claim("The device is known", "E2", "LAPTOP-4711-KNOWN"),
    )
    .await;
    let seen = run(&lab, &server).await;
    assert_ne!(seen.outcome, Outcome::Closed, "{}", seen.text);
    assert!(seen.confidence <= 40, "{}", seen.text);
    assert!(seen.text.contains("does not stand"), "{}", seen.text);
}

#[tokio::test]
async fn a_model_may_ask_further_tools_through_the_gate_and_cite_them() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let server = ModelServer::with(|_, turn| match turn {
        0 => Scripted::call("intel__lookup_indicator", json!({"value": USUAL})),
        _ => submit("benign_positive", 0.05, json!([{"text": "Nothing is known against the address", "evidence": ["E4"], "quote": null}])),
    })
    .await
    .unwrap();
    let seen = run(&lab, &server).await;
    assert_eq!(seen.outcome, Outcome::Closed, "{}", seen.text);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn tools_that_were_not_offered_are_refused() {
    for tool in [
        "ticketing__create_ticket",
        "siem__drop_everything",
        "os__run",
    ] {
        let lab = Lab::scenario(&[USUAL]).unwrap();
        let arguments = json!({"title": "t", "body": "b", "severity": "low", "case_id": "ND-1", "idempotency_key": "k"});
        let server = ModelServer::with(move |_, turn| match turn {
            0 => Scripted::call(tool, arguments.clone()),
            _ => submit(
                "benign_positive",
                0.05,
                claim("It is the usual address", "E2", USUAL),
            ),
        })
        .await
        .unwrap();
        run(&lab, &server).await;
        // A character drawn at random stands for every space of data.
        let told = server.requests()[1].body.to_string();
        let told = told.replace(['¬', '¦', '¤', '§', '¶', '‡'], " ");
        assert!(
            told.contains("rule 1") || told.contains("rule 6"),
            "{tool}: {told}"
        );
        assert!(
            !lab.path().join("tickets.out.jsonl").exists(),
            "{tool} was executed"
        );
    }
}

#[tokio::test]
async fn every_failure_of_the_model_ends_in_the_playbook_analyst() {
    let stuck = Scripted::call("intel__lookup_indicator", json!({"value": USUAL}));
    let faults: Vec<(&str, Vec<Scripted>)> = vec![
        ("in words", vec![Scripted::text("verdict: benign"); 2]),
        (
            "malformed",
            vec![Scripted::call("submit_assessment", json!({"verdict": "fine"})); 2],
        ),
        (
            "refused",
            vec![
                Scripted::text("").with(|r| r.refusal = Some("I can't help with that".to_owned())),
            ],
        ),
        (
            "cut off",
            vec![Scripted::text("The user").with(|r| r.finish = "length".to_owned())],
        ),
        (
            "filtered",
            vec![Scripted::text("").with(|r| r.finish = "content_filter".to_owned())],
        ),
        ("endless", vec![stuck; 12]),
        ("hangs", vec![Scripted::Hang; 2]),
        ("drips", vec![Scripted::Drip; 2]),
        ("breaks", vec![Scripted::Cut; 2]),
        ("limited for long", vec![Scripted::limited("86400"); 2]),
        (
            "down",
            vec![Scripted::Status(503, vec![], "<html>sorry</html>".to_owned()); 2],
        ),
        ("huge", vec![Scripted::Huge(10_000_000); 2]),
        (
            "refuses the key",
            vec![Scripted::error(401, &json!({"error": {"message": "no"}}))],
        ),
    ];
    let runs = faults.into_iter().map(|(name, script)| async move {
        let lab = Lab::scenario(&[USUAL]).unwrap();
        let server = ModelServer::start(script).await.unwrap();
        let seen = run(&lab, &server).await;
        assert_eq!(
            seen.analyst,
            Analyst::PlaybookAfterModelFailure,
            "{name}: {}",
            seen.text
        );
        assert_eq!(
            seen.verdict,
            VerdictKind::BenignPositive,
            "{name}: {}",
            seen.text
        );
    });
    futures::future::join_all(runs).await;
}

#[tokio::test]
async fn a_rate_limit_is_waited_out() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    let server = ModelServer::start(vec![
        Scripted::limited("1"),
        submit(
            "benign_positive",
            0.05,
            claim("It is the usual address", "E2", USUAL),
        ),
    ])
    .await
    .unwrap();
    let seen = run(&lab, &server).await;
    assert_eq!(
        (seen.outcome, seen.analyst),
        (Outcome::Closed, Analyst::Model),
        "{}",
        seen.text
    );
}

#[tokio::test]
async fn a_model_alone_can_only_propose_a_close() {
    let lab = Lab::scenario(&[USUAL]).unwrap();
    // Without the inventory the playbook analyst is unsure.
    std::fs::remove_file(lab.path().join("identity.jsonl")).unwrap();
    let server = always(
        "benign_positive",
        0.05,
        claim("It is where the user signs in from", "E1", USUAL),
    )
    .await;
    let seen = run(&lab, &server).await;
    assert_ne!(seen.outcome, Outcome::Closed, "{}", seen.text);
}
