//! Words from Slack against a real store: they are about what the card shows, and what is refused is told.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use agent::config::PostKind;
use agent::daemon::tell;
use agent::notify::slack::{Answered, Answers as _, Given, Subject, Wish};
use agent::notify::{At, Notifier, Place, Post, PostError, Words};
use async_trait::async_trait;
use chrono::TimeDelta;
use serde_json::json;
use state::model::{CaseId, RuleAt, VerdictKind};
use tests::desk::Desk;
use tests::past::{Past, join, leave, leave_proposed};

const RULES: &str = "
[[approvals.people]]
name = \"cid\"
slack = \"U0CID\"
accounts = [\"cid@corp.example\"]
";

/// Slack as far as the store knows it: a message and how often it was written.
#[derive(Default)]
struct Channel {
    rev: AtomicU64,
    down: AtomicBool,
}

#[async_trait]
impl Notifier for Channel {
    fn name(&self) -> &str {
        "slack"
    }

    fn takes(&self, kind: PostKind) -> bool {
        kind == PostKind::Case
    }

    async fn post(&self, _: &Post, _: At<'_>) -> Result<Place, PostError> {
        if self.down.load(Ordering::Relaxed) {
            let why = "msg_too_long".to_owned();
            return Err(PostError::Refused { why });
        }
        let rev = self.rev.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Place(json!({"channel": "C1", "ts": "1.1", "rev": rev})))
    }
}

fn rule() -> RuleAt {
    RuleAt {
        source: "siem".to_owned(),
        rule: "beacon".to_owned(),
    }
}

async fn desk() -> (Desk, Channel) {
    let change = |text: String| {
        let text = text.replace("[approvals]", "[approvals]\nclosers = [\"cid\"]");
        format!("{text}\n{RULES}")
    };
    let (desk, channel) = (
        Desk::open("words", change).await.unwrap(),
        Channel::default(),
    );
    tell(&desk.ctx, &channel).await.unwrap();
    desk.clock.forward(TimeDelta::minutes(30));
    (desk, channel)
}

/// What cid says on the message as it was written `rev` times.
async fn says(desk: &Desk, subject: Subject, wish: Wish, rev: u64) -> Answered {
    let given = Given {
        subject,
        wish,
        user: "U0CID".to_owned(),
        channel: "C1".to_owned(),
        message_ts: "1.1".to_owned(),
        rev,
    };
    Words::new(desk.ctx.clone()).answer(given).await.unwrap()
}

#[tokio::test]
async fn a_word_is_on_the_alerts_and_verdicts_that_the_card_shows() {
    let wrong = || Wish::Wrong(VerdictKind::FalsePositive, None);
    let (desk, channel) = desk().await;
    let past = Past {
        kind: VerdictKind::TruePositive,
        calls: 0,
        tool: "identity.get_user",
        model: None,
    };
    let (store, of) = (&desk.ctx.store, rule());
    leave(store, &of, &[(1, past)], desk.ctx.now())
        .await
        .unwrap();
    desk.clock.forward(TimeDelta::minutes(10));
    let (id, subject) = (CaseId(1), Subject::Case(1));
    let spoken = async || {
        let all = store.verdicts_of(id).await.unwrap();
        all.iter()
            .filter(|v| v.verdict.kind == VerdictKind::FalsePositive)
            .count()
    };
    assert_eq!(says(&desk, subject, Wish::Agree, 1).await, Answered::Stale);
    tell(&desk.ctx, &channel).await.unwrap();

    // While a dialog is open another alert joins; its verdict is the same as the one that the card shows.
    let attack = (id, VerdictKind::TruePositive);
    desk.clock.forward(TimeDelta::minutes(1));
    join(store, &of, attack, desk.ctx.now()).await.unwrap();
    for wish in [wrong(), Wish::Agree] {
        assert_eq!(says(&desk, subject, wish, 1).await, Answered::Stale);
    }
    // The new card is refused by Slack: people still see the old one.
    channel.down.store(true, Ordering::Relaxed);
    tell(&desk.ctx, &channel).await.unwrap();
    for wish in [wrong(), Wish::Agree] {
        assert_eq!(says(&desk, subject, wish, 1).await, Answered::Stale);
    }
    assert_eq!(spoken().await, 0);
    channel.down.store(false, Ordering::Relaxed);
    store.retry_posts(desk.ctx.now()).await.unwrap();
    tell(&desk.ctx, &channel).await.unwrap();
    // A dialog that was opened on the card before it.
    assert_eq!(says(&desk, subject, wrong(), 1).await, Answered::Stale);
    let taken = says(&desk, subject, wrong(), 2).await;
    assert!(matches!(taken, Answered::Taken { .. }), "{taken:?}");
    assert_eq!(spoken().await, 2);
}

#[tokio::test]
async fn what_of_a_batch_was_refused_is_told() {
    let (desk, _) = desk().await;
    let now = desk.ctx.now();
    let until = now + TimeDelta::hours(4);
    let soon = now + TimeDelta::minutes(1);
    let store = &desk.ctx.store;
    let mut asked = leave_proposed(store, &rule(), &["a", "b"], (now, until))
        .await
        .unwrap();
    let later = now + TimeDelta::seconds(10);
    asked.extend(
        leave_proposed(store, &rule(), &["c"], (later, soon))
            .await
            .unwrap(),
    );
    desk.clock.forward(TimeDelta::minutes(5));
    let approvals: Vec<i64> = asked.iter().map(|a| a.1).collect();
    let batch = state::model::Batch {
        id: 0,
        likeness: "l".to_owned(),
        root: 0,
        approvals,
        digest: "d".to_owned(),
        sample: Vec::new(),
        split: false,
    };
    let batch = store.add_batch(&batch, now).await.unwrap();
    let said = says(&desk, Subject::Batch(batch.id), Wish::Approve(None), 1).await;
    let Answered::Taken { said } = said else {
        panic!("{said:?}");
    };
    let all = "2 answered, 0 were answered before, 1 refused: it has run out, which means no";
    assert_eq!(said, all);
}
