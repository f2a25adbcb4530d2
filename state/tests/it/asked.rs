//! What people are asked about effects, and what they saw when they decided: one question an effect, one decision a state.

use std::collections::BTreeSet;

use serde_json::json;
use state::model::{
    Answered, ApprovalState, CaseEvent, CaseId, CaseStatus, Effect, EffectDecision, Outcome,
    VerdictKind,
};
use state::store::{Intervention, NewApproval, Record, Seen, Store, StoreError, Telling, Untold};

use crate::make::{at, claimed, effect, ending, new_alert, question, says, stored, verdict};

fn waiting(case: CaseId) -> Effect {
    effect(case, json!({"host": 1}), EffectDecision::AwaitingApproval)
}

/// The same effect with this many questions, one each.
fn asking(record: &mut Record, nonces: &[&str]) {
    for nonce in nonces {
        record.approvals.push(NewApproval {
            effect: Some(record.effects.len()),
            ..question("edr.isolate", nonce)
        });
        record.effects.push(waiting(record.claim.case));
    }
}

/// A proposal that comes after the record, with or without a question.
fn telling(case: CaseId, effect: Effect, approvals: Vec<NewApproval>) -> Telling {
    Telling {
        untold: Untold {
            case,
            rev: 0,
            tries: 0,
        },
        effects: vec![effect],
        approvals,
        events: Vec::new(),
        now: at(5),
    }
}

fn asks(nonce: &str) -> Vec<NewApproval> {
    vec![NewApproval {
        effect: Some(0),
        ..question("edr.isolate", nonce)
    }]
}

pub(crate) async fn an_effect_hangs_on_one_question(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let kind = VerdictKind::TruePositive;
    let mut record = ending(&claim, &alert, kind, CaseEvent::Escalated);
    asking(&mut record, &["a", "b"]);
    // A question on which nothing hangs is as good as a lapsed one.
    record.approvals.push(question("edr.isolate", "of nothing"));
    let ids = store.record(record).await.unwrap().approvals;
    let pending = store.approvals(Some(ApprovalState::Pending)).await.unwrap();
    let open: Vec<i64> = pending.iter().map(|a| a.id).collect();
    assert_eq!(open, ids[1..], "the first of the two has lapsed");
    for (id, state) in [
        (ids[0], ApprovalState::Expired),
        (ids[2], ApprovalState::Expired),
    ] {
        let answered = store.answer_approval(says(id, Answered::Approved)).await;
        let error = answered.unwrap_err();
        assert!(
            matches!(error, StoreError::NotOpen { state: s, .. } if s == state),
            "{error}"
        );
    }
    let yes = says(ids[1], Answered::Approved);
    store.answer_approval(yes).await.unwrap();
    let effects = store.effects_of(claim.case).await.unwrap();
    assert_eq!(effects.len(), 1);
    assert_eq!(effects[0].decision, EffectDecision::Due);
}

pub(crate) async fn an_effect_under_way_is_not_asked_again(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let kind = VerdictKind::TruePositive;
    let mut record = ending(&claim, &alert, kind, CaseEvent::Escalated);
    asking(&mut record, &["a"]);
    let ids = store.record(record).await.unwrap().approvals;
    let yes = says(ids[0], Answered::Approved);
    store.answer_approval(yes).await.unwrap();
    let again = telling(claim.case, waiting(claim.case), asks("b"));
    store.tell(&again).await.unwrap();
    let pending = store.approvals(Some(ApprovalState::Pending)).await.unwrap();
    assert_eq!(
        pending,
        [],
        "it is due: a yes to another question does nothing"
    );
    let kept = store.effects_of(claim.case).await.unwrap();
    assert_eq!(
        (kept[0].decision, kept[0].approval),
        (EffectDecision::Due, Some(ids[0]))
    );
}

pub(crate) async fn an_effect_proposed_anew_forgets_its_approval(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let kind = VerdictKind::TruePositive;
    let mut record = ending(&claim, &alert, kind, CaseEvent::Escalated);
    asking(&mut record, &["a"]);
    let ids = store.record(record).await.unwrap().approvals;
    let no = says(ids[0], Answered::Denied);
    store.answer_approval(no).await.unwrap();
    let due = effect(claim.case, json!({"host": 1}), EffectDecision::Due);
    let again = telling(claim.case, due, Vec::new());
    store.tell(&again).await.unwrap();
    let kept = store.effects_of(claim.case).await.unwrap();
    assert_eq!(
        (kept[0].decision, kept[0].approval),
        (EffectDecision::Due, None),
        "nobody has to be asked now"
    );
}

pub(crate) async fn a_person_decides_on_what_they_saw(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let kind = VerdictKind::Suspicious;
    let record = ending(&claim, &alert, kind, CaseEvent::Escalated);
    store.record(record).await.unwrap();
    let seen = |status, judged: &[_]| Seen {
        status,
        judged: judged.iter().copied().collect::<BTreeSet<_>>(),
    };
    let close = |seen| Intervention {
        case: claim.case,
        event: Some(CaseEvent::Closed),
        outcome: Some(Outcome::Closed),
        seen: Some(seen),
        verdicts: vec![verdict(claim.case, &alert, VerdictKind::FalsePositive)],
        feedback: Vec::new(),
        events: Vec::new(),
        now: at(4),
    };
    let before = seen(CaseStatus::Escalated, &[(alert.id, Some(kind))]);
    // Another alert joined, was judged, and the case is with people again.
    let late = stored(store, new_alert(2, "ann")).await;
    let joined = store.join_case(claim.case, &late, at(3), vec![]);
    joined.await.unwrap();
    let (again, _) = store
        .claim("w", at(3), crate::make::LEASE)
        .await
        .unwrap()
        .unwrap();
    let attack = VerdictKind::TruePositive;
    let mut record = ending(&again, &late, attack, CaseEvent::Escalated);
    record.verdicts.push(verdict(claim.case, &alert, kind));
    store.record(record).await.unwrap();

    let now = [(alert.id, Some(kind)), (late.id, Some(attack))];
    let other = [(alert.id, Some(kind)), (late.id, Some(kind))];
    for stale in [
        before,
        seen(CaseStatus::AwaitingApproval, &now),
        seen(CaseStatus::Escalated, &other),
    ] {
        let error = store.intervene(close(stale)).await.unwrap_err();
        assert!(error.to_string().contains("changed since"), "{error}");
    }
    let stands = store.current_verdicts(claim.case).await.unwrap();
    assert!(stands.iter().all(|v| v.kind != VerdictKind::FalsePositive));
    let as_it_is = seen(CaseStatus::Escalated, &now);
    store.intervene(close(as_it_is)).await.unwrap();
    let status = store.case(claim.case).await.unwrap().status;
    assert_eq!(status, CaseStatus::Closed);
}
