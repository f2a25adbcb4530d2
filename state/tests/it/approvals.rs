//! Questions to people: once answered, in time; using them is the effects' part.

use serde_json::json;
use state::model::{
    Answered, ApprovalState, CaseEvent, CaseId, CaseStatus, Effect, EffectDecision, Outcome,
    VerdictKind,
};
use state::store::{ApprovalAnswer, Intervention, NewApproval, Store, StoreError};

use crate::make::{at, claimed, effect, ending, kinds, question, says};

/// A case that waits for answers to these questions.
async fn asked(store: &Store, n: i64, actions: &[(&str, &str)]) -> (CaseId, Vec<i64>) {
    let (claim, alert) = claimed(store, n, "ann").await;
    let mut record = ending(
        &claim,
        &alert,
        VerdictKind::BenignPositive,
        CaseEvent::Asked,
    );
    let binding = |nonce: &str| {
        let verdict = VerdictKind::BenignPositive;
        let of =
            json!({"alert": alert.source_alert_id, "source": alert.source, "verdict": verdict});
        json!({"nonce": nonce, "alerts": [of]})
    };
    for (action, nonce) in actions {
        let mut ask = NewApproval {
            binding: binding(nonce),
            ..question(action, nonce)
        };
        if *action != "close" {
            let waits = EffectDecision::AwaitingApproval;
            ask.effect = Some(record.effects.len());
            record.effects.push(Effect {
                tool: (*action).to_owned(),
                ..effect(claim.case, json!({"nonce": nonce}), waits)
            });
        }
        record.approvals.push(ask);
    }
    let recorded = store.record(record).await.unwrap();
    assert!(!recorded.requeued);
    (claim.case, recorded.approvals)
}

fn answer(approval: i64, answered: Answered, event: CaseEvent, seconds: i64) -> ApprovalAnswer {
    ApprovalAnswer {
        at: at(seconds),
        event,
        outcome: (event == CaseEvent::Closed).then_some(Outcome::Closed),
        ..says(approval, answered)
    }
}

fn not_open(error: &StoreError, expected: ApprovalState) -> bool {
    matches!(error, StoreError::NotOpen { state, .. } if *state == expected)
}

pub(crate) async fn an_answer_counts_once(store: &Store) {
    let (case, ids) = asked(store, 1, &[("edr.isolate", "digest")]).await;
    let id = ids[0];
    let yes = || answer(id, Answered::Approved, CaseEvent::Answered, 100);
    let answers = futures_of(store, vec![yes(), yes(), yes(), yes()]).await;
    assert_eq!(
        answers.iter().filter(|a| a.is_ok()).count(),
        1,
        "{answers:?}"
    );
    let kept = store.approval(id).await.unwrap();
    assert_eq!(
        (kept.state, kept.answered_by.as_deref()),
        (ApprovalState::Approved, Some("carol"))
    );
    assert_eq!(store.case(case).await.unwrap().status, CaseStatus::New);

    let no = answer(id, Answered::Denied, CaseEvent::Answered, 5);
    assert!(not_open(
        &store.answer_approval(no).await.unwrap_err(),
        ApprovalState::Approved
    ));
    assert!(matches!(
        store.approval(99).await.unwrap_err(),
        StoreError::NotFound { .. }
    ));
}

