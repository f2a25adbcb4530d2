//! What becomes of clicks and dialogs: once each, told to whoever clicked, over either way.

use agent::notify::card::ReasonFor;
use agent::notify::slack::{Subject, Wish};
use agent::notify::{At, Notifier, Post};
use state::model::VerdictKind;
use tests::slack::Fault;
use tests::slack::forge::{submit, words};

use super::bench::{ANA, Bench, EVE, Mode};
use super::{batch, case};

const BOTH: [Mode; 2] = [Mode::Socket, Mode::Http];

/// What a person was told last.
async fn told(bench: &Bench, user: &str, part: &str) {
    let has = || bench.fake.told(user).iter().any(|t| t.contains(part));
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), async {
        while !has() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    assert!(
        waited.await.is_ok(),
        "`{part}` is not in {:?}",
        bench.fake.told(user)
    );
}

#[tokio::test]
async fn a_yes_counts_once_and_the_second_learns_who_was_first() {
    for mode in BOTH {
        let bench = Bench::new(mode).await;
        bench.desk.look().allowed.insert("U00000BEN".to_owned());
        let (subject, _, message) = bench.asked(ReasonFor::Denial).await;
        let first = bench.click(&message, "nightdesk_approve", ANA);
        for _ in 0..3 {
            bench.send(&first).await;
        }
        told(&bench, ANA, "Taken.").await;
        bench
            .send(&bench.click(&message, "nightdesk_approve", "U00000BEN"))
            .await;
        told(&bench, "U00000BEN", &format!("already  decided  by  {ANA}")).await;
        bench
            .send(&bench.click(&message, "nightdesk_approve", EVE))
            .await;
        told(&bench, EVE, "you are not one of the approvers").await;
        let (fake, desk) = bench.done().await;
        assert_eq!(
            fake.told(ANA).len(),
            1,
            "a repeated click is not worked on again"
        );
        let desk = desk.look();
        assert_eq!(desk.decided.len(), 1);
        assert_eq!(desk.decided[0].wish, Wish::Approve(None));
        assert_eq!(desk.decided[0].subject, subject);
        assert_eq!(
            desk.redrawn,
            [subject],
            "the card is drawn anew for the second"
        );
    }
}

#[tokio::test]
async fn a_no_and_a_destructive_yes_ask_for_a_reason() {
    for mode in BOTH {
        let bench = Bench::new(mode).await;
        for (action, reason) in [
            ("nightdesk_deny", ReasonFor::Denial),
            ("nightdesk_approve", ReasonFor::Both),
        ] {
            let (subject, _, message) = bench.asked(reason).await;
            let opened = bench.fake.look().views.len();
            bench.send(&bench.click(&message, action, ANA)).await;
            bench
                .fake
                .until("a dialog", |i| i.views.len() > opened)
                .await
                .unwrap();
            let view = bench.fake.look().views.last().unwrap().1.clone();
            assert!(words(&view).contains("&lt;b&gt;1&lt;/b&gt; at hxxps://evil[.]example[.]com"));
            for (text, wrong) in [
                ("  ", "A reason is needed"),
                (&"x".repeat(501), "At most 500"),
            ] {
                let answer = bench.send(&submit(&view, ANA, text, None)).await;
                assert_eq!(answer["response_action"], "errors");
                assert!(
                    answer["errors"]["nightdesk_note"]
                        .as_str()
                        .unwrap()
                        .contains(wrong)
                );
            }
            let good = submit(&view, ANA, "she is\non leave", None);
            let answer = bench.send(&good).await;
            assert_eq!(answer.get("errors"), None, "{answer}");
            bench
                .until("a decision", |d| {
                    d.decided.iter().any(|g| g.subject == subject)
                })
                .await;
            let answer = bench.send(&good).await;
            assert!(
                answer["errors"]["nightdesk_note"]
                    .as_str()
                    .unwrap()
                    .contains("has run out")
            );
            let said = "she is on leave".to_owned();
            let wish = match reason {
                ReasonFor::Denial => Wish::Deny(said),
                ReasonFor::Both => Wish::Approve(Some(said)),
            };
            assert_eq!(bench.desk.look().decided.last().unwrap().wish, wish);
        }
        let (_, desk) = bench.done().await;
        assert_eq!(desk.look().decided.len(), 2);
    }
}

#[tokio::test]
async fn the_verdict_of_a_settled_case_can_be_corrected() {
    let bench = Bench::new(Mode::Socket).await;
    let post = Post::Case(Box::new(case(Vec::new())));
    let place = bench.slack.post(&post, At::default()).await.unwrap();
    bench
        .desk
        .ask(Subject::Case(7), ReasonFor::Denial, Some(place));
    let message = bench.fake.messages().pop().unwrap();
    bench
        .send(&bench.click(&message, "nightdesk_wrong", ANA))
        .await;
    bench
        .fake
        .until("a dialog", |i| !i.views.is_empty())
        .await
        .unwrap();
    let view = bench.fake.look().views[0].1.clone();
    let answer = bench.send(&submit(&view, ANA, "", None)).await;
    assert_eq!(answer["errors"]["nightdesk_verdict"], "Choose a verdict.");
    let answer = bench
        .send(&submit(&view, ANA, "", Some("no_such_verdict")))
        .await;
    assert_eq!(answer.get("errors"), None, "it is not listened to");
    bench
        .send(&submit(&view, ANA, "a test", Some("benign_positive")))
        .await;
    bench.until("a decision", |d| !d.decided.is_empty()).await;
    let (_, desk) = bench.done().await;
    let wish = Wish::Wrong(VerdictKind::BenignPositive, Some("a test".to_owned()));
    assert_eq!(desk.look().decided[0].wish, wish);
}

