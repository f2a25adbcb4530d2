//! The outbox against a clock that goes by hand: what becomes a post, what changes one, when people are reminded.

use std::time::Duration;

use agent::approvals::{Answer, ForAll, answer, answer_all, take_apart, take_over};
use agent::notify::{Post, PostError};
use agent::rights::Who;
use chrono::TimeDelta;
use state::model::{
    Answered, CaseId, CaseStatus, PostState, RuleAt, Switch, SwitchState, Turn, VerdictKind,
};
use tests::board::{Board, Pinned};
use tests::desk::Desk;
use tests::past::{Past, leave, leave_proposed};

use super::desk;

fn rule() -> RuleAt {
    RuleAt {
        source: "siem".to_owned(),
        rule: "beacon".to_owned(),
    }
}

async fn proposed(desk: &Desk, names: &[&str]) -> Vec<(CaseId, i64)> {
    let now = desk.ctx.now();
    let until = now + TimeDelta::hours(4);
    leave_proposed(&desk.ctx.store, &rule(), names, (now, until))
        .await
        .unwrap()
}

fn cards(board: &Board) -> Vec<Pinned> {
    let seen = board.seen();
    let tops = seen.into_iter().filter(|p| p.under.is_none());
    tops.collect()
}

fn yes(id: i64, by: &str, desk: &Desk) -> Answer {
    Answer {
        id,
        answered: Answered::Approved,
        who: Who::at_shell(by, "test"),
        reason: String::new(),
        at: desk.ctx.now(),
    }
}

#[tokio::test]
async fn a_case_is_one_card_that_follows_it() {
    let (desk, board) = desk("notify").await;
    let [(case, id)] = proposed(&desk, &["backup"]).await[..] else {
        panic!("one case");
    };
    board.beat(&desk.ctx).await.unwrap();
    assert!(board.seen().is_empty(), "others like it may still come");
    desk.clock.forward(TimeDelta::minutes(3));
    for _ in 0..2 {
        board.beat(&desk.ctx).await.unwrap();
    }
    let seen = board.seen();
    let [
        Pinned {
            post: Post::Case(card),
            changed: 0,
            ..
        },
    ] = &seen[..]
    else {
        panic!("{seen:?}");
    };
    assert_eq!((card.case, card.asks[0].approval), (case, id));
    assert_eq!(card.asks[0].digest.len(), 64);

    answer(&desk.ctx.store, desk.ctx.rights(), yes(id, "ana", &desk))
        .await
        .unwrap();
    board.beat(&desk.ctx).await.unwrap();
    let seen = board.seen();
    let Post::Case(card) = &seen[0].post else {
        panic!("{seen:?}");
    };
    assert_eq!(card.asks[0].answered_by.as_deref(), Some("ana"));
    assert!(seen[1..].iter().all(|p| p.under == Some(0)), "{seen:?}");
    assert!(seen.len() > 1, "what happened stands under the card");
    let post = desk
        .ctx
        .store
        .post("board", &format!("case:{}", case.0))
        .await;
    assert_eq!(post.unwrap().unwrap().state, PostState::Settled);
}

#[tokio::test]
async fn an_outage_delays_and_a_refusal_is_kept_with_its_reason() {
    let (desk, board) = desk("notify").await;
    proposed(&desk, &["backup"]).await;
    desk.clock.forward(TimeDelta::minutes(3));
    let later = |after| PostError::Later {
        after,
        why: "it is down".to_owned(),
    };
    board.fail([later(Some(Duration::from_secs(600))), later(None)]);
    board.beat(&desk.ctx).await.unwrap();
    desk.clock.forward(TimeDelta::seconds(599));
    board.beat(&desk.ctx).await.unwrap();
    let due = desk
        .ctx
        .store
        .posts(Some(PostState::Due), 10)
        .await
        .unwrap();
    assert_eq!(
        due[0].attempts, 1,
        "it is left alone as long as it asks for"
    );
    for _ in 0..2 {
        desk.clock.forward(TimeDelta::seconds(400));
        board.beat(&desk.ctx).await.unwrap();
    }
    assert_eq!(board.seen().len(), 1);

    let turn = Turn {
        switch: Switch::Closing,
        state: SwitchState::Off,
        by: "nightdesk".to_owned(),
        why: "the canary was closed".to_owned(),
        at: desk.ctx.now(),
    };
    desk.ctx.store.turn_switches(&[turn]).await.unwrap();
    board.fail([PostError::Refused {
        why: "there is no such channel".to_owned(),
    }]);
    board.beat(&desk.ctx).await.unwrap();
    let failed = desk
        .ctx
        .store
        .posts(Some(PostState::Failed), 10)
        .await
        .unwrap();
    assert_eq!(failed[0].why, "there is no such channel");
    assert_eq!(desk.ctx.store.retry_posts(desk.ctx.now()).await.unwrap(), 1);
    board.beat(&desk.ctx).await.unwrap();
    let last = board.seen().pop().unwrap();
    let Post::Notice(notice) = last.post else {
        panic!("{last:?}");
    };
    assert!(notice.text.contains("the canary was closed"), "{notice:?}");
}

