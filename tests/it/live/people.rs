//! The ways to people, seen from outside: what waits, what was given up, and whether Slack is connected.

use chrono::TimeDelta;
use serde_json::Value;
use state::model::{NewPost, Time};
use state::store::{Store, WayPosts};
use tests::ask::{self, Exposed, get};
use tests::daemon::{Daemon, Site, until};
use tests::receiver::{Receiver, SECRET};
use tests::slack::{FakeSlack, Fault, Say};
use tests::workbench::{Lab, stderr};

use super::{ANY, PROGRAM};

/// A daemon with Slack over a socket and a webhook, and where it is asked.
async fn started(fake: &FakeSlack, receiver: &Receiver) -> (Site, Daemon, u16) {
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    let key = site.dir().join("key");
    std::fs::write(&key, SECRET).unwrap();
    site.add(&format!(
        "{ANY}\n{}[[notify.webhooks]]\nname = \"chat\"\nurl = \"{}\"\nsecret = {{ file = {key:?} }}",
        fake.settings("socket"),
        receiver.url
    ))
    .unwrap();
    let mut daemon = site.started().await.unwrap();
    let port = ask::port(&mut daemon).await.unwrap();
    (site, daemon, port)
}

/// Waits until `/readyz` says of a way what is looked for; the daemon is ready whatever that is.
async fn says(port: u16, what: &str, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    until(what, async || {
        let answer = get(port, "/readyz", None).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        let body = answer.json()?;
        let ways = body["people"].as_array().cloned().unwrap_or_default();
        let way = ways.into_iter().find(|w| w["name"] == name);
        let way = way.filter(|w| is_it(w));
        if let Some(way) = &way {
            let wrong = way["state"] == "degraded";
            anyhow::ensure!(!wrong || body["degraded"] == true, "{body}");
        }
        Ok(way)
    })
    .await
    .unwrap()
}

async fn shows(port: u16, name: &str, way: &str, is_it: impl Fn(f64) -> bool) {
    until(name, async || {
        let answer = get(port, "/metrics", None).await?;
        let value = Exposed::read(&answer.body)?.sum(name, &[("way", way)]);
        Ok(value.filter(|v| is_it(*v)))
    })
    .await
    .unwrap();
}

/// Something that people are told by every way.
fn paused(site: &Site) {
    let done = site.run(&["pause", "--why", "a trial"]).unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
}

