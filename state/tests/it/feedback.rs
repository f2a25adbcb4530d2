//! What people said of alerts: the last word counts, and none is changed or forgotten.

use state::model::{AlertId, CaseId, Feedback, Likeness, VerdictKind};
use state::store::{Intervention, Store};

use crate::make::{at, opened};

pub(crate) fn word(case: CaseId, alert: AlertId, kind: VerdictKind, seconds: i64) -> Intervention {
    Intervention {
        case,
        seen: None,
        event: None,
        outcome: None,
        verdicts: Vec::new(),
        feedback: vec![Feedback {
            alert,
            kind,
            by: "ana".to_owned(),
            channel: "command line as ana".to_owned(),
            note: "'; DROP TABLE feedback; --".to_owned(),
            likeness: Likeness {
                principal: "ann".to_owned(),
                shape: "s".to_owned(),
                content: "c".to_owned(),
            },
            signals: vec!["new_address".to_owned()],
            at: at(seconds),
        }],
        events: Vec::new(),
        now: at(seconds),
    }
}

pub(crate) async fn the_last_word_on_an_alert_counts(store: &Store) {
    let (case, alert) = opened(store, 3, "ann").await;
    let (other, _) = opened(store, 6, "ann").await;
    for (kind, seconds) in [
        (VerdictKind::BenignPositive, 10),
        (VerdictKind::TruePositive, 11),
    ] {
        store
            .intervene(word(case, alert.id, kind, seconds))
            .await
            .unwrap();
    }
    let rule = ("siem", alert.rule.id.as_str());
    let known = store.precedents(rule, at(0), at(100)).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!(
        (known[0].kind, known[0].case),
        (VerdictKind::TruePositive, case)
    );
    assert_eq!(known[0].signals, ["new_address"]);
    assert_eq!(known[0].likeness.content, "c");
    // Bounds are of the alert's time: from this second on, and before that one.
    for (since, until, found) in [(3, 4, 1), (4, 100, 0), (0, 3, 0)] {
        let known = store.precedents(rule, at(since), at(until)).await.unwrap();
        assert_eq!(known.len(), found, "{since}..{until}");
    }
    assert!(
        store
            .precedents(("other", rule.1), at(0), at(100))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store
            .feedback_since(at(11), Some(case))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.feedback_since(at(12), None).await.unwrap().len(), 0);
    assert_eq!(
        store.fired(rule, "ann", (at(0), at(100))).await.unwrap(),
        (2, 2)
    );
    assert_eq!(
        store.fired(rule, "bob", (at(0), at(6))).await.unwrap(),
        (1, 0)
    );
    // A word that warns comes first, however new the others are.
    let (later, newer) = opened(store, 9, "ann").await;
    let harmless = word(later, newer.id, VerdictKind::BenignPositive, 13);
    store.intervene(harmless).await.unwrap();
    let known = store.precedents(rule, at(0), at(100)).await.unwrap();
    let kinds: Vec<_> = known.iter().map(|w| w.kind).collect();
    assert_eq!(
        kinds,
        [VerdictKind::TruePositive, VerdictKind::BenignPositive]
    );
    // A word on an alert of another case changes nothing.
    let wrong = store
        .intervene(word(other, alert.id, VerdictKind::BenignPositive, 12))
        .await;
    assert!(wrong.is_err(), "{wrong:?}");
    let known = store.precedents(rule, at(0), at(100)).await.unwrap();
    assert_eq!(known[0].kind, VerdictKind::TruePositive);
}
