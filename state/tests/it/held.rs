//! Effects that are held, and questions of servers that nobody was asked yet: what is kept of them, and until when.

use chrono::TimeDelta;
use serde_json::{Value, json};
use state::model::{
    AskedBy, CallOutcome, CaseEvent, CaseId, Effect, EffectDecision, Held, Tier, ToolCall,
    VerdictKind,
};
use state::store::{
    CallEnd, EffectAnswer, EffectBegin, EffectEnd, EffectHold, HeardQuestion, NewElicitation,
    Store, StoreError, wait_after,
};

use crate::make::{at, claimed, effect, ending, kinds, question};

/// An escalated case with one effect that stands like this.
async fn with(store: &Store, proposed: impl Fn(CaseId) -> Effect) -> Effect {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let kind = VerdictKind::TruePositive;
    let mut record = ending(&claim, &alert, kind, CaseEvent::Escalated);
    record.effects = vec![proposed(claim.case)];
    store.record(record).await.unwrap();
    store.effects_of(claim.case).await.unwrap().remove(0)
}

fn held(tries: i64, next: i64) -> Held {
    Held {
        since: at(2),
        tries,
        next: at(next),
        asked_by: AskedBy::Playbook,
    }
}

async fn hold(store: &Store, of: &Effect, held: Held) -> Result<(), StoreError> {
    let hold = EffectHold {
        effect: of.id,
        held,
        reason: "rule 2: nobody can tell",
        at: at(3),
    };
    store
        .hold_effect(hold, &json!({"kind": "effect_held"}))
        .await
}

async fn ids(found: Result<Vec<Effect>, StoreError>) -> Vec<i64> {
    found.unwrap().iter().map(|e| e.id).collect()
}

fn call(of: &Effect) -> ToolCall {
    ToolCall {
        id: 0,
        case: of.case,
        tier: Tier::Three,
        asked_by: format!("effect:{}", of.id),
        tool: of.tool.clone(),
        class: of.class,
        arguments: of.arguments.clone(),
        outcome: CallOutcome::Started,
        reason: None,
        digest: None,
        started: at(4),
        millis: None,
    }
}

async fn begin(store: &Store, of: &Effect) -> i64 {
    let row = call(of);
    let begin = EffectBegin {
        effect: of,
        call: &row,
        approval: None,
        cap: None,
    };
    store.begin_effect(begin, json!({})).await.unwrap()
}

fn end(of: &Effect, decision: EffectDecision) -> EffectEnd<'static> {
    EffectEnd {
        effect: of.id,
        decision,
        proof: None,
        reason: "as told",
        at: at(9),
    }
}

