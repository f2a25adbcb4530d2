//! Outside effects: begun once, on an approval of their own, within the cap, and never moved back.

use serde_json::json;
use state::model::{
    Answered, ApprovalState, CallOutcome, CaseEvent, CaseId, Effect, EffectDecision, Proof, Tier,
    ToolCall, VerdictKind,
};
use state::store::metrics::Depth;
use state::store::{EffectBegin, EffectEnd, NewApproval, Store, StoreError};

use crate::make::{at, claimed, effect, ending, kinds, question, says};
use crate::metrics::{period, spread, terms};

/// An escalated case with one effect that waits for an answer.
async fn waiting(store: &Store, n: i64) -> (CaseId, i64, NewApproval) {
    let (claim, alert) = claimed(store, n, "ann").await;
    let kind = VerdictKind::TruePositive;
    let mut record = ending(&claim, &alert, kind, CaseEvent::Escalated);
    let mut asked = question("edr.isolate", &format!("nonce {n}"));
    asked.effect = Some(0);
    record.effects = vec![effect(
        claim.case,
        json!({"n": n}),
        EffectDecision::AwaitingApproval,
    )];
    record.approvals = vec![asked.clone()];
    let recorded = store.record(record).await.unwrap();
    (claim.case, recorded.approvals[0], asked)
}

async fn answer(store: &Store, approval: i64, answered: Answered) {
    store
        .answer_approval(says(approval, answered))
        .await
        .unwrap();
}

async fn of(store: &Store, case: CaseId) -> Effect {
    store.effects_of(case).await.unwrap().remove(0)
}

fn call(effect: &Effect, seconds: i64) -> ToolCall {
    ToolCall {
        id: 0,
        case: effect.case,
        tier: Tier::Three,
        asked_by: format!("effect:{}", effect.id),
        tool: effect.tool.clone(),
        class: effect.class,
        arguments: effect.arguments.clone(),
        outcome: CallOutcome::Started,
        reason: None,
        digest: None,
        started: at(seconds),
        millis: None,
    }
}

async fn end(store: &Store, effect: i64, decision: EffectDecision) -> Result<(), StoreError> {
    let proof = (decision == EffectDecision::Executed).then_some(Proof::Confirmed);
    ended(store, (effect, 9), decision, proof).await
}

async fn ended(
    store: &Store,
    (effect, seconds): (i64, i64),
    decision: EffectDecision,
    proof: Option<Proof>,
) -> Result<(), StoreError> {
    let end = EffectEnd {
        effect,
        decision,
        proof,
        reason: "as told",
        at: at(seconds),
    };
    store.end_effect(end, &json!({"kind": "effect_end"})).await
}

pub(crate) async fn an_approved_effect_is_begun_once(store: &Store) {
    let (case, approval, asked) = waiting(store, 1).await;
    let early = of(store, case).await;
    let digest = asked.digest();
    let row = call(&early, 4);
    let begin = EffectBegin {
        effect: &early,
        call: &row,
        approval: Some((approval, &digest)),
        cap: None,
    };
    let refused = store.begin_effect(begin, json!({})).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused { .. }), "{refused}");

    answer(store, approval, Answered::Approved).await;
    assert_eq!(of(store, case).await.decision, EffectDecision::Due);
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (store, effect, digest) = (store.clone(), early.clone(), digest.clone());
        tasks.push(tokio::spawn(async move {
            let row = call(&effect, 4);
            let begin = EffectBegin {
                effect: &effect,
                call: &row,
                approval: Some((approval, &digest)),
                cap: None,
            };
            store
                .begin_effect(begin, json!({"kind": "tool_call"}))
                .await
        }));
    }
    let mut begun = 0;
    for task in tasks {
        begun += usize::from(task.await.unwrap().is_ok());
    }
    assert_eq!(begun, 1);
    let used = store.approval(approval).await.unwrap();
    assert_eq!(used.state, ApprovalState::Used);
    assert_eq!(store.calls_of(case).await.unwrap().len(), 1);

    end(store, early.id, EffectDecision::Unknown).await.unwrap();
    for back in [EffectDecision::Due, EffectDecision::Denied] {
        let error = end(store, early.id, back).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    }
    end(store, early.id, EffectDecision::Executed)
        .await
        .unwrap();
    assert!(end(store, early.id, EffectDecision::Unknown).await.is_err());
    assert!(
        kinds(store, case)
            .await
            .ends_with("effect_carried_out effect_carried_out")
    );
    // What is known to have been done is a containment; that it may have been was none.
    let survey = store.survey(&period(), &terms(), Depth::Whole).await;
    let contained = spread(&survey.unwrap(), "ttc").clone();
    assert_eq!((contained.n, contained.p50), (1, Some(8.0)));
}

