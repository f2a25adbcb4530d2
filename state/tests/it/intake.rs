//! Deliveries, duplicates, and which case an alert is in.

use serde_json::json;
use state::model::{
    ApprovalState, CaseEvent, CaseId, CaseStatus, Cursor, Mention, Mentions, NewAlert, Part,
    TimelineEvent, TimelineKind, VerdictKind,
};
use state::store::{DeadLetter, Spread, Store, StoreError};

use crate::make::{LEASE, at, claimed, ending, kinds, new_alert, opened, question, stored};

fn cursor(n: i64) -> Cursor {
    Cursor {
        source: "siem".to_owned(),
        position: json!({"offset": n}),
    }
}

fn letter(text: &str) -> DeadLetter {
    DeadLetter {
        source: "siem".to_owned(),
        raw: text.as_bytes().to_vec(),
        reason: "not JSON".to_owned(),
    }
}

pub(crate) async fn a_delivery_is_stored_whole_or_not_at_all(store: &Store) {
    let good: Vec<NewAlert> = (0..5).map(|n| new_alert(n, "ann")).collect();
    store
        .store_alerts(&good[..1], &[], Some(&cursor(1)), at(0))
        .await
        .unwrap();
    let mut bad = good.clone();
    bad[3].source_alert_id = String::new();
    let error = store
        .store_alerts(&bad, &[letter("x")], Some(&cursor(2)), at(0))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.alerts, counts.dead_letters), (1, 0));
    assert_eq!(store.cursor("siem").await.unwrap(), Some(cursor(1)));
    assert_eq!(store.cursor("other").await.unwrap(), None);

    // The same delivery without the bad one goes through.
    let received = store
        .store_alerts(&good, &[letter("x")], Some(&cursor(2)), at(0))
        .await
        .unwrap();
    let new: Vec<bool> = received.iter().map(|r| r.new).collect();
    assert_eq!(new, [false, true, true, true, true]);
    assert_eq!(store.cursor("siem").await.unwrap(), Some(cursor(2)));
}

pub(crate) async fn one_alert_however_often_and_in_whatever_order_it_comes(store: &Store) {
    let alerts: Vec<NewAlert> = (0..20).map(|n| new_alert(n, "ann")).collect();
    let mut new = 0;
    for round in 0..10_usize {
        // 7 and 20 share no divisor: another order each round, and one alert twice in one delivery.
        let mut delivery: Vec<NewAlert> = (0..20)
            .map(|i| alerts[(i * 7 + round) % 20].clone())
            .collect();
        delivery.push(delivery[3].clone());
        let received = store
            .store_alerts(&delivery, &[], None, at(0))
            .await
            .unwrap();
        for (sent, got) in delivery.iter().zip(&received) {
            let kept = store.alert(got.alert).await.unwrap();
            assert_eq!(&kept.data, sent);
        }
        new += received.iter().filter(|r| r.new).count();
    }
    assert_eq!(new, 20);
    let waiting = store.alerts_without_case(100).await.unwrap();
    let times: Vec<_> = waiting.iter().map(|a| a.time).collect();
    assert_eq!(times, (0..20).map(at).collect::<Vec<_>>());

    let case = store
        .open_case(&waiting[4], "t", at(0), vec![])
        .await
        .unwrap();
    let again = store
        .store_alerts(&alerts[4..5], &[], None, at(9))
        .await
        .unwrap();
    assert_eq!((again[0].new, again[0].case), (false, Some(case.id)));
    assert_eq!(store.alerts_without_case(100).await.unwrap().len(), 19);
    let mut elsewhere = alerts[4].clone();
    elsewhere.source = "other".to_owned();
    assert!(stored(store, elsewhere).await.id != waiting[4].id);
}

