//! The outbox of cases that are told outside, effects that come back, questions of servers, and proposals made anew.

use chrono::TimeDelta;
use serde_json::json;
use state::model::{
    Analyst, CaseEvent, CaseId, Effect, EffectDecision, Outcome, Proof, VerdictKind,
};
use state::store::{EffectEnd, Intervention, NewElicitation, Store, StoreError, Telling, Untold};

use crate::make::{at, claimed, effect, ending, question, verdict};

fn telling(untold: Untold, effects: Vec<Effect>) -> Telling {
    Telling {
        untold,
        effects,
        approvals: Vec::new(),
        events: Vec::new(),
        now: at(5),
    }
}

async fn closed(store: &Store, n: i64) -> (CaseId, state::model::Alert) {
    let (claim, alert) = claimed(store, n, "ann").await;
    let record = ending(
        &claim,
        &alert,
        VerdictKind::BenignPositive,
        CaseEvent::Closed,
    );
    store.record(record).await.unwrap();
    (claim.case, alert)
}

async fn end(store: &Store, effect: i64, stands: (EffectDecision, Option<Proof>)) {
    let end = EffectEnd {
        effect,
        decision: stands.0,
        proof: stands.1,
        reason: "as told",
        at: at(9),
    };
    let entry = json!({"kind": "effect_end"});
    store.end_effect(end, &entry).await.unwrap();
}

pub(crate) async fn a_case_is_told_until_it_is_told_as_it_stands(store: &Store) {
    let (case, alert) = closed(store, 1).await;
    let first = store.untold(at(3), 10).await.unwrap();
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(first[0].case, case);
    // A person's word while it is told is not lost.
    let mut word = verdict(case, &alert, VerdictKind::FalsePositive);
    word.provenance.analyst = Analyst::Human;
    let said = Intervention {
        case,
        seen: None,
        event: None,
        outcome: Some(Outcome::Closed),
        verdicts: vec![word],
        feedback: Vec::new(),
        events: Vec::new(),
        now: at(4),
    };
    store.intervene(said).await.unwrap();
    store.tell(&telling(first[0], Vec::new())).await.unwrap();
    let second = store.untold(at(3), 10).await.unwrap();
    assert_eq!(second.len(), 1, "it has changed meanwhile");
    assert!(second[0].rev > first[0].rev);
    store.tell_later(second[0], at(100)).await.unwrap();
    assert_eq!(store.untold(at(99), 10).await.unwrap(), []);
    let third = store.untold(at(100), 10).await.unwrap();
    assert_eq!(third[0].tries, 1);
    store.tell(&telling(third[0], Vec::new())).await.unwrap();
    assert_eq!(store.untold(at(1_000), 10).await.unwrap(), []);
    // A case in work is nobody's news.
    claimed(store, 2, "bob").await;
    assert_eq!(store.untold(at(1_000), 10).await.unwrap(), []);
}

pub(crate) async fn what_could_not_be_said_is_planned_again(store: &Store) {
    let (case, alert) = closed(store, 1).await;
    let untold = store.untold(at(3), 10).await.unwrap()[0];
    let mut word = effect(case, json!({"status": "RESOLVED"}), EffectDecision::Due);
    word.about.alert = Some(alert.id);
    word.about.wanted = Some("RESOLVED".to_owned());
    store
        .tell(&telling(untold, vec![word.clone()]))
        .await
        .unwrap();
    let kept = store.effects_on(alert.id).await.unwrap().remove(0);
    assert_eq!(kept.about, word.about);
    end(store, kept.id, (EffectDecision::Failed, None)).await;
    assert_eq!(store.untold(at(9), 10).await.unwrap(), [], "not at once");
    let again = store
        .untold(at(9) + TimeDelta::minutes(1), 10)
        .await
        .unwrap();
    assert_eq!(again.len(), 1);
    // A source that never takes it is asked ever more seldom, and in the end left alone.
    let mut waits = Vec::new();
    for _ in 0..20 {
        for untold in store.untold(at(100_000), 10).await.unwrap() {
            store.tell(&telling(untold, Vec::new())).await.unwrap();
        }
        end(store, kept.id, (EffectDecision::Failed, None)).await;
        let mut minutes = (0..=60).filter(|m| m % 4 == 0 || *m < 4);
        for m in minutes.by_ref() {
            let due = at(9) + TimeDelta::minutes(m);
            if !store.untold(due, 10).await.unwrap().is_empty() {
                waits.push(m);
                break;
            }
        }
    }
    assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60, 60, 60]);
    let told = store.timeline(case).await.unwrap();
    assert!(told.last().unwrap().message.contains("effects retry"));
    // The same words a second time are another effect.
    end(
        store,
        kept.id,
        (EffectDecision::Executed, Some(Proof::Requested)),
    )
    .await;
    word.about.round = 1;
    store
        .tell(&telling(again[0], vec![word.clone(), word]))
        .await
        .unwrap();
    assert_eq!(store.effects_on(alert.id).await.unwrap().len(), 2);
}

