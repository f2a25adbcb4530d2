//! One message of every kind and state, every dialog, and signed requests, written where a referee can read them.
//!
//! `NIGHTDESK_SLACK_OUT=DIR` writes `messages.jsonl`, `views.jsonl` and `requests.jsonl` there.

use agent::notify::card::{Closed, ReasonFor};
use agent::notify::{At, Notifier, Post};
use serde_json::{Value, json};
use state::model::ApprovalState;
use tests::draw::Draw;
use tests::slack::attacks::Shot;
use tests::slack::{SIGNING_SECRET, forge::submit};

use super::bench::{ANA, Bench, Mode};
use super::hostile::hostile;
use super::{batch, case, every_kind, question};

fn every_state() -> Vec<Post> {
    let mut posts = every_kind();
    let mut cards = vec![case(Vec::new()), case((1..=5).map(question).collect())];
    let mut half = question(12);
    (half.needed, half.approved_by) = (2, vec!["slack:U00000ANA".to_owned()]);
    half.reason = ReasonFor::Both;
    cards.push(case(vec![half]));
    let states = ApprovalState::ALL.iter().zip(1..).map(|(state, id)| {
        let mut ask = question(id);
        (ask.state, ask.answered_by) = (*state, Some("ana".to_owned()));
        ask
    });
    let mut settled = case(states.collect());
    (settled.owner, settled.closed) = (Some("slack:U00000BEN".to_owned()), Closed::Yes);
    cards.push(settled);
    let mut without = case(Vec::new());
    (
        without.verdict,
        without.reasons,
        without.facts,
        without.unchecked,
    ) = (None, Vec::new(), Vec::new(), Vec::new());
    cards.push(without);
    let mut long = question(13);
    long.arguments = json!({"note": "\"é".repeat(9_000)}).to_string();
    cards.push(case(vec![long]));
    cards.extend((0..10).map(|n| hostile(&Draw::of(&format!("sample {n}")))));
    posts.extend(cards.into_iter().map(|card| Post::Case(Box::new(card))));
    let mut closed = batch(4, 400);
    closed.outcome = Some("closed by ana".to_owned());
    posts.push(Post::Batch(Box::new(closed)));
    posts
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|v| format!("{v}\n")).collect()
}

#[tokio::test]
async fn every_message_and_dialog_is_one_that_slack_takes() {
    let bench = Bench::new(Mode::Http).await;
    for post in every_state() {
        bench.slack.post(&post, At::default()).await.unwrap();
    }
    let mut requests = Vec::new();
    for (action, reason) in [
        ("nightdesk_deny", ReasonFor::Denial),
        ("nightdesk_approve", ReasonFor::Both),
    ] {
        let (_, _, message) = bench.asked(reason).await;
        let opened = bench.fake.look().views.len();
        let click = bench.click(&message, action, ANA);
        bench.send(&click).await;
        bench
            .fake
            .until("a dialog", |i| i.views.len() > opened)
            .await
            .unwrap();
        let view = bench.fake.look().views[opened].1.clone();
        for payload in [click, submit(&view, ANA, "a reason", None)] {
            let (headers, body) = Shot::good(payload).request(1_790_000_000).unwrap();
            requests.push(json!({"secret": SIGNING_SECRET, "headers": headers, "body": String::from_utf8(body).unwrap()}));
        }
    }
    let (fake, _) = bench.done().await;
    let inner = fake.look();
    let messages = inner
        .calls
        .iter()
        .filter(|(method, _)| method.starts_with("chat."));
    let messages: Vec<Value> = messages.map(|(_, body)| body.clone()).collect();
    let views: Vec<Value> = inner.views.iter().map(|(_, view)| view.clone()).collect();
    assert!(messages.len() > 20 && views.len() == 2);
    if let Some(dir) = std::env::var_os("NIGHTDESK_SLACK_OUT") {
        let dir = std::path::Path::new(&dir);
        for (name, values) in [
            ("messages", messages),
            ("views", views),
            ("requests", requests),
        ] {
            std::fs::write(dir.join(format!("{name}.jsonl")), lines(&values)).unwrap();
        }
    }
}
