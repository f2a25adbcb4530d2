//! A person takes alerts out of a case: what moves, what is worked again, what stays apart.

use serde_json::json;
use state::model::{
    Alert, ApprovalState, CaseEvent, CaseId, CaseStatus, Mention, Mentions, Part, TimelineKind,
    VerdictKind,
};
use state::store::{Split, Store, StoreError};

use crate::make::{LEASE, at, ending, new_alert, question, stored};

async fn named(store: &Store, n: i64, who: &str) -> Alert {
    let alert = stored(store, new_alert(n, who)).await;
    let key = format!("user:{who}");
    let named = Mentions {
        all: vec![Mention {
            part: Part::User,
            key: key.clone(),
        }],
        actor: key,
        place: String::new(),
    };
    store.note_mentions(&[(&alert, &named)]).await.unwrap();
    alert
}

/// A case of three alerts, of the rules 0, 1 and 2.
async fn three(store: &Store) -> (CaseId, Vec<Alert>) {
    let mut alerts = Vec::new();
    for (n, who) in [(0, "ann"), (1, "ann"), (2, "bob")] {
        alerts.push(named(store, n, who).await);
    }
    let case = store.open_case(&alerts[0], "t", at(0), vec![]).await;
    let case = case.unwrap().id;
    for alert in &alerts[1..] {
        store.join_case(case, alert, at(0), vec![]).await.unwrap();
    }
    (case, alerts)
}

fn split(from: CaseId, alerts: &[&Alert]) -> Split {
    Split {
        from,
        alerts: alerts.iter().map(|a| a.id).collect(),
        title: "split off".to_owned(),
        by: "ana".to_owned(),
        why: "another story".to_owned(),
        now: at(50),
    }
}

pub(crate) async fn a_split_moves_alerts_and_keeps_them_apart(store: &Store) {
    let (case, alerts) = three(store).await;
    let (claim, _) = store.claim("w", at(1), LEASE).await.unwrap().unwrap();
    let mut record = ending(
        &claim,
        &alerts[0],
        VerdictKind::BenignPositive,
        CaseEvent::Asked,
    );
    for alert in &alerts[1..] {
        let mut verdict = record.verdicts[0].clone();
        verdict.alert = alert.id;
        record.verdicts.push(verdict);
    }
    record.approvals.push(question("close", "d"));
    store.record(record).await.unwrap();

    let to = store.split_case(&split(case, &[&alerts[2]])).await.unwrap();
    let ids = |alerts: Vec<Alert>| alerts.iter().map(|a| a.id.0).collect::<Vec<_>>();
    let (left, moved) = (
        store.alerts_of(case).await.unwrap(),
        store.alerts_of(to).await.unwrap(),
    );
    assert_eq!(ids(left), ids(alerts[..2].to_vec()));
    assert_eq!(ids(moved), ids(alerts[2..].to_vec()));
    for (id, alert_time, verdicts, entities) in [(case, 0, 2, "ann"), (to, 2, 0, "bob")] {
        let found = store.case(id).await.unwrap();
        assert_eq!(found.status, CaseStatus::New, "{found:?}");
        assert_eq!((found.alert_time, found.outcome), (at(alert_time), None));
        let verdicts_now = store.current_verdicts(id).await.unwrap();
        assert_eq!(verdicts_now.len(), verdicts);
        let who = store.entities_of(id).await.unwrap();
        assert_eq!(who.iter().map(|e| &e.value).collect::<Vec<_>>(), [entities]);
    }
    assert_eq!(
        store.approvals(None).await.unwrap()[0].state,
        ApprovalState::Expired,
        "a close that was asked about other alerts lapses"
    );
    for (id, kind) in [(case, TimelineKind::Answered), (to, TimelineKind::Opened)] {
        let told = store.timeline(id).await.unwrap();
        let told = told.iter().find(|e| e.kind == kind && e.actor == "ana");
        assert!(told.unwrap().message.contains("another story"), "{told:?}");
    }
    let audit = store.audit_of(case).await.unwrap();
    let entry = &audit.iter().find(|e| e.entry["kind"] == "split").unwrap();
    assert_eq!(entry.entry["alerts"], json!([alerts[2].id.0]));
    assert_eq!(entry.entry["by"], "ana");

    let keys = ["user:ann".to_owned(), "user:bob".to_owned()];
    let candidates = store.candidates(&keys, at(0), at(60)).await.unwrap();
    let apart = |id: CaseId| {
        let found = candidates.iter().find(|c| c.case.id == id).unwrap();
        let apart = found.apart.iter();
        apart
            .map(|a| format!("{} {}", a.rule_id, a.actor))
            .collect::<Vec<_>>()
    };
    assert_eq!(apart(case), ["r-2 user:bob"]);
    assert_eq!(apart(to), ["r-0 user:ann", "r-1 user:ann"]);
    // What was split is worked like any other case, and can be split no further.
    let (claim, found) = store.claim("w", at(60), LEASE).await.unwrap().unwrap();
    assert_eq!((found.id, claim.fence), (case, 2));
    let again = store.split_case(&split(to, &[&alerts[2]])).await;
    assert!(matches!(again, Err(StoreError::Refused { .. })));
}

pub(crate) async fn what_can_not_be_split_stays_as_it_was(store: &Store) {
    let (case, alerts) = three(store).await;
    let stranger = named(store, 7, "eve").await;
    for (alerts, why) in [
        (vec![], "none or all"),
        (alerts.iter().collect(), "none or all"),
        (vec![&alerts[0], &stranger], "not in"),
    ] {
        let refused = store.split_case(&split(case, &alerts)).await.unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let missing = store.split_case(&split(CaseId(99), &[&alerts[0]])).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
    store.claim("w", at(1), LEASE).await.unwrap().unwrap();
    let held = store.split_case(&split(case, &[&alerts[0]])).await;
    let held = held.unwrap_err().to_string();
    assert!(held.contains("while a worker holds it"), "{held}");
    assert_eq!(store.alerts_of(case).await.unwrap().len(), 3);
    assert_eq!(store.audit_of(case).await.unwrap(), []);
}
