//! Nouns and stores for the tests, as plain as they can be.

use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use state::model::verdict::{Basis, Provenance};
use state::model::{
    Alert, Analyst, Answered, CaseEvent, CaseId, Effect, EffectAbout, EffectDecision, Entity,
    EntityKind, Impact, NewAlert, Outcome, Role, Rule, Severity, Spent, Tier, Time, TimelineEvent,
    TimelineKind, ToolClass, Trust, Verdict, VerdictKind, VerdictReason,
};
use state::store::{ApprovalAnswer, Claim, NewApproval, Record, Store};

pub(crate) const LEASE: Duration = Duration::from_secs(60);

pub(crate) async fn file_store(dir: &tempfile::TempDir) -> Store {
    Store::open(&url(dir)).await.unwrap()
}

pub(crate) fn url(dir: &tempfile::TempDir) -> String {
    format!("sqlite:{}", dir.path().join("deep/nd.db").display())
}

/// A fixed day, `seconds` in; with microseconds, so that their loss would show.
pub(crate) fn at(seconds: i64) -> Time {
    DateTime::from_timestamp(1_700_000_000, 123_456_000).unwrap() + TimeDelta::seconds(seconds)
}

pub(crate) fn user(name: &str) -> Entity {
    entity(EntityKind::User, name, Role::Principal, Trust::Trusted)
}

pub(crate) fn entity(kind: EntityKind, name: &str, role: Role, trust: Trust) -> Entity {
    Entity {
        kind,
        value: name.to_owned(),
        role,
        trust,
    }
}

/// An alert of `user` that was made `n` seconds into the day.
pub(crate) fn new_alert(n: i64, who: &str) -> NewAlert {
    NewAlert {
        source: "siem".to_owned(),
        source_alert_id: format!("a-{n}"),
        mapping: "plain".to_owned(),
        product: "okta".to_owned(),
        rule: Rule {
            id: format!("r-{}", n % 3),
            name: format!("Rule {}", n % 3),
            groups: vec!["login".to_owned()],
        },
        severity: Severity::High,
        time: at(n),
        attacks: vec!["T1078".to_owned()],
        activities: Vec::new(),
        entities: vec![user(who)],
        observables: Vec::new(),
        raw: "{\"raw\": \"'; DROP TABLE alerts; --\\u0000\"}".to_owned(),
    }
}

pub(crate) async fn stored(store: &Store, new: NewAlert) -> Alert {
    let received = store.store_alerts(&[new], &[], None, at(0)).await.unwrap();
    store.alert(received[0].alert).await.unwrap()
}

/// A case in the queue with one alert.
pub(crate) async fn opened(store: &Store, n: i64, who: &str) -> (CaseId, Alert) {
    let alert = stored(store, new_alert(n, who)).await;
    let event = TimelineEvent::ours(CaseId(0), at(0), TimelineKind::Opened, "opened");
    let case = store
        .open_case(&alert, "a title", at(0), vec![event])
        .await
        .unwrap();
    (case.id, alert)
}

/// A case that a worker holds.
pub(crate) async fn claimed(store: &Store, n: i64, who: &str) -> (Claim, Alert) {
    let (case, alert) = opened(store, n, who).await;
    let (claim, found) = store.claim("w", at(1), LEASE).await.unwrap().unwrap();
    assert_eq!(found.id, case);
    (claim, alert)
}

pub(crate) fn verdict(case: CaseId, alert: &Alert, kind: VerdictKind) -> Verdict {
    Verdict {
        case,
        alert: alert.id,
        kind,
        reason: VerdictReason::ExpectedBusiness,
        impact: Impact::None,
        confidence: 90,
        close_allowed: true,
        vetoes: vec!["none stands".to_owned()],
        basis: Basis {
            sentence: "as usual".to_owned(),
            probability: 0.015_625,
            reasons: Vec::new(),
            evidence_refs: vec!["E1".to_owned()],
            gaps: Vec::new(),
            techniques: Vec::new(),
            earliest: Some(at(-30)),
        },
        provenance: Provenance {
            tier: Tier::Two,
            analyst: Analyst::Playbook,
            analyst_note: None,
            playbook: "default".to_owned(),
            playbook_hash: "00".to_owned(),
            model: None,
            prompt_hash: None,
        },
        at: at(2),
    }
}

pub(crate) fn effect(case: CaseId, arguments: Value, decision: EffectDecision) -> Effect {
    Effect {
        id: 0,
        case,
        tool: "edr.isolate".to_owned(),
        class: ToolClass::Destructive,
        target: "host-1".to_owned(),
        arguments,
        decision,
        reason: "gate".to_owned(),
        approval: None,
        at: at(2),
        about: EffectAbout {
            d3fend: Some("D3-NI".to_owned()),
            ..EffectAbout::default()
        },
    }
}

pub(crate) fn question(action: &str, nonce: &str) -> NewApproval {
    NewApproval {
        action: action.to_owned(),
        summary: "may I?".to_owned(),
        binding: json!({"nonce": nonce}),
        expires: at(100),
        effect: None,
        needed: 1,
    }
}

/// A record that ends the run as `event` says, with one verdict of this kind.
pub(crate) fn ending(claim: &Claim, alert: &Alert, kind: VerdictKind, event: CaseEvent) -> Record {
    let (outcome, told) = match event {
        CaseEvent::Closed => (Outcome::Closed, TimelineKind::Closed),
        CaseEvent::Asked => (Outcome::AwaitingApproval, TimelineKind::Asked),
        _ => (Outcome::Escalated, TimelineKind::Escalated),
    };
    Record {
        claim: claim.clone(),
        verdicts: vec![verdict(claim.case, alert, kind)],
        outcome,
        event,
        effects: Vec::new(),
        approvals: Vec::new(),
        events: vec![
            TimelineEvent::ours(claim.case, at(2), TimelineKind::VerdictGiven, "judged"),
            TimelineEvent::ours(claim.case, at(2), told, "ended").with(json!({"n": 1})),
        ],
        close_cap: 1_000,
        spent: Spent {
            tool_calls: 3,
            turns: 1,
            tokens_in: 1_000,
            tokens_out: 10,
            usd: 0.5,
        },
        now: at(2),
    }
}

pub(crate) async fn kinds(store: &Store, case: CaseId) -> String {
    let events = store.timeline(case).await.unwrap();
    let places: Vec<i64> = events.iter().map(|e| e.seq).collect();
    let expected: Vec<i64> = (1..).take(events.len()).collect();
    assert_eq!(places, expected);
    let words: Vec<&str> = events.iter().map(|e| e.kind.as_str()).collect();
    words.join(" ")
}

/// An answer to a question, by carol, that leads nowhere else.
pub(crate) fn says(approval: i64, answered: Answered) -> ApprovalAnswer {
    ApprovalAnswer {
        approval,
        answered,
        by: "carol".to_owned(),
        reason: String::new(),
        channel: "test".to_owned(),
        at: at(3),
        event: CaseEvent::Answered,
        outcome: None,
        feedback: Vec::new(),
        events: Vec::new(),
    }
}