pub(crate) async fn looks_are_spaced_and_what_was_seen_stays_so(store: &Store) {
    let (case, _) = closed(store, 1).await;
    let untold = store.untold(at(3), 10).await.unwrap()[0];
    let due = effect(case, json!({"n": 1}), EffectDecision::Due);
    store.tell(&telling(untold, vec![due])).await.unwrap();
    let id = store.effects_of(case).await.unwrap()[0].id;
    end(
        store,
        id,
        (EffectDecision::Executed, Some(Proof::Requested)),
    )
    .await;
    let first = TimeDelta::seconds(10);
    let mut looks = Vec::new();
    for second in 0..1_000 {
        if !store
            .unproven(at(second), first, 4)
            .await
            .unwrap()
            .is_empty()
        {
            looks.push(second);
            store.looked(id, at(second)).await.unwrap();
        }
    }
    assert_eq!(
        looks,
        [0, 40, 200, 840],
        "each wait four times as long, four looks"
    );
    assert_eq!(store.effect(id).await.unwrap().word(), "requested");
    end(
        store,
        id,
        (EffectDecision::Executed, Some(Proof::Confirmed)),
    )
    .await;
    assert_eq!(store.effect(id).await.unwrap().word(), "confirmed");
    let back = EffectEnd {
        effect: id,
        decision: EffectDecision::Executed,
        proof: Some(Proof::Requested),
        reason: "back",
        at: at(9),
    };
    assert!(store.end_effect(back, &json!({})).await.is_err());
}

pub(crate) async fn a_servers_question_is_answered_while_its_approval_is_open(store: &Store) {
    let (case, _) = closed(store, 1).await;
    let again = effect(case, json!({"n": 1}), EffectDecision::AwaitingApproval);
    let new = NewElicitation {
        effect: again.clone(),
        approval: question("elicitation edr.isolate", "n"),
        message: "really?".to_owned(),
        requested: json!({"type": "object"}),
        digest: "d".to_owned(),
        retried: None,
    };
    let entry = json!({"kind": "elicitation"});
    let id = store.ask_elicitation(&new, &entry, at(3)).await.unwrap();
    let asked = store.elicitation(id).await.unwrap();
    assert_eq!(
        store.elicitation_of(asked.effect).await.unwrap(),
        Some(asked.clone())
    );
    assert_eq!(asked.content, None);
    assert_eq!(
        store.elicitation_for(asked.approval).await.unwrap(),
        Some(asked.clone())
    );
    // Whoever approves approves the values that were given first.
    let first = json!({"a": 1});
    for (answer, by, taken) in [
        (first.clone(), "carol", true),
        (json!({"a": 2}), "dave", false),
        (json!({"a": 2}), "carol", false),
        (first.clone(), "dave", true),
    ] {
        let kept = store
            .answer_elicitation(id, (&answer, by), &entry, at(4))
            .await;
        assert_eq!(kept.is_ok(), taken, "{answer} of {by}");
        let kept = store.elicitation(id).await.unwrap();
        assert_eq!(
            (kept.content, kept.answered_by.as_deref()),
            (Some(first.clone()), Some("carol"))
        );
    }
    store.expire_approvals(at(1_000)).await.unwrap();
    let late = store
        .answer_elicitation(id, (&first, "dave"), &entry, at(1_000))
        .await;
    assert!(matches!(late, Err(StoreError::Refused { .. })), "{late:?}");
    let ended = store.effect(asked.effect).await.unwrap();
    assert_eq!(ended.decision, EffectDecision::Denied);
    // It was not sent, so a person may want it again; once.
    store
        .retry_effect(&ended, "carol", &json!({}), at(9))
        .await
        .unwrap();
    for _ in 0..2 {
        let wanted = store.retries(at(9)).await.unwrap();
        assert_eq!(wanted.len(), 1, "wanted until it is proposed");
        let by = wanted[0].about.requested_by.as_deref();
        assert_eq!(by, Some("carol"));
    }
    let untold = Untold {
        case,
        rev: 0,
        tries: 0,
    };
    let proposed = telling(untold, vec![ended.clone()]);
    store.repropose(ended.id, &proposed).await.unwrap();
    assert_eq!(store.retries(at(9)).await.unwrap(), []);
}

pub(crate) async fn what_was_sent_is_never_wanted_again(store: &Store) {
    let (case, _) = closed(store, 1).await;
    let untold = store.untold(at(3), 10).await.unwrap()[0];
    let due = effect(case, json!({"n": 1}), EffectDecision::Due);
    store.tell(&telling(untold, vec![due])).await.unwrap();
    let kept = store.effects_of(case).await.unwrap().remove(0);
    assert_eq!(kept.about.requested_by, None, "the daemon proposed it anew");
    for stands in [EffectDecision::Unknown, EffectDecision::Executed] {
        end(store, kept.id, (stands, None)).await;
        let refused = store.retry_effect(&kept, "carol", &json!({}), at(9)).await;
        assert!(
            matches!(refused, Err(StoreError::Refused { .. })),
            "{stands}: {refused:?}"
        );
    }
}
