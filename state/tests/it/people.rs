//! What people say and are told: votes, takeovers, posts and batches.

use serde_json::{Value, json};
use state::model::{
    Answered, ApprovalState, Batch, CaseEvent, CaseId, CaseStatus, EffectDecision, NewPost,
    PostState, Takeover, TimelineEvent, TimelineKind, VerdictKind,
};
use state::store::{ApprovalAnswer, NewApproval, Store, StoreError};

use crate::make::{self, at, claimed, effect, ending, question};

/// A case that waits for one question with so many yeses.
async fn asked(store: &Store, needed: i64) -> (CaseId, i64) {
    let (claim, alert) = claimed(store, 1, "ann").await;
    let mut record = ending(
        &claim,
        &alert,
        VerdictKind::BenignPositive,
        CaseEvent::Asked,
    );
    let waits = EffectDecision::AwaitingApproval;
    record.effects = vec![effect(claim.case, json!({}), waits)];
    record.approvals = vec![NewApproval {
        needed,
        effect: Some(0),
        ..question("edr.isolate", "n")
    }];
    let recorded = store.record(record).await.unwrap();
    (claim.case, recorded.approvals[0])
}

fn says(approval: i64, by: &str, answered: Answered) -> ApprovalAnswer {
    ApprovalAnswer {
        by: by.to_owned(),
        reason: "because".to_owned(),
        at: at(50),
        ..make::says(approval, answered)
    }
}

pub(crate) async fn two_people_must_say_yes_and_each_counts_once(store: &Store) {
    let (case, id) = asked(store, 2).await;
    let yes = |by| store.answer_approval(says(id, by, Answered::Approved));
    assert_eq!(yes("ana").await.unwrap().state, ApprovalState::Pending);
    let again = yes("ana").await.unwrap_err();
    assert!(matches!(again, StoreError::Refused { .. }), "{again}");
    let status = async || store.case(case).await.unwrap().status;
    assert_eq!(status().await, CaseStatus::AwaitingApproval);
    assert_eq!(yes("bo").await.unwrap().state, ApprovalState::Approved);
    assert_eq!(status().await, CaseStatus::New);
    assert!(yes("cy").await.is_err(), "it is decided");
    let votes = store.votes_of(id).await.unwrap();
    let people: Vec<&str> = votes.iter().map(|v| v.person.as_str()).collect();
    assert_eq!(people, ["ana", "bo"]);
    let told = store.timeline(case).await.unwrap();
    assert!(
        told.iter().any(|e| e.message.contains("1 of 2")),
        "{told:?}"
    );
}

pub(crate) async fn one_no_ends_it(store: &Store) {
    let (_, id) = asked(store, 2).await;
    let yes = says(id, "ana", Answered::Approved);
    store.answer_approval(yes).await.unwrap();
    let no = store
        .answer_approval(says(id, "bo", Answered::Denied))
        .await;
    assert_eq!(no.unwrap().state, ApprovalState::Denied);
    let late = store
        .answer_approval(says(id, "cy", Answered::Approved))
        .await;
    assert!(late.is_err(), "{late:?}");
}

pub(crate) async fn a_takeover_ends_what_was_asked(store: &Store) {
    let (case, id) = asked(store, 1).await;
    let taken = Takeover {
        case,
        by: "ana".to_owned(),
        channel: "test".to_owned(),
        at: at(60),
    };
    store.take_over(&taken).await.unwrap();
    let twice = store.take_over(&taken).await.unwrap_err();
    assert!(matches!(twice, StoreError::Refused { .. }), "{twice}");
    assert_eq!(store.owner_of(case).await.unwrap().as_deref(), Some("ana"));
    assert_eq!(
        store.case(case).await.unwrap().status,
        CaseStatus::Escalated
    );
    let asked = store.approval(id).await.unwrap();
    assert_eq!(asked.state, ApprovalState::Expired);
    let audit = store.audit_of(case).await.unwrap();
    assert!(
        audit.iter().any(|e| e.entry["kind"] == "takeover"),
        "{audit:?}"
    );
}

fn post(key: &str, under: Option<&str>, body: &Value) -> NewPost {
    NewPost {
        notifier: "n".to_owned(),
        key: key.to_owned(),
        case: None,
        under: under.map(str::to_owned),
        body: body.clone(),
        seq: 1,
        settles: false,
    }
}

pub(crate) async fn a_post_is_due_until_people_see_what_it_says(store: &Store) {
    let (one, two) = (json!({"says": 1}), json!({"says": 2}));
    let put = |body: &Value| {
        let posts = vec![post("a", None, body), post("b", Some("a"), &json!({}))];
        async move { store.queue_posts(&posts, at(1)).await.unwrap() }
    };
    let due = async |seconds| {
        let due = store.due_posts("n", at(seconds), 10).await.unwrap();
        due.into_iter().map(|p| p.key).collect::<Vec<_>>()
    };
    put(&one).await;
    assert_eq!(due(1).await, ["a"], "what belongs under it waits");
    let first = store.due_posts("n", at(1), 10).await.unwrap().remove(0);
    store
        .post_failed(first.id, Some(at(10)), "down")
        .await
        .unwrap();
    assert_eq!(due(9).await, Vec::<String>::new());
    // Another body came while the first was on its way.
    put(&two).await;
    store
        .post_shown(&first, &json!("here"), at(11))
        .await
        .unwrap();
    // What nobody has seen at all goes first.
    assert_eq!(due(11).await, ["b", "a"]);
    let second = store.due_posts("n", at(11), 10).await.unwrap().remove(1);
    assert_eq!(
        (second.body.clone(), second.place.clone()),
        (two.clone(), Some(json!("here")))
    );
    store
        .post_shown(&second, &json!("here"), at(12))
        .await
        .unwrap();
    put(&two).await;
    assert_eq!(due(12).await, ["b"], "it says that already");
    let under = store.due_posts("n", at(12), 10).await.unwrap().remove(0);
    assert_eq!(under.under, Some(json!("here")));
    store
        .post_failed(under.id, None, "no such channel")
        .await
        .unwrap();
    put(&two).await;
    let failed = store.posts(Some(PostState::Failed), 10).await.unwrap();
    assert_eq!(
        failed[0].why, "no such channel",
        "it is not tried again by itself"
    );
    assert_eq!(store.retry_posts(at(13)).await.unwrap(), 1);
    assert_eq!(due(13).await, ["b"]);
}

