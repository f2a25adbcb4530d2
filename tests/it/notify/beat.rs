//! Beat after beat: what a round costs goes by what has changed, and it tells what one that looks at everything tells.

use agent::approvals::{Answer, ForAll, answer, answer_all, take_apart, take_over};
use agent::daemon::tell;
use agent::notify::{Looked, Post, PostError};
use agent::rights::Who;
use chrono::TimeDelta;
use state::model::{
    Answered, ApprovalState, CaseId, PostState, RuleAt, TimelineEvent, TimelineKind, VerdictKind,
};
use tests::board::Board;
use tests::desk::Desk;
use tests::draw::Draw;
use tests::past::{Past, leave, leave_proposed};

use super::desk;

fn rule(name: &str) -> RuleAt {
    RuleAt {
        source: "siem".to_owned(),
        rule: name.to_owned(),
    }
}

fn past() -> Past {
    Past {
        kind: VerdictKind::TruePositive,
        calls: 0,
        tool: "identity.get_user",
        model: None,
    }
}

/// Beats until nothing more is told; gives what the last one looked at.
async fn settled(desk: &Desk, board: &Board) -> Looked {
    loop {
        let told = board.beat(&desk.ctx).await.unwrap();
        if told.sent == 0 {
            return told.looked;
        }
    }
}

async fn happens(desk: &Desk, case: CaseId) {
    let at = desk.ctx.now();
    let event = TimelineEvent::ours(case, at, TimelineKind::Flagged, "something has happened");
    desk.ctx.store.add_events(vec![event]).await.unwrap();
}

/// A thousand open cards of which nothing changes cost a beat nothing; one that changes costs one.
#[tokio::test]
async fn a_beat_reads_what_has_changed_and_nothing_else() {
    const OPEN: usize = 1_000;
    let (desk, board) = desk("beat").await;
    let (store, now) = (&desk.ctx.store, desk.ctx.now());
    // All within what can be told; each is one card that waits for a person.
    leave(store, &rule("beacon"), &[(OPEN, past())], now)
        .await
        .unwrap();
    settled(&desk, &board).await;
    let sent = store.posts(Some(PostState::Sent), 2_000).await.unwrap();
    assert_eq!(sent.len(), OPEN, "every case is an open card");
    for _ in 0..3 {
        desk.clock.forward(TimeDelta::seconds(2));
        let told = board.beat(&desk.ctx).await.unwrap();
        assert_eq!((told.sent, told.looked), (0, Looked::default()));
    }
    let case = sent[500].case.unwrap();
    happens(&desk, case).await;
    let told = board.beat(&desk.ctx).await.unwrap();
    let one = Looked {
        cases: 1,
        batches: 0,
        posts: 1,
    };
    // The line under the card, which says the same as before.
    assert_eq!((told.sent, told.looked), (1, one));
    assert_eq!(settled(&desk, &board).await.cases, 0);
    let quiet = board.beat(&desk.ctx).await.unwrap();
    assert_eq!((quiet.sent, quiet.looked), (0, Looked::default()));

    // Reminders come by the clock: one look a card, when its time has come, and peace again.
    desk.clock.forward(TimeDelta::minutes(9));
    let early = board.beat(&desk.ctx).await.unwrap();
    assert_eq!(early.looked.cases, 0);
    desk.clock.forward(TimeDelta::minutes(2));
    settled(&desk, &board).await;
    let reminded = board.seen();
    let reminded = reminded
        .iter()
        .filter(|p| matches!(p.post, Post::Reminder(_)));
    assert_eq!(reminded.count(), OPEN);
    desk.clock.forward(TimeDelta::seconds(2));
    let quiet = board.beat(&desk.ctx).await.unwrap();
    assert_eq!((quiet.sent, quiet.looked.cases), (0, 0));
}

/// Cases that wait for others like them are read when one comes or their time has come, and not beat by beat.
#[tokio::test]
async fn those_that_wait_for_others_like_them_are_left_alone() {
    let (desk, board) = desk("beat").await;
    let (store, now) = (&desk.ctx.store, desk.ctx.now());
    let until = now + TimeDelta::hours(4);
    let asked = leave_proposed(store, &rule("nightly"), &["a", "b"], (now, until))
        .await
        .unwrap();
    let cases = async || board.beat(&desk.ctx).await.unwrap().looked.cases;
    assert_eq!(cases().await, 2);
    assert_eq!(cases().await, 0);
    desk.clock.forward(TimeDelta::seconds(30));
    assert_eq!(cases().await, 0);
    leave_proposed(store, &rule("nightly"), &["c"], (desk.ctx.now(), until))
        .await
        .unwrap();
    assert_eq!(cases().await, 3, "the new one and those like it");
    assert_eq!(cases().await, 0);
    desk.clock.forward(TimeDelta::minutes(2));
    assert_eq!(cases().await, 3);
    settled(&desk, &board).await;
    let seen = board.seen();
    let [one] = &seen[..] else { panic!("{seen:?}") };
    let Post::Batch(card) = &one.post else {
        panic!("{one:?}");
    };
    assert_eq!(card.count, 3);
    let quiet = board.beat(&desk.ctx).await.unwrap();
    assert_eq!(quiet.looked, Looked::default());
    // An answer to one of them draws the batch anew and nothing else.
    let answered = yes(&desk, asked[0].1);
    answer(store, desk.ctx.rights(), answered).await.unwrap();
    let told = board.beat(&desk.ctx).await.unwrap();
    assert_eq!((told.sent, told.looked.batches), (1, 1));
}