pub(crate) async fn a_replayed_dead_letter_is_kept_once(store: &Store) {
    for text in ["one", "two", "one", "\u{0}\u{ff}", "one"] {
        store
            .store_alerts(&[], &[letter(text)], None, at(3))
            .await
            .unwrap();
    }
    let kept = store.dead_letters(10).await.unwrap();
    assert_eq!(kept.len(), 3);
    assert_eq!(store.dead_letter_count().await.unwrap(), 3);
    assert_eq!(kept[0].letter, letter("\u{0}\u{ff}"));
    assert_eq!(kept[0].received, at(3));
}

fn mention(part: Part, key: &str) -> Mention {
    Mention {
        part,
        key: key.to_owned(),
    }
}

fn mentions(actor: &str, place: &str, all: Vec<Mention>) -> Mentions {
    let (actor, place) = (actor.to_owned(), place.to_owned());
    Mentions { all, actor, place }
}

pub(crate) async fn an_alert_has_one_case_and_candidates_share_what_alerts_name(store: &Store) {
    let first = stored(store, new_alert(10, "Ann@X.example")).await;
    let named = mentions(
        "user:ann",
        "host:web-1",
        vec![
            mention(Part::User, "user:ann"),
            mention(Part::Host, "host:web-1"),
        ],
    );
    for _ in 0..2 {
        store.note_mentions(&[(&first, &named)]).await.unwrap();
    }
    let ann = ["user:ann".to_owned()];
    let none = store.candidates(&ann, at(0), at(20)).await.unwrap();
    assert_eq!(none, [], "an alert without a case is no candidate");
    let case = store.open_case(&first, "t", at(0), vec![]).await.unwrap();
    let second = store
        .open_case(&first, "t", at(0), vec![])
        .await
        .unwrap_err();
    assert!(matches!(second, StoreError::Refused { .. }), "{second}");
    assert_eq!(store.counts().await.unwrap().cases[&CaseStatus::New], 1);

    for (key, since, until, found) in [
        ("user:ann", 0, 20, true),
        ("user:ann", 10, 10, true),
        ("host:web-1", 0, 20, true),
        ("user:ann", 11, 20, false),
        ("user:ann", 0, 9, false),
        ("host:ann", 0, 20, false),
        ("%", 0, 20, false),
    ] {
        let keys = [key.to_owned(), "user:nobody".to_owned()];
        let candidates = store.candidates(&keys, at(since), at(until)).await.unwrap();
        assert_eq!(
            candidates.len(),
            usize::from(found),
            "{key} {since} {until}"
        );
        if let Some(candidate) = candidates.first() {
            assert_eq!(candidate.case, case);
            let [shared] = candidate.shared.as_slice() else {
                panic!("{candidate:?}")
            };
            assert_eq!(shared.key, key);
            assert_eq!(candidate.rules, ["r-1".to_owned()]);
            assert_eq!(candidate.worst, None);
        }
    }

    let (claim, _) = store.claim("w", at(1), LEASE).await.unwrap().unwrap();
    store
        .record(ending(
            &claim,
            &first,
            VerdictKind::TruePositive,
            CaseEvent::Escalated,
        ))
        .await
        .unwrap();
    let candidates = store.candidates(&ann, at(0), at(20)).await.unwrap();
    assert!(candidates[0].is_incident());
    let incident = ["ann@x.example".to_owned()];
    let (other, _) = opened(store, 11, "ann@x.example").await;
    let found = store.open_incidents(&incident, other).await.unwrap();
    assert_eq!(found, [case.id]);
    assert_eq!(store.open_incidents(&incident, case.id).await.unwrap(), []);
}