pub(crate) async fn a_held_effect_comes_back_in_its_time_and_is_held_no_more_when_sent(
    store: &Store,
) {
    let due = |case| effect(case, json!({"n": 1}), EffectDecision::Due);
    let due = with(store, due).await;
    assert_eq!(ids(store.effects_due(at(3)).await).await, [due.id]);
    hold(store, &due, held(1, 8)).await.unwrap();
    hold(store, &due, held(2, 18)).await.unwrap();
    let kept = store.effect(due.id).await.unwrap();
    assert_eq!((kept.decision, kept.word()), (EffectDecision::Due, "held"));
    assert_eq!(kept.about.held, Some(held(2, 18)));
    assert_eq!(kept.reason, "rule 2: nobody can tell");
    assert_eq!(ids(store.effects_due(at(17)).await).await, [0; 0]);
    assert_eq!(ids(store.effects_due(at(18)).await).await, [due.id]);
    assert_eq!(ids(store.retries(at(99)).await).await, [0; 0], "it is due");
    let told = kinds(store, due.case).await;
    assert_eq!(told.matches("effect_carried_out").count(), 1, "told once");
    begin(store, &due).await;
    let sent = store.effect(due.id).await.unwrap();
    assert_eq!((sent.word(), sent.about.held), ("started", None));
    for stands in [EffectDecision::Unknown, EffectDecision::Executed] {
        let late = hold(store, &due, held(3, 20)).await;
        assert!(matches!(late, Err(StoreError::Refused { .. })), "{late:?}");
        let end = end(&due, stands);
        store.end_effect(end, &json!({})).await.unwrap();
    }
    // One that was held when it was proposed stands as denied, and comes back to be ruled on.
    let mut proposed = effect(due.case, json!({"n": 2}), EffectDecision::Denied);
    proposed.about.held = Some(held(1, 8));
    let told = state::store::Telling {
        untold: state::store::Untold {
            case: due.case,
            rev: 0,
            tries: 0,
        },
        effects: vec![proposed.clone()],
        approvals: Vec::new(),
        events: Vec::new(),
        now: at(5),
    };
    store.tell(&told).await.unwrap();
    let kept = store.effects_of(due.case).await.unwrap().remove(1);
    assert_eq!((kept.word(), kept.about.held), ("held", Some(held(1, 8))));
    assert_eq!(ids(store.retries(at(7)).await).await, [0; 0]);
    assert_eq!(ids(store.retries(at(8)).await).await, [kept.id]);
    store
        .end_effect(end(&kept, EffectDecision::Denied), &json!({}))
        .await
        .unwrap();
    assert_eq!(ids(store.retries(at(99)).await).await, [0; 0], "for good");
    let waits: Vec<i64> = (1..12).map(|n| wait_after(n).num_seconds()).collect();
    let longest = TimeDelta::minutes(30).num_seconds();
    assert_eq!(waits[..4], [5, 10, 20, 40]);
    assert_eq!(waits[9..], [longest, longest]);
}

fn elicitation(of: &Effect, asked: &HeardQuestion) -> NewElicitation {
    let mut again = effect(
        of.case,
        of.arguments.clone(),
        EffectDecision::AwaitingApproval,
    );
    again.about.round = 1;
    NewElicitation {
        effect: again,
        approval: question("elicitation edr.isolate", "n"),
        message: asked.message.clone(),
        requested: asked.requested.clone(),
        digest: asked.digest.clone(),
        retried: Some(of.id),
    }
}

pub(crate) async fn what_a_server_asked_is_kept_until_a_person_is_asked(store: &Store) {
    let due = |case| effect(case, json!({"n": 1}), EffectDecision::Due);
    let due = with(store, due).await;
    let asked = HeardQuestion {
        message: "really?".to_owned(),
        requested: json!({"type": "object"}),
        digest: "d".to_owned(),
    };
    let answer = |call: i64| EffectAnswer {
        call,
        ended: CallEnd {
            outcome: CallOutcome::Ok,
            reason: None,
            body: None,
            millis: 1,
            at: at(9),
        },
        end: end(&due, EffectDecision::Unknown),
        heard: Some(&asked),
    };
    let entries = || {
        (
            json!({"kind": "tool_result"}),
            json!({"kind": "effect_end"}),
        )
    };
    let sent = begin(store, &due).await;
    // All of it or nothing: with another call nothing is noted.
    let (of_call, of_effect): (Value, Value) = entries();
    let wrong = store
        .end_sent(answer(sent + 1), (of_call, &of_effect))
        .await;
    assert!(
        matches!(wrong, Err(StoreError::NotFound { .. })),
        "{wrong:?}"
    );
    let kept = store.effect(due.id).await.unwrap();
    assert_eq!(kept.decision, EffectDecision::Started);
    let (of_call, of_effect) = entries();
    let noted = store.end_sent(answer(sent), (of_call, &of_effect)).await;
    noted.unwrap();
    let kept = store.effect(due.id).await.unwrap();
    assert_eq!(kept.decision, EffectDecision::Unknown);
    let ended = store.calls_of(due.case).await.unwrap().remove(0);
    assert_eq!(ended.outcome, CallOutcome::Ok);
    for _ in 0..2 {
        let open = store.unasked().await.unwrap();
        assert_eq!(open, [(due.id, asked.clone())]);
    }
    let new = elicitation(&due, &asked);
    let entry = json!({"kind": "elicitation"});
    store.ask_elicitation(&new, &entry, at(10)).await.unwrap();
    assert_eq!(store.unasked().await.unwrap(), [], "a person is asked");
}