async fn futures_of(store: &Store, answers: Vec<ApprovalAnswer>) -> Vec<Result<(), StoreError>> {
    let tasks: Vec<_> = answers
        .into_iter()
        .map(|a| {
            let store = store.clone();
            tokio::spawn(async move { store.answer_approval(a).await.map(|_| ()) })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    results
}

pub(crate) async fn silence_means_no_and_a_person(store: &Store) {
    // Too late to answer.
    let (late, ids) = asked(store, 1, &[("close", "a")]).await;
    let error = store
        .answer_approval(answer(ids[0], Answered::Approved, CaseEvent::Closed, 101))
        .await
        .unwrap_err();
    assert!(not_open(&error, ApprovalState::Expired), "{error}");
    // Never answered; the case waits until its last question has run out.
    let (silent, ids) = asked(store, 2, &[("close", "b"), ("edr.isolate", "c")]).await;
    assert!(store.expire_approvals(at(100)).await.unwrap().is_empty());
    assert_eq!(
        store.case(silent).await.unwrap().status,
        CaseStatus::AwaitingApproval
    );
    let ended = store.expire_approvals(at(101)).await.unwrap();
    assert_eq!(ended.iter().map(|a| a.id).collect::<Vec<_>>(), ids);
    assert!(store.expire_approvals(at(102)).await.unwrap().is_empty());
    for (case, told) in [
        (late, "answered escalated"),
        (silent, "answered answered escalated"),
    ] {
        let found = store.case(case).await.unwrap();
        assert_eq!(
            (found.status, found.outcome),
            (CaseStatus::Escalated, Some(Outcome::Escalated))
        );
        assert_eq!(
            kinds(store, case).await,
            format!("opened claimed verdict_given asked {told}")
        );
    }
}

pub(crate) async fn a_close_needs_its_own_yes(store: &Store) {
    let (case, ids) = asked(store, 1, &[("edr.isolate", "a"), ("close", "b")]).await;
    for (id, said) in [(ids[0], Answered::Approved), (ids[1], Answered::Denied)] {
        let error = store
            .answer_approval(answer(id, said, CaseEvent::Closed, 3))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        assert_eq!(
            store.approval(id).await.unwrap().state,
            ApprovalState::Pending
        );
    }
    let kept = store
        .answer_approval(answer(ids[1], Answered::Approved, CaseEvent::Closed, 3))
        .await
        .unwrap();
    assert_eq!(kept.state, ApprovalState::Used);
    let found = store.case(case).await.unwrap();
    assert_eq!(
        (found.status, found.outcome),
        (CaseStatus::Closed, Some(Outcome::Closed))
    );
    assert_eq!(store.closes_since(at(0)).await.unwrap(), 0);
}

pub(crate) async fn a_close_is_of_what_was_asked(store: &Store) {
    // Another answer does not send the case back while its close waits.
    let (case, ids) = asked(store, 1, &[("edr.isolate", "a"), ("close", "b")]).await;
    let no = answer(ids[0], Answered::Denied, CaseEvent::Answered, 3);
    store.answer_approval(no).await.unwrap();
    let status = async || store.case(case).await.unwrap().status;
    assert_eq!(status().await, CaseStatus::AwaitingApproval);
    // Somebody says that it is an attack: the close is no longer the one that was asked.
    let mut verdict = store.current_verdicts(case).await.unwrap().remove(0);
    verdict.kind = VerdictKind::TruePositive;
    let said = Intervention {
        case,
        seen: None,
        verdicts: vec![verdict],
        feedback: Vec::new(),
        event: None,
        outcome: None,
        events: Vec::new(),
        now: at(4),
    };
    store.intervene(said).await.unwrap();
    assert_eq!(status().await, CaseStatus::Escalated);
    let yes = answer(ids[1], Answered::Approved, CaseEvent::Closed, 5);
    let late = store.answer_approval(yes).await.unwrap_err();
    assert!(not_open(&late, ApprovalState::Expired), "{late}");
    // A question that names other verdicts than stand is not answered with yes either.
    let (claim, alert) = claimed(store, 2, "bob").await;
    let mut record = ending(&claim, &alert, VerdictKind::FalsePositive, CaseEvent::Asked);
    let of = json!({"alert": alert.source_alert_id, "source": alert.source, "verdict": "benign_positive"});
    record.approvals = vec![NewApproval {
        binding: json!({"alerts": [of]}),
        ..question("close", "c")
    }];
    let id = store.record(record).await.unwrap().approvals[0];
    let yes = answer(id, Answered::Approved, CaseEvent::Closed, 3);
    let other = store.answer_approval(yes).await.unwrap_err();
    assert!(not_open(&other, ApprovalState::Expired), "{other}");
    assert_eq!(
        store.case(claim.case).await.unwrap().status,
        CaseStatus::Escalated
    );
}

pub(crate) async fn two_questions_one_case(store: &Store) {
    let (case, ids) = asked(
        store,
        1,
        &[
            ("edr.isolate", "a"),
            ("edr.isolate", "a"),
            ("idp.disable", "b"),
        ],
    )
    .await;
    assert_eq!(ids[0], ids[1], "the same question is asked once");
    let pending = store.approvals(Some(ApprovalState::Pending)).await.unwrap();
    assert_eq!(pending.len(), 2);
    for id in [ids[0], ids[2]] {
        store
            .answer_approval(answer(id, Answered::Denied, CaseEvent::Answered, 3))
            .await
            .unwrap();
        assert_eq!(store.case(case).await.unwrap().status, CaseStatus::New);
    }
    assert!(
        store
            .approvals(Some(ApprovalState::Pending))
            .await
            .unwrap()
            .is_empty()
    );
}
