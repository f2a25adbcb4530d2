//! The socket: replaced without a gap, found again after every loss, and never more than two.

use std::time::Duration;

use agent::notify::card::ReasonFor;
use agent::notify::slack::SocketState;
use tests::slack::{Fault, Say};

use super::bench::{ANA, Bench, Mode};

/// A good click counts.
async fn works(bench: &Bench) {
    let (subject, _, message) = bench.asked(ReasonFor::Denial).await;
    bench
        .send(&bench.click(&message, "nightdesk_approve", ANA))
        .await;
    bench
        .until("a decision", |d| {
            d.decided.iter().any(|g| g.subject == subject)
        })
        .await;
}

async fn connected(bench: &Bench, times: u64) {
    let mut state = bench.state.clone();
    let reached =
        state.wait_for(|s| matches!(s, SocketState::Connected { opened } if *opened >= times));
    tokio::time::timeout(Duration::from_secs(10), reached)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn it_is_replaced_before_it_is_let_go() {
    let bench = Bench::new(Mode::Socket).await;
    works(&bench).await;
    for (times, reason) in [
        (2, "warning"),
        (3, "refresh_requested"),
        (4, "something_new"),
    ] {
        bench.fake.disconnect(reason);
        connected(&bench, times).await;
        works(&bench).await;
    }
    bench
        .fake
        .until("one connection", |_| bench.fake.connections().0 == 1)
        .await
        .unwrap();
    assert_eq!(
        bench.fake.connections(),
        (1, 2),
        "the old one was still there, and no third"
    );
    bench.done().await;
}

#[tokio::test]
async fn it_is_found_again_after_every_loss() {
    let cut = || Say::Cut;
    for (say, faults) in [
        (cut(), vec![]),
        (Say::Text("x".repeat(3 << 20)), vec![]),
        (cut(), vec![Fault::Status(503)]),
        (cut(), vec![Fault::Cut, Fault::Garbage]),
    ] {
        let bench = Bench::new(Mode::Socket).await;
        works(&bench).await;
        for fault in faults {
            bench.fake.fail("apps.connections.open", fault);
        }
        bench.fake.say(say);
        connected(&bench, 2).await;
        works(&bench).await;
        assert_eq!(
            bench.fake.connections().1,
            1,
            "never more than one without need"
        );
        bench.done().await;
    }
}

#[tokio::test]
async fn odd_messages_are_lived_with() {
    let bench = Bench::new(Mode::Socket).await;
    works(&bench).await;
    for say in [
        Say::Binary(vec![0xff, 0xfe]),
        Say::Text("not JSON".to_owned()),
        Say::Text("[]".to_owned()),
        Say::Text("{}".to_owned()),
        Say::Text("{\"type\":\"hello\"}".to_owned()),
        Say::Text("{\"type\":\"interactive\"}".to_owned()),
        Say::Text("{\"type\":\"interactive\",\"envelope_id\":\"e1\"}".to_owned()),
        Say::Text("{\"type\":\"of_next_year\",\"envelope_id\":\"e2\",\"payload\":{}}".to_owned()),
        Say::Ping,
    ] {
        bench.fake.say(say);
    }
    works(&bench).await;
    for id in ["e1", "e2"] {
        assert_eq!(bench.fake.acked(id).await.unwrap()["envelope_id"], id);
    }
    bench
        .fake
        .until("a pong", |i| i.calls.iter().any(|(m, _)| m == "pong"))
        .await
        .unwrap();
    assert_eq!(
        bench.state.borrow().clone(),
        SocketState::Connected { opened: 1 }
    );
    bench.done().await;
}

#[tokio::test]
async fn a_crowd_and_a_wrong_app_are_waited_out() {
    for crowd in ["too_many_websockets", "link_disabled"] {
        let bench = Bench::new(Mode::Socket).await;
        works(&bench).await;
        bench.fake.disconnect(crowd);
        waits(&bench, crowd).await;
    }
    let bench = Bench::new(Mode::Socket).await;
    works(&bench).await;
    bench.fake.hello_as("A0000EVIL");
    bench.fake.say(Say::Cut);
    waits(&bench, "another app").await;
    let bench = Bench::new(Mode::Socket).await;
    works(&bench).await;
    bench.fake.fail("apps.connections.open", Fault::Limited(45));
    bench.fake.say(Say::Cut);
    waits(&bench, "asks to wait 45 s").await;
}

/// The daemon waits half a minute at least, and says why.
async fn waits(bench: &Bench, part: &str) {
    let mut state = bench.state.clone();
    let long = |s: &SocketState| matches!(s, SocketState::Waiting { wait, .. } if *wait > Duration::from_secs(29));
    let state = tokio::time::timeout(Duration::from_secs(10), state.wait_for(long)).await;
    let SocketState::Waiting { why, .. } = state.unwrap().unwrap().clone() else {
        panic!("it does not wait");
    };
    assert!(why.contains(part), "{why}");
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_and_counts_once() {
    let bench = Bench::new(Mode::Socket).await;
    works(&bench).await;
    let (subject, _, message) = bench.asked(ReasonFor::Denial).await;
    let click = bench.click(&message, "nightdesk_approve", ANA);
    bench.fake.say(Say::Cut);
    let patience = Duration::from_secs(10);
    for _ in 0..2 {
        let ack = bench.fake.deliver(&click, patience).await.unwrap();
        assert_eq!(ack.get("payload"), None);
    }
    works(&bench).await;
    let (_, desk) = bench.done().await;
    let decided = desk
        .look()
        .decided
        .iter()
        .filter(|g| g.subject == subject)
        .count();
    assert_eq!(decided, 1);
}