pub(crate) async fn a_batch_is_the_last_of_its_question(store: &Store) {
    let batch = |approvals: &[i64], digest: &str, root| Batch {
        id: 0,
        likeness: "l".to_owned(),
        root,
        approvals: approvals.to_vec(),
        digest: digest.to_owned(),
        sample: vec![CaseId(1)],
        split: false,
    };
    let first = store
        .add_batch(&batch(&[1, 2], "x", 0), at(1))
        .await
        .unwrap();
    let same = store
        .add_batch(&batch(&[1, 2], "x", 0), at(2))
        .await
        .unwrap();
    assert_eq!((first.id, first.root), (same.id, first.id));
    let more = batch(&[1, 2, 3], "y", first.root);
    let more = store.add_batch(&more, at(3)).await.unwrap();
    assert_eq!(store.batch_of(first.root).await.unwrap(), more);
    assert_eq!(store.last_batch("l").await.unwrap(), Some(more.clone()));
    let entry = json!({"kind": "batch", "batch": more.id, "answer": "apart", "by": "ana"});
    let log = async || store.audit_head().await.unwrap().seq;
    let before = log().await;
    store.split_batch(more.id, at(4), &entry).await.unwrap();
    let on_record = store.audit(before + 1, 10).await.unwrap();
    assert_eq!(on_record.len(), 1);
    assert_eq!(on_record[0].entry, entry);
    let twice = store.split_batch(more.id, at(4), &entry).await;
    assert!(
        matches!(twice, Err(StoreError::Refused { .. })),
        "{twice:?}"
    );
    assert_eq!(
        log().await,
        before + 1,
        "what was not done is not on record"
    );
    assert!(store.batch(more.id).await.unwrap().split);
    assert!(!store.batch(first.id).await.unwrap().split);
    let other = store.add_batch(&batch(&[4], "z", 0), at(4)).await.unwrap();
    assert_eq!(other.root, other.id, "a new question is a card of its own");
}

pub(crate) async fn what_has_changed_is_found_from_a_mark_on(store: &Store) {
    let began = store.mark().await.unwrap();
    let (case, _) = asked(store, 1).await;
    let changes = store.changes(began).await.unwrap();
    assert_eq!(
        (&changes.cases[..], &changes.apart[..]),
        (&[case][..], &[][..])
    );
    let quiet = store.changes(changes.to).await.unwrap();
    assert_eq!((quiet.to, quiet.cases.len()), (changes.to, 0));

    let event = TimelineEvent::ours(case, at(9), TimelineKind::Flagged, "something");
    store.add_events(vec![event.clone(), event]).await.unwrap();
    let batch = Batch {
        id: 0,
        likeness: "changes".to_owned(),
        root: 0,
        approvals: vec![1],
        digest: "d".to_owned(),
        sample: Vec::new(),
        split: false,
    };
    let batch = store.add_batch(&batch, at(9)).await.unwrap();
    let refused = json!({"kind": "batch", "batch": 99, "decision": "deny"});
    store.append_audit(at(9), &refused).await.unwrap();
    let entry = json!({"kind": "batch", "batch": batch.id});
    store.split_batch(batch.id, at(9), &entry).await.unwrap();
    let changes = store.changes(quiet.to).await.unwrap();
    assert_eq!(
        (changes.cases, changes.apart),
        (vec![case], vec![batch.id]),
        "each once, and what was refused is no change"
    );
    let quiet = store.changes(changes.to).await.unwrap();
    assert_eq!((quiet.cases.len(), quiet.apart.len()), (0, 0));
}

pub(crate) async fn a_batch_is_one_however_many_gather_it(store: &Store) {
    let batch = Batch {
        id: 0,
        likeness: "many".to_owned(),
        root: 0,
        approvals: vec![1, 2],
        digest: "x".to_owned(),
        sample: vec![CaseId(1)],
        split: false,
    };
    let mut gathering = Vec::new();
    for _ in 0..16 {
        let (store, batch) = (store.clone(), batch.clone());
        gathering.push(tokio::spawn(
            async move { store.add_batch(&batch, at(1)).await },
        ));
    }
    let mut ids = Vec::new();
    for one in gathering {
        ids.push(one.await.unwrap().unwrap().id);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    // One who has found fewer, or more, asks the same question.
    let of = |approvals: &[i64], digest: &str| Batch {
        approvals: approvals.to_vec(),
        digest: digest.to_owned(),
        ..batch.clone()
    };
    let fewer = store.add_batch(&of(&[2], "y"), at(2)).await.unwrap();
    assert_eq!(fewer.id, ids[0]);
    let more = store.add_batch(&of(&[2, 3], "z"), at(3)).await.unwrap();
    assert_eq!((more.id > ids[0], more.root), (true, ids[0]));
}