fn yes(desk: &Desk, id: i64) -> Answer {
    Answer {
        id,
        answered: Answered::Approved,
        who: Who::at_shell("ana", "test"),
        reason: String::new(),
        at: desk.ctx.now(),
    }
}

fn down() -> PostError {
    PostError::Later {
        after: None,
        why: "down".to_owned(),
    }
}

/// One step of what may happen in a day; the same draws do the same.
async fn step(desk: &Desk, (draw, n): (&Draw, usize)) {
    let (store, now) = (&desk.ctx.store, desk.ctx.now());
    let who = Who::at_shell("ana", "test");
    let mut open = store.approvals(Some(ApprovalState::Pending)).await.unwrap();
    open.retain(|asked| asked.expires > now);
    let one = (!open.is_empty()).then(|| &open[draw.below(open.len())]);
    let batches = store.open_questions().await.unwrap();
    let batch = (!batches.is_empty()).then(|| batches[draw.below(batches.len())].id);
    let of = rule(["beacon", "nightly"][draw.below(2)]);
    match (draw.below(10), one, batch) {
        (0 | 1, ..) => {
            let names = ["a", "b", "c", "d"];
            let names = &names[..=draw.below(4)];
            let until = now + TimeDelta::hours(2);
            let left = leave_proposed(store, &of, names, (now, until)).await;
            left.unwrap();
        }
        (2, ..) => {
            let of = rule(&format!("odd {n}"));
            let few = 1 + draw.below(2);
            leave(store, &of, &[(few, past())], now).await.unwrap();
        }
        (3, Some(asked), _) => {
            answer(store, desk.ctx.rights(), yes(desk, asked.id))
                .await
                .unwrap();
        }
        (4, Some(asked), _) => happens(desk, asked.case).await,
        (5, Some(asked), _) => {
            let taken = take_over(store, desk.ctx.rights(), (asked.case, &who), now).await;
            taken.unwrap();
        }
        (6, _, Some(batch)) => {
            let apart = take_apart(store, desk.ctx.rights(), (batch, &who), now).await;
            apart.unwrap();
        }
        (7, _, Some(batch)) => {
            let all = ForAll {
                batch,
                answered: Answered::Approved,
                who,
                reason: String::new(),
                at: now,
            };
            answer_all(store, desk.ctx.rights(), all).await.unwrap();
        }
        (8, ..) => {
            store.expire_approvals(now).await.unwrap();
        }
        _ => {}
    }
}

/// What people see in the end, whatever the order in which it came.
fn sees(board: &Board) -> Vec<String> {
    let all = board.seen();
    let text = |post: &Post| serde_json::to_string(post).unwrap();
    let mut seen: Vec<String> = all
        .iter()
        .map(|p| {
            let under = p.under.map(|at| match &all[at].post {
                Post::Case(card) => card.case.to_string(),
                Post::Batch(card) => card.digest.clone(),
                other => text(other),
            });
            format!("{under:?} {}", text(&p.post))
        })
        .collect();
    seen.sort_unstable();
    seen
}

#[tokio::test]
async fn a_round_over_changes_tells_what_a_round_over_everything_tells() {
    for seed in ["one", "two", "three", "four"] {
        let (kept, board) = desk("beat").await;
        let (anew, other) = desk("beat").await;
        let (left, right) = (Draw::of(seed), Draw::of(seed));
        for n in 0..60 {
            // Short beats, the time to gather, a rung, and towards the end of a question.
            for (desk, board, draw) in [(&kept, &board, &left), (&anew, &other, &right)] {
                step(desk, (draw, n)).await;
                let seconds = [10, 10, 130, 650, 2_000][draw.below(5)];
                desk.clock.forward(TimeDelta::seconds(seconds));
                if draw.percent(10) {
                    board.fail((0..100).map(|_| down()));
                }
            }
            for _ in 0..4 {
                board.beat(&kept.ctx).await.unwrap();
                tell(&anew.ctx, &other).await.unwrap();
            }
            // The way was down for all of it, and comes back when everything may be tried again.
            for (desk, board) in [(&kept, &board), (&anew, &other)] {
                if board.heal() {
                    desk.clock.forward(TimeDelta::seconds(400));
                }
            }
            for _ in 0..4 {
                board.beat(&kept.ctx).await.unwrap();
                tell(&anew.ctx, &other).await.unwrap();
            }
            assert_eq!(sees(&board), sees(&other), "{seed}, step {n}");
        }
        assert!(sees(&board).len() > 20, "{seed}: something was told");
    }
}