#[tokio::test]
async fn plain_buttons_say_what_they_say() {
    let bench = Bench::new(Mode::Socket).await;
    let post = Post::Case(Box::new(case(Vec::new())));
    let place = bench.slack.post(&post, At::default()).await.unwrap();
    let card = bench.fake.messages().pop().unwrap();
    for (action, wish) in [
        ("nightdesk_agree", Wish::Agree),
        ("nightdesk_takeover", Wish::Takeover),
    ] {
        bench
            .desk
            .ask(Subject::Case(7), ReasonFor::Denial, Some(place.clone()));
        bench.send(&bench.click(&card, action, ANA)).await;
        bench
            .until(action, |d| d.decided.last().is_some_and(|g| g.wish == wish))
            .await;
    }
    let post = Post::Batch(Box::new(batch(3, 9)));
    let place = bench.slack.post(&post, At::default()).await.unwrap();
    bench
        .desk
        .ask(Subject::Batch(3), ReasonFor::Denial, Some(place));
    let card = bench.fake.messages().pop().unwrap();
    bench.send(&bench.click(&card, "nightdesk_look", ANA)).await;
    bench
        .until("each", |d| {
            d.decided.last().is_some_and(|g| g.wish == Wish::LookAtEach)
        })
        .await;
    bench.done().await;
}

#[tokio::test]
async fn a_stale_card_does_nothing_and_says_so() {
    for mode in BOTH {
        let bench = Bench::new(mode).await;
        let (subject, place, old) = bench.asked(ReasonFor::Denial).await;
        let new = bench.rewritten(subject, &place).await;
        bench
            .send(&bench.click(&old, "nightdesk_approve", ANA))
            .await;
        told(&bench, ANA, "the card has been written anew").await;
        assert_eq!(bench.desk.look().decided.len(), 0);
        bench
            .send(&bench.click(&new, "nightdesk_approve", ANA))
            .await;
        told(&bench, ANA, "Taken.").await;
        let (_, desk) = bench.done().await;
        assert_eq!(desk.look().refused.len(), 1, "and it is on record");
        assert_eq!(desk.look().redrawn, [subject]);
    }
}

#[tokio::test]
async fn what_breaks_on_the_way_decides_nothing() {
    let bench = Bench::new(Mode::Socket).await;
    let (_, _, message) = bench.asked(ReasonFor::Denial).await;
    bench.desk.look().broken = true;
    bench
        .send(&bench.click(&message, "nightdesk_approve", ANA))
        .await;
    told(&bench, ANA, "could not be recorded").await;
    bench.desk.look().broken = false;
    bench
        .fake
        .fail("views.open", Fault::Says("expired_trigger_id"));
    bench
        .send(&bench.click(&message, "nightdesk_deny", ANA))
        .await;
    told(&bench, ANA, "The dialog could not be opened").await;
    // A reply that can't be delivered changes nothing of what counts.
    bench
        .fake
        .fail("chat.postEphemeral", Fault::Says("user_not_in_channel"));
    bench
        .send(&bench.click(&message, "nightdesk_approve", ANA))
        .await;
    bench.until("a decision", |d| d.decided.len() == 1).await;
    bench.done().await;
}

#[tokio::test]
async fn members_of_a_group_may_and_a_failure_is_nobody() {
    let bench = Bench::new(Mode::Socket).await;
    let group = "S00GROUP01";
    for fault in [
        Fault::Says("missing_scope"),
        Fault::Status(503),
        Fault::Garbage,
        Fault::Limited(30),
        Fault::Cut,
    ] {
        bench.fake.fail("usergroups.users.list", fault.clone());
        let why = bench.slack.members(group).await.unwrap_err();
        assert!(why.contains("nobody of it is let in"), "{fault:?}: {why}");
    }
    let members = |all: &[&str]| all.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
    let asked = bench.fake.calls("usergroups.users.list");
    bench
        .fake
        .look()
        .groups
        .insert(group.to_owned(), members(&[ANA, "U00000BEN"]));
    assert_eq!(
        bench.slack.members(group).await.unwrap(),
        members(&[ANA, "U00000BEN"])
    );
    bench
        .fake
        .look()
        .groups
        .insert(group.to_owned(), members(&[]));
    assert_eq!(
        bench.slack.members(group).await.unwrap().len(),
        2,
        "kept for five minutes"
    );
    assert_eq!(bench.fake.calls("usergroups.users.list"), asked + 1);
    for odd in [
        "U00000ANA",
        "",
        "S00GROUP01&usergroup=S00GROUP02",
        "s00group01",
    ] {
        assert!(bench.slack.members(odd).await.is_err(), "{odd}");
    }
    assert_eq!(
        bench.fake.calls("usergroups.users.list"),
        asked + 1,
        "and is not asked about"
    );
    bench.done().await;
}