pub(crate) async fn an_entity_spreads_over_actors_and_machines(store: &Store) {
    for (n, who, host) in [(1, "ann", "a"), (2, "bob", "a"), (3, "bob", "b")] {
        let alert = stored(store, new_alert(n, who)).await;
        let (actor, place) = (format!("user:{who}"), format!("host:{host}"));
        let all = vec![mention(Part::User, &actor), mention(Part::Host, &place)];
        let named = mentions(&actor, &place, all);
        store.note_mentions(&[(&alert, &named)]).await.unwrap();
    }
    let keys = ["user:ann", "user:bob", "host:a", "host:b", "host:c"].map(str::to_owned);
    let told = |spread: Vec<Spread>| {
        let told = spread.iter().map(|s| (s.key.clone(), s.actors, s.places));
        told.collect::<Vec<_>>()
    };
    let all = told(store.spread(&keys, at(0), at(9)).await.unwrap());
    let want = [
        ("host:a", 2, 1),
        ("host:b", 1, 1),
        ("user:ann", 1, 1),
        ("user:bob", 1, 2),
    ];
    assert_eq!(all, want.map(|(k, a, p)| (k.to_owned(), a, p)));
    let late = told(store.spread(&keys[2..3], at(2), at(9)).await.unwrap());
    assert_eq!(late, [("host:a".to_owned(), 1, 1)]);
}

/// A case that its run ended as `event` says; without an event it is still in the queue.
async fn ended(store: &Store, n: i64, event: Option<CaseEvent>) -> CaseId {
    let Some(event) = event else {
        return opened(store, n, "ann").await.0;
    };
    let (claim, alert) = claimed(store, n, "ann").await;
    if event != CaseEvent::Claimed {
        let mut record = ending(&claim, &alert, VerdictKind::BenignPositive, event);
        if event == CaseEvent::Asked {
            record.approvals.push(question("close", "d"));
        }
        store.record(record).await.unwrap();
    }
    claim.case
}

pub(crate) async fn joining_works_the_case_again_only_when_it_had_ended(store: &Store) {
    use CaseEvent as E;
    use CaseStatus as S;
    for (n, event, status, told) in [
        (0, Some(E::Claimed), S::Triaging, "opened claimed joined"),
        (
            10,
            Some(E::Closed),
            S::New,
            "opened claimed verdict_given closed joined",
        ),
        (
            20,
            Some(E::Escalated),
            S::New,
            "opened claimed verdict_given escalated joined",
        ),
        (
            30,
            Some(E::Asked),
            S::New,
            "opened claimed verdict_given asked joined answered",
        ),
        (40, None, S::New, "opened joined"),
    ] {
        let case = ended(store, n, event).await;
        let alert = stored(store, new_alert(n + 1, "bob")).await;
        let joined = TimelineEvent::ours(case, at(5), TimelineKind::Joined, "joined");
        store
            .join_case(case, &alert, at(5), vec![joined])
            .await
            .unwrap();
        let after = store.case(case).await.unwrap();
        assert_eq!(
            (after.status, after.outcome, after.updated),
            (status, None, at(5))
        );
        assert_eq!(store.alerts_of(case).await.unwrap().len(), 2);
        assert_eq!(kinds(store, case).await, told);
        // Out of the way of the next line, whose case must be the only one in the queue.
        while store.claim("w", at(6), LEASE).await.unwrap().is_some() {}
    }
    let pending = store.approvals(Some(ApprovalState::Pending)).await.unwrap();
    assert!(pending.is_empty());
}

pub(crate) async fn an_abandoned_delivery_leaves_all_or_nothing(store: &Store) {
    for n in 0..40_i64 {
        let mine = store.clone();
        let delivery = tokio::spawn(async move {
            let alerts: Vec<NewAlert> = (0..10).map(|i| new_alert(n * 10 + i, "ann")).collect();
            mine.store_alerts(&alerts, &[], Some(&cursor(n)), at(0))
                .await
        });
        // Abandoned a little later each time, so that it is caught in different places.
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        delivery.abort();
        let _ = delivery.await;
    }
    let alerts = store.counts().await.unwrap().alerts;
    assert_eq!(alerts % 10, 0, "{alerts} alerts");
    let last = [new_alert(9_999, "ann")];
    store
        .store_alerts(&last, &[], Some(&cursor(99)), at(0))
        .await
        .unwrap();
    assert_eq!(store.counts().await.unwrap().alerts, alerts + 1);
}
