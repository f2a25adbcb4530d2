//! Kept answers: a whole one takes the place of the last, an attempt that failed leaves it; and which cases speak against them.

use serde_json::json;
use state::model::{
    BaselineAnswer, BaselineOf, CaseEvent, EntityKind, Role, Suspect, Trust, VerdictKind,
};
use state::store::{NewBaseline, Store};

use crate::make::{LEASE, at, ending, entity, new_alert, opened, stored};

fn of(value: &str) -> BaselineOf {
    BaselineOf {
        query: "history_of".to_owned(),
        value: value.to_owned(),
    }
}

fn new(value: &str, seconds: i64) -> NewBaseline {
    NewBaseline {
        of: of(value),
        asked_of: "siem".to_owned(),
        answer: BaselineAnswer {
            since: at(seconds - 100),
            until: at(seconds - 10),
            computed: at(seconds),
            rows: vec![json!({"n": seconds})],
        },
    }
}

pub(crate) async fn an_attempt_that_failed_leaves_the_last_whole_answer(store: &Store) {
    let mark = |value: &'static str, seconds| async move {
        let (of, why) = (of(value), ("siem", "it is down"));
        let marked = store.mark_baseline_stale(&of, why, at(seconds));
        marked.await.unwrap();
        store.baseline(&of).await.unwrap().unwrap()
    };
    assert_eq!(store.baseline(&of("Ann")).await.unwrap(), None);
    let never = mark("bo", 1).await;
    assert_eq!((never.answer, never.tried), (None, at(1)));
    assert_eq!(never.stale.as_deref(), Some("it is down"));
    store.keep_baseline(&new("Ann", 1_000)).await.unwrap();
    let stale = mark("Ann", 2_000).await;
    assert_eq!(stale.answer, Some(new("Ann", 1_000).answer));
    assert_eq!((stale.tried, stale.stale.is_some()), (at(2_000), true));
    store.keep_baseline(&new("Ann", 3_000)).await.unwrap();
    let fresh = store.baseline(&of("Ann")).await.unwrap().unwrap();
    assert_eq!(fresh.answer, Some(new("Ann", 3_000).answer));
    assert_eq!((fresh.tried, fresh.stale), (at(3_000), None));
    assert_eq!(store.baselines(Some("aNN")).await.unwrap().len(), 1);
    assert_eq!(store.baselines(None).await.unwrap().len(), 2);
    assert_eq!(store.forget_baselines(at(3_000)).await.unwrap(), 1);
    assert_eq!(store.baseline(&of("bo")).await.unwrap(), None);
    let backwards = NewBaseline {
        answer: BaselineAnswer {
            until: at(3_001),
            ..new("Ann", 3_000).answer
        },
        ..new("Ann", 3_000)
    };
    assert!(store.keep_baseline(&backwards).await.is_err());
}

pub(crate) async fn open_and_malicious_cases_are_suspect(store: &Store) {
    let ended = [
        ("closed", VerdictKind::FalsePositive, CaseEvent::Closed),
        ("bad", VerdictKind::TruePositive, CaseEvent::Escalated),
        ("open", VerdictKind::Undetermined, CaseEvent::Escalated),
    ];
    for (n, (who, kind, event)) in (1..).zip(ended) {
        let (case, alert) = opened(store, n * 10, who).await;
        let (claim, _) = store.claim("w", at(1), LEASE).await.unwrap().unwrap();
        assert_eq!(claim.case, case);
        store
            .record(ending(&claim, &alert, kind, event))
            .await
            .unwrap();
    }
    let (case, _) = opened(store, 40, "new").await;
    let mut later = new_alert(55, "new");
    let hearsay = entity(EntityKind::User, "named", Role::Target, Trust::Untrusted);
    later.entities.push(hearsay);
    let later = stored(store, later).await;
    store.join_case(case, &later, at(56), vec![]).await.unwrap();
    let keys = ["closed", "bad", "open", "new", "named", "nobody"].map(str::to_owned);
    let suspect = |key: &str, (first, last), malicious| Suspect {
        key: key.to_owned(),
        first: at(first),
        last: at(last),
        closed: None,
        malicious,
    };
    assert_eq!(
        store.suspects(&keys).await.unwrap(),
        [
            suspect("bad", (20, 20), true),
            suspect("new", (40, 55), false),
            suspect("open", (30, 30), false),
        ]
    );
}
