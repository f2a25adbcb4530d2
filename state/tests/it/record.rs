//! The end of a run: fencing aside, what may be stored together and what may not.

use serde_json::json;
use state::model::{
    Analyst, CaseEvent, CaseId, CaseStatus, EffectDecision, IllegalMove, Outcome, Verdict,
    VerdictKind,
};
use state::store::{Intervention, Record, Store, StoreError};

use crate::make::{
    LEASE, at, claimed, effect, ending, kinds, new_alert, opened, question, stored, verdict,
};

type Misfit = (&'static str, Box<dyn Fn(&mut Record) + Send>);

pub(crate) async fn illegal_moves_and_misfits_store_nothing(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let (other, foreign) = opened(store, 2, "bob").await;
    let good = || {
        ending(
            &claim,
            &alert,
            VerdictKind::BenignPositive,
            CaseEvent::Closed,
        )
    };
    let misfits: Vec<Misfit> = vec![
        (
            "outcome and event",
            Box::new(|r| r.outcome = Outcome::Escalated),
        ),
        (
            "an event that ends nothing",
            Box::new(|r| r.event = CaseEvent::Released),
        ),
        ("reopening", Box::new(|r| r.event = CaseEvent::Reopened)),
        (
            "waiting for nothing",
            Box::new(|r| (r.event, r.outcome) = (CaseEvent::Asked, Outcome::AwaitingApproval)),
        ),
        (
            "a foreign alert",
            Box::new(move |r| r.verdicts[0].alert = foreign.id),
        ),
        (
            "a foreign case",
            Box::new(move |r| r.verdicts[0].case = other),
        ),
        (
            "a foreign effect",
            Box::new(move |r| {
                r.effects
                    .push(effect(other, json!({}), EffectDecision::DryRun))
            }),
        ),
        ("over 100", Box::new(|r| r.verdicts[0].confidence = 101)),
        (
            "no number",
            Box::new(|r| r.verdicts[0].basis.probability = f64::NAN),
        ),
        ("no money", Box::new(|r| r.spent.usd = f64::NAN)),
    ];
    for (what, change) in misfits {
        let mut record = good();
        change(&mut record);
        let error = store.record(record).await.unwrap_err();
        assert!(
            matches!(error, StoreError::Refused { .. }),
            "{what}: {error}"
        );
    }
    assert!(store.verdicts_of(claim.case).await.unwrap().is_empty());
    assert_eq!(kinds(store, claim.case).await, "opened claimed");
    assert_eq!(
        store.spent_of(claim.case).await.unwrap(),
        Default::default()
    );
    store.record(good()).await.unwrap();
    assert_eq!(
        store.case(claim.case).await.unwrap().status,
        CaseStatus::Closed
    );
}

pub(crate) async fn people_move_cases_only_where_they_may(store: &Store) {
    let (other, _) = opened(store, 2, "bob").await;
    let person = |event| Intervention {
        case: other,
        seen: None,
        event: Some(event),
        outcome: None,
        verdicts: vec![],
        feedback: Vec::new(),
        events: vec![],
        now: at(3),
    };
    // A case in the queue is closed by nobody and cannot be reopened.
    for event in [CaseEvent::Closed, CaseEvent::Reopened] {
        let error = store.intervene(person(event)).await.unwrap_err();
        let from = CaseStatus::New;
        assert!(
            matches!(error, StoreError::IllegalMove(m) if m == IllegalMove { from, event }),
            "{error}"
        );
    }
    for event in [
        CaseEvent::Claimed,
        CaseEvent::Asked,
        CaseEvent::Answered,
        CaseEvent::Released,
    ] {
        let error = store.intervene(person(event)).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    }
    let mut nobody = person(CaseEvent::Escalated);
    nobody.case = CaseId(999);
    assert!(matches!(
        store.intervene(nobody).await.unwrap_err(),
        StoreError::NotFound { .. }
    ));
    assert_eq!(kinds(store, other).await, "opened");
}

pub(crate) async fn an_alert_that_joined_sends_the_case_back(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let late = stored(store, new_alert(2, "ann")).await;
    store
        .join_case(claim.case, &late, at(2), vec![])
        .await
        .unwrap();
    let mut record = ending(
        &claim,
        &alert,
        VerdictKind::BenignPositive,
        CaseEvent::Asked,
    );
    record.approvals.push(question("close", "d"));
    record.effects.push(effect(
        claim.case,
        json!({"n": 1}),
        EffectDecision::Executed,
    ));
    for (n, decision) in [
        (2, EffectDecision::AwaitingApproval),
        (3, EffectDecision::Due),
    ] {
        record
            .effects
            .push(effect(claim.case, json!({"n": n}), decision));
    }
    let recorded = store.record(record).await.unwrap();
    assert!(recorded.requeued && recorded.approvals.is_empty());
    let case = store.case(claim.case).await.unwrap();
    assert_eq!((case.status, case.outcome), (CaseStatus::New, None));
    assert_eq!(store.current_verdicts(claim.case).await.unwrap().len(), 1);
    assert_eq!(store.effects_of(claim.case).await.unwrap().len(), 1);
    assert!(store.approvals(None).await.unwrap().is_empty());
    assert_eq!(
        kinds(store, claim.case).await,
        "opened claimed verdict_given released"
    );

    let (claim, case) = store.claim("w", at(3), LEASE).await.unwrap().unwrap();
    assert_eq!((case.id, case.attempts), (claim.case, 1));
    let record = ending(&claim, &late, VerdictKind::FalsePositive, CaseEvent::Closed);
    assert!(!store.record(record).await.unwrap().requeued);
    assert_eq!(store.current_verdicts(claim.case).await.unwrap().len(), 2);
    assert_eq!(store.spent_of(claim.case).await.unwrap().tool_calls, 6);
    assert_eq!(store.closes_since(at(2)).await.unwrap(), 1);
    assert_eq!(store.closes_since(at(3)).await.unwrap(), 0);
}

pub(crate) async fn a_case_nobody_could_work_goes_to_a_person(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let mut record = ending(&claim, &alert, VerdictKind::Undetermined, CaseEvent::Closed);
    record.verdicts.clear();
    let error = store.record(record.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    (record.event, record.outcome) = (CaseEvent::Escalated, Outcome::Escalated);
    // An alert that came during the run gets a run of its own, but only one.
    let late = stored(store, new_alert(2, "ann")).await;
    store
        .join_case(claim.case, &late, at(2), vec![])
        .await
        .unwrap();
    assert!(store.record(record.clone()).await.unwrap().requeued);
    record.claim = store.claim("w", at(3), LEASE).await.unwrap().unwrap().0;
    assert!(!store.record(record).await.unwrap().requeued);
    let case = store.case(claim.case).await.unwrap();
    assert_eq!(
        (case.status, case.outcome),
        (CaseStatus::Escalated, Some(Outcome::Escalated))
    );
}

pub(crate) async fn verdicts_supersede_and_stay(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    store
        .record(ending(
            &claim,
            &alert,
            VerdictKind::Undetermined,
            CaseEvent::Escalated,
        ))
        .await
        .unwrap();
    let human = Verdict {
        confidence: 100,
        provenance: state::model::verdict::Provenance {
            analyst: Analyst::Human,
            ..verdict(claim.case, &alert, VerdictKind::FalsePositive).provenance
        },
        ..verdict(claim.case, &alert, VerdictKind::FalsePositive)
    };
    let done = Intervention {
        case: claim.case,
        seen: None,
        event: None,
        outcome: None,
        verdicts: vec![human.clone()],
        feedback: Vec::new(),
        events: vec![],
        now: at(9),
    };
    store.intervene(done).await.unwrap();
    let all = store.verdicts_of(claim.case).await.unwrap();
    let line: Vec<_> = all.iter().map(|v| (v.verdict.kind, v.superseded)).collect();
    assert_eq!(
        line,
        [
            (VerdictKind::Undetermined, true),
            (VerdictKind::FalsePositive, false)
        ]
    );
    assert!(all[0].seq < all[1].seq);
    assert_eq!(store.current_verdicts(claim.case).await.unwrap(), [human]);
    assert_eq!(
        store.case(claim.case).await.unwrap().status,
        CaseStatus::Escalated
    );
}

pub(crate) async fn effects_are_kept_once_and_never_forgotten(store: &Store) {
    use EffectDecision as D;
    let (claim, alert) = claimed(store, 1, "ann").await;
    let case = claim.case;
    // (first, then, what stands)
    let table = [
        (D::DryRun, D::Due, D::Due),
        (D::Due, D::Denied, D::Due),
        (D::Executed, D::Denied, D::Executed),
        (D::Unknown, D::Due, D::Unknown),
        (D::Denied, D::DryRun, D::DryRun),
    ];
    let mut record = ending(
        &claim,
        &alert,
        VerdictKind::Suspicious,
        CaseEvent::Escalated,
    );
    for (n, (first, then, _)) in table.iter().enumerate() {
        record
            .effects
            .push(effect(case, json!({"a": n, "b": [1]}), *first));
        record
            .effects
            .push(effect(case, json!({"b": [1], "a": n}), *then));
    }
    record
        .effects
        .push(effect(case, json!({"q": 1}), D::AwaitingApproval));
    record
        .effects
        .push(effect(case, json!({"q": 2}), D::AwaitingApproval));
    record.approvals = vec![
        question("close", "0"),
        question("edr.isolate", "1"),
        question("edr.isolate", "2"),
    ];
    let orphan = record.clone();
    assert!(
        matches!(
            store.record(orphan).await.unwrap_err(),
            StoreError::Refused { .. }
        ),
        "an effect that waits needs its question"
    );
    for n in 0..2 {
        record.approvals[n + 1].effect = Some(2 * table.len() + n);
    }
    let recorded = store.record(record).await.unwrap();
    let kept = store.effects_of(case).await.unwrap();
    let stands: Vec<_> = kept.iter().take(table.len()).map(|e| e.decision).collect();
    assert_eq!(stands, table.map(|t| t.2));
    let asked: Vec<_> = kept[table.len()..].iter().map(|e| e.approval).collect();
    assert_eq!(
        asked,
        [Some(recorded.approvals[1]), Some(recorded.approvals[2])]
    );
}

pub(crate) async fn the_hourly_cap_of_closes_is_held_where_they_are_stored(store: &Store) {
    for (n, who) in (1..=3).zip(["ann", "bob", "cyd"]) {
        let (claim, alert) = claimed(store, n, who).await;
        let end = |event| {
            let mut record = ending(&claim, &alert, VerdictKind::BenignPositive, event);
            record.close_cap = 2;
            record
        };
        match store.record(end(CaseEvent::Closed)).await {
            Ok(_) => assert!(n < 3),
            Err(StoreError::CapReached { most: 2, .. }) => {
                assert_eq!(n, 3);
                store.record(end(CaseEvent::Escalated)).await.unwrap();
            }
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!(store.closes_since(at(0)).await.unwrap(), 2);
}

pub(crate) async fn nothing_unsure_is_closed_without_a_person(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    for kind in [VerdictKind::Suspicious, VerdictKind::Undetermined] {
        let error = store
            .record(ending(&claim, &alert, kind, CaseEvent::Closed))
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    }
    assert_eq!(store.closes_since(at(0)).await.unwrap(), 0);
    assert_eq!(
        store.case(claim.case).await.unwrap().status,
        CaseStatus::Triaging
    );
}

pub(crate) async fn people_move_cases_too(store: &Store) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let step = |event, outcome| Intervention {
        case: claim.case,
        seen: None,
        event: Some(event),
        outcome,
        verdicts: vec![],
        feedback: Vec::new(),
        events: vec![],
        now: at(5),
    };
    // A person takes the case from under the worker, who then can store nothing.
    store
        .intervene(step(CaseEvent::Escalated, Some(Outcome::Escalated)))
        .await
        .unwrap();
    let late = ending(
        &claim,
        &alert,
        VerdictKind::BenignPositive,
        CaseEvent::Closed,
    );
    assert!(matches!(
        store.record(late).await.unwrap_err(),
        StoreError::LostLease { .. }
    ));
    store
        .intervene(step(CaseEvent::Closed, Some(Outcome::Closed)))
        .await
        .unwrap();
    assert_eq!(store.closes_since(at(0)).await.unwrap(), 0);
    store
        .intervene(step(CaseEvent::Reopened, None))
        .await
        .unwrap();
    let case = store.case(claim.case).await.unwrap();
    assert_eq!((case.status, case.outcome), (CaseStatus::New, None));
}