#[tokio::test]
async fn equal_closes_are_one_question_until_somebody_wants_to_see_each() {
    let (desk, board) = desk("notify").await;
    let first = proposed(&desk, &["a", "b", "c"]).await;
    desk.clock.forward(TimeDelta::minutes(3));
    board.beat(&desk.ctx).await.unwrap();
    let batch = |board: &Board| match cards(board).pop().map(|p| p.post) {
        Some(Post::Batch(card)) => card,
        seen => panic!("{seen:?}"),
    };
    let old = batch(&board);
    assert_eq!((old.count, old.sample.len()), (3, 2));

    // Another one like them joins the question, and an answer to the smaller one no longer counts.
    proposed(&desk, &["d"]).await;
    board.beat(&desk.ctx).await.unwrap();
    let new = batch(&board);
    assert_eq!(new.count, 4);
    let all = |batch: i64| ForAll {
        batch,
        answered: Answered::Approved,
        who: Who::at_shell("ana", "test"),
        reason: String::new(),
        at: desk.ctx.now(),
    };
    let stale = answer_all(&desk.ctx.store, desk.ctx.rights(), all(old.batch)).await;
    assert!(stale.unwrap_err().to_string().contains("has changed since"));
    answer(
        &desk.ctx.store,
        desk.ctx.rights(),
        yes(first[0].1, "bo", &desk),
    )
    .await
    .unwrap();
    let tally = answer_all(&desk.ctx.store, desk.ctx.rights(), all(new.batch))
        .await
        .unwrap();
    assert_eq!((tally.taken, tally.before), (3, 1));
    board.beat(&desk.ctx).await.unwrap();
    let done = batch(&board);
    assert_eq!(
        done.outcome.as_deref(),
        Some("4 closed, 0 kept open, 0 not answered in time; by ana, bo")
    );

    assert_eq!(cards(&board).len(), 1);
    desk.clock.forward(TimeDelta::minutes(1));
    let again = proposed(&desk, &["e", "f", "g"]).await;
    desk.clock.forward(TimeDelta::minutes(3));
    board.beat(&desk.ctx).await.unwrap();
    let third = batch(&board);
    assert_eq!(
        cards(&board).len(),
        2,
        "a settled question is not asked again in its place"
    );
    let who = Who::at_shell("ana", "test");
    let (store, at) = (&desk.ctx.store, desk.ctx.now());
    take_apart(store, desk.ctx.rights(), (third.batch, &who), at)
        .await
        .unwrap();
    for _ in 0..2 {
        board.beat(&desk.ctx).await.unwrap();
    }
    let single: Vec<CaseId> = cards(&board)
        .iter()
        .filter_map(|p| match &p.post {
            Post::Case(card) => Some(card.case),
            _ => None,
        })
        .collect();
    assert_eq!(single, again.iter().map(|a| a.0).collect::<Vec<_>>());
}

#[tokio::test]
async fn people_are_reminded_rung_by_rung_until_somebody_has_it() {
    let (desk, board) = desk("notify").await;
    let past = Past {
        kind: VerdictKind::TruePositive,
        calls: 0,
        tool: "identity.get_user",
        model: None,
    };
    let now = desk.ctx.now();
    leave(&desk.ctx.store, &rule(), &[(1, past)], now)
        .await
        .unwrap();
    desk.clock.forward(TimeDelta::minutes(10));
    board.beat(&desk.ctx).await.unwrap();
    let mut mentions = Vec::new();
    for minutes in [9, 2, 10, 10, 10, 10] {
        desk.clock.forward(TimeDelta::minutes(minutes));
        for _ in 0..2 {
            board.beat(&desk.ctx).await.unwrap();
        }
        let last = board.seen().pop().unwrap();
        if let Post::Reminder(reminder) = last.post {
            mentions.push(format!("{} {}", reminder.rung, reminder.mention.join(",")));
        }
    }
    mentions.dedup();
    assert_eq!(mentions, ["1 ", "2 S0SOC", "3 U0LEAD"]);

    leave(&desk.ctx.store, &rule(), &[(1, past)], desk.ctx.now())
        .await
        .unwrap();
    desk.clock.forward(TimeDelta::minutes(10));
    board.beat(&desk.ctx).await.unwrap();
    let Some(Post::Case(card)) = board.seen().pop().map(|p| p.post) else {
        panic!("{:?}", board.seen());
    };
    let who = Who::at_shell("ana", "test");
    let (store, at) = (&desk.ctx.store, desk.ctx.now());
    take_over(store, desk.ctx.rights(), (card.case, &who), at)
        .await
        .unwrap();
    let before = board.seen().len();
    for _ in 0..3 {
        desk.clock.forward(TimeDelta::minutes(10));
        board.beat(&desk.ctx).await.unwrap();
    }
    let after = board.seen();
    let reminded = |p: &Pinned| matches!(&p.post, Post::Reminder(_));
    assert!(!after[before..].iter().any(reminded), "{after:?}");
}

#[tokio::test]
async fn taking_a_case_over_ends_what_was_asked_about_it() {
    let (desk, board) = desk("notify").await;
    let [(case, id)] = proposed(&desk, &["backup"]).await[..] else {
        panic!("one case");
    };
    let who = Who::at_shell("ana", "test");
    let (store, at) = (&desk.ctx.store, desk.ctx.now());
    take_over(store, desk.ctx.rights(), (case, &who), at)
        .await
        .unwrap();
    let late = answer(store, desk.ctx.rights(), yes(id, "bo", &desk)).await;
    assert!(late.is_err(), "{late:?}");
    assert_eq!(
        store.case(case).await.unwrap().status,
        CaseStatus::Escalated
    );
    board.beat(&desk.ctx).await.unwrap();
    let seen = board.seen();
    let Some(Post::Case(card)) = seen.first().map(|p| &p.post) else {
        panic!("{seen:?}");
    };
    assert_eq!(card.owner.as_deref(), Some("ana"));
}