#[tokio::test]
async fn slack_that_is_lost_is_said_and_does_not_make_the_daemon_unready() {
    let (fake, receiver) = (
        FakeSlack::start().await.unwrap(),
        Receiver::start().await.unwrap(),
    );
    let (_site, mut daemon, port) = started(&fake, &receiver).await;
    let up = says(port, "a connection", "slack", |w| w["connected"] == true).await;
    assert_eq!((&up["state"], &up["why"]), (&"ok".into(), &Value::Null));
    shows(port, "soc_way_connected", "slack", |v| v == 1.0).await;
    for _ in 0..50 {
        fake.fail("apps.connections.open", Fault::Says("invalid_auth"));
    }
    fake.say(Say::Cut);
    let lost = says(port, "the loss", "slack", |w| w["connected"] == false).await;
    assert_eq!(lost["state"], "degraded", "{lost}");
    let since = |w: &Value| w["since"].as_str().unwrap().parse::<Time>().unwrap();
    assert!(since(&lost) >= since(&up), "{lost} {up}");
    let why = lost["why"].as_str().unwrap();
    assert!(why.starts_with("not connected for "), "{lost}");
    // The words of the other side stay in the log.
    assert!(!lost.to_string().contains("invalid_auth"), "{lost}");
    shows(port, "soc_way_connected", "slack", |v| v == 0.0).await;
    // A way without a connection has no such figure.
    let hook = says(port, "the webhook", "webhook.chat", |_| true).await;
    assert_eq!(
        (&hook["connected"], &hook["state"]),
        (&Value::Null, &"ok".into())
    );
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn what_a_way_does_not_tell_is_counted_until_it_does() {
    let (fake, receiver) = (
        FakeSlack::start().await.unwrap(),
        Receiver::start().await.unwrap(),
    );
    let (site, mut daemon, port) = started(&fake, &receiver).await;
    // The series are there before anything was ever told.
    for name in [
        "soc_posts_unsent",
        "soc_posts_failed",
        "soc_posts_oldest_unsent_seconds",
    ] {
        shows(port, name, "webhook.chat", |v| v == 0.0).await;
    }
    receiver.answer(&[503; 200]);
    paused(&site);
    shows(port, "soc_posts_unsent", "webhook.chat", |v| v >= 1.0).await;
    shows(
        port,
        "soc_posts_oldest_unsent_seconds",
        "webhook.chat",
        |v| v > 0.0,
    )
    .await;
    let failing = says(port, "failures", "webhook.chat", |w| {
        w["state"] == "degraded"
    })
    .await;
    assert!(
        failing["failures_in_a_row"].as_u64() >= Some(3),
        "{failing}"
    );
    assert!(failing["unsent"].as_i64() >= Some(1), "{failing}");
    assert!(failing["oldest_unsent"].is_string(), "{failing}");
    let what = failing["last_error"]["what"].as_str().unwrap();
    assert!(what.contains("could not be reached"), "{failing}");
    assert!(failing["last_error"]["at"].is_string(), "{failing}");
    // One that is down holds up no other.
    let told = says(port, "slack is told", "slack", |w| {
        !w["last_told"].is_null()
    })
    .await;
    assert_eq!((&told["unsent"], &told["given_up"]), (&0.into(), &0.into()));

    // Refused for good.
    daemon.kill_with(None).await.unwrap();
    let fresh = Receiver::start().await.unwrap();
    fresh.answer(&[410; 50]);
    site.change(&receiver.url, &fresh.url).unwrap();
    let mut daemon = site.started().await.unwrap();
    let port = ask::port(&mut daemon).await.unwrap();
    shows(port, "soc_posts_failed", "webhook.chat", |v| v >= 1.0).await;
    let given_up = says(port, "what was given up", "webhook.chat", |w| {
        w["given_up"].as_i64() >= Some(1) && w["unsent"] == 0
    })
    .await;
    assert_eq!(given_up["oldest_unsent"], Value::Null, "{given_up}");
    assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
}

fn post(key: &str, seq: i64, text: &str) -> NewPost {
    NewPost {
        notifier: "board".to_owned(),
        key: key.to_owned(),
        case: None,
        under: None,
        body: text.into(),
        seq,
        settles: false,
    }
}

async fn of_board(store: &Store) -> WayPosts {
    let live = store.live().await.unwrap();
    let of = live.posts.into_iter().find(|p| p.way == "board");
    of.unwrap_or_default()
}

/// A later form of a card that people have seen for days has waited since it changed and not since the card was made.
#[tokio::test]
async fn how_long_a_post_waits_begins_when_what_people_see_is_outdated() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let began: Time = "2026-03-02T12:00:00Z".parse().unwrap();
    let at = |minutes| began + TimeDelta::minutes(minutes);
    let queue = async |key: &str, text: &str, now| {
        store.queue_posts(&[post(key, 0, text)], now).await.unwrap();
    };
    queue("case:1", "first", at(0)).await;
    queue("notice:1", "first", at(5)).await;
    let both = of_board(&store).await;
    assert_eq!((both.unsent, both.oldest, both.failed), (2, Some(at(0)), 0));
    let due = store.due_posts("board", at(60), 10).await.unwrap();
    for post in &due {
        store
            .post_shown(post, &"there".into(), at(60))
            .await
            .unwrap();
    }
    assert_eq!(of_board(&store).await, WayPosts::default());

    queue("case:1", "second", at(600)).await;
    assert_eq!(of_board(&store).await.oldest, Some(at(600)));
    // It has failed: the next try lies ahead, and it never looks younger than it is.
    let again = store
        .due_posts("board", at(600), 10)
        .await
        .unwrap()
        .remove(0);
    store
        .post_failed(again.id, Some(at(700)), "down")
        .await
        .unwrap();
    assert_eq!(of_board(&store).await.oldest, Some(at(60)));
    store
        .post_failed(again.id, None, "no such channel")
        .await
        .unwrap();
    let failed = of_board(&store).await;
    assert_eq!((failed.unsent, failed.oldest, failed.failed), (0, None, 1));
    store.retry_posts(at(800)).await.unwrap();
    let retried = of_board(&store).await;
    assert_eq!((retried.unsent, retried.failed), (1, 0));
    // Once first made and never seen, it has waited since then, however often it was tried.
    queue("case:2", "first", at(900)).await;
    let new = store.due_posts("board", at(900), 10).await.unwrap();
    let new = new.iter().find(|p| p.key == "case:2").unwrap();
    store
        .post_failed(new.id, Some(at(1_000)), "down")
        .await
        .unwrap();
    store
        .post_shown(&again, &"there".into(), at(950))
        .await
        .unwrap();
    assert_eq!(of_board(&store).await.oldest, Some(at(900)));
}