/// What was asked of the outside is a response from then on, and a containment once it was seen.
pub(crate) async fn a_response_counts_from_when_it_was_sent(store: &Store) {
    let (executed, sent) = (EffectDecision::Executed, Some(Proof::Requested));
    let mut effects = Vec::new();
    for n in [1, 2] {
        let (case, approval, asked) = waiting(store, n).await;
        answer(store, approval, Answered::Approved).await;
        let (effect, digest) = (of(store, case).await, asked.digest());
        let row = call(&effect, 4);
        let begin = EffectBegin {
            effect: &effect,
            call: &row,
            approval: Some((approval, &digest)),
            cap: None,
        };
        store.begin_effect(begin, json!({})).await.unwrap();
        effects.push(effect.id);
    }
    let measured = async |metric: &str| {
        let survey = store.survey(&period(), &terms(), Depth::Whole).await;
        let found = spread(&survey.unwrap(), metric).clone();
        (found.n, found.missing, found.p50)
    };
    // Both are true positives; nothing was done about either so far.
    assert_eq!(measured("time_to_respond").await, (0, 2, None));
    ended(store, (effects[0], 6), executed, sent).await.unwrap();
    // What was so before is nothing that the daemon did.
    let before = Some(Proof::AlreadySo);
    ended(store, (effects[1], 7), executed, before)
        .await
        .unwrap();
    assert_eq!(measured("time_to_respond").await, (1, 1, Some(5.0)));
    assert_eq!(measured("ttc").await, (0, 2, None));
    end(store, effects[0], executed).await.unwrap();
    assert_eq!(measured("time_to_respond").await, (1, 1, Some(5.0)));
    assert_eq!(measured("ttc").await, (1, 1, Some(8.0)));
}

pub(crate) async fn an_approval_counts_for_its_own_action_and_in_time(store: &Store) {
    let (case, approval, asked) = waiting(store, 1).await;
    answer(store, approval, Answered::Approved).await;
    let effect = of(store, case).await;
    let digest = asked.digest();
    for (at, digest) in [(4, "another digest"), (101, &digest)] {
        let row = call(&effect, at);
        let begin = EffectBegin {
            effect: &effect,
            call: &row,
            approval: Some((approval, digest)),
            cap: None,
        };
        assert!(store.begin_effect(begin, json!({})).await.is_err(), "{at}");
        assert_eq!(of(store, case).await.decision, EffectDecision::Due);
    }
    assert!(store.calls_of(case).await.unwrap().is_empty());

    let (denied, approval, _) = waiting(store, 2).await;
    answer(store, approval, Answered::Denied).await;
    let (silent, _, _) = waiting(store, 3).await;
    store.expire_approvals(at(101)).await.unwrap();
    for (case, why) in [(denied, "denied by carol"), (silent, "in time")] {
        let ended = of(store, case).await;
        assert_eq!(ended.decision, EffectDecision::Denied);
        assert!(ended.reason.contains(why), "{}", ended.reason);
    }
}

pub(crate) async fn destructive_actions_have_an_hourly_cap(store: &Store) {
    for n in 1..=3 {
        let (case, approval, asked) = waiting(store, n).await;
        answer(store, approval, Answered::Approved).await;
        let effect = of(store, case).await;
        let digest = asked.digest();
        let row = call(&effect, 10);
        let begin = EffectBegin {
            effect: &effect,
            call: &row,
            approval: Some((approval, &digest)),
            cap: Some(2),
        };
        match store.begin_effect(begin, json!({})).await {
            Ok(_) => assert!(n < 3),
            Err(e) => {
                assert!(n == 3 && matches!(e, StoreError::CapReached { .. }), "{e}");
                // Nothing of it stands: the approval is still there to be used later.
                let kept = store.approval(approval).await.unwrap();
                assert_eq!(kept.state, ApprovalState::Approved);
            }
        }
    }
}
