//! What is posted, where it stands, and what becomes of it when Slack is slow, limits, refuses or breaks off.

use std::time::Duration;

use agent::notify::slack::{Slack, Spot};
use agent::notify::{At, Notifier, Place, Post, PostError};
use tests::slack::forge::{buttons, words};
use tests::slack::{CHANNEL, FakeSlack, Fault};

use super::{batch, case, every_kind, question, slack};

async fn post(slack: &Slack, post: &Post, earlier: Option<&Place>) -> Result<Place, PostError> {
    let at = At {
        earlier,
        under: None,
    };
    slack.post(post, at).await
}

/// What any notifier owes its caller.
async fn obeys_the_contract(notifier: &dyn Notifier) {
    for post in every_kind() {
        assert!(notifier.takes(post.kind()));
        let first = notifier.post(&post, At::default()).await.unwrap();
        // Through the store and back.
        let kept: Place = serde_json::from_str(&serde_json::to_string(&first).unwrap()).unwrap();
        let again = At {
            earlier: Some(&kept),
            under: None,
        };
        let second = notifier.post(&post, again).await.unwrap();
        let under = At {
            earlier: None,
            under: Some(&second),
        };
        notifier.post(&post, under).await.unwrap();
        let nonsense = Place(serde_json::json!({"mail": "x"}));
        let foreign = At {
            earlier: Some(&nonsense),
            under: Some(&nonsense),
        };
        notifier.post(&post, foreign).await.unwrap();
    }
}

#[tokio::test]
async fn the_contract_of_a_notifier_holds() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    obeys_the_contract(slack.as_ref()).await;
    assert_eq!(fake.look().violations, Vec::<String>::new());
    let messages = fake.messages();
    assert_eq!(messages.len(), 6 * 3);
    for three in messages.chunks(3) {
        assert_eq!(three[0].written, 2, "the second is written over the first");
        assert_eq!(three[1].thread.as_ref(), Some(&three[0].ts));
        assert_eq!(three[2].thread, None);
        assert!(three.iter().all(|m| m.channel == CHANNEL));
    }
}

#[tokio::test]
async fn a_card_says_what_a_person_needs() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    let card = Post::Case(Box::new(case(vec![question(12)])));
    let place = post(&slack, &card, None).await.unwrap();
    let message = fake.messages().remove(0);
    let said = words(&message.blocks);
    for part in [
        "Approval needed · identity.revoke_sessions · Push sent",
        "*Severity*\nhigh",
        "true positive, 92 of 100",
        "Principal",
        "the address was never used by ana before",
        "E4",
        "threat intelligence: the server is down",
        "{\"reason\":\"ND-7\",\"user\":\"ana\"}",
        "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab",
        "<!date^",
        "S00ONCALL1",
        "nightdesk case show ND-7",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    let have = |rev: u64| {
        ["approve", "deny", "takeover"].map(|a| {
            (
                format!("apr:12:{rev}"),
                format!("nightdesk_{a}"),
                "12".to_owned(),
            )
        })
    };
    assert_eq!(buttons(&message), have(1));
    let place = post(&slack, &card, Some(&place)).await.unwrap();
    assert_eq!(
        buttons(&fake.messages()[0]),
        have(2),
        "another form, another block_id"
    );
    assert_eq!(Spot::of(&place).unwrap().rev, 2);
}

#[tokio::test]
async fn a_batch_has_its_own_buttons_and_all_its_cases() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    post(&slack, &Post::Batch(Box::new(batch(3, 400))), None)
        .await
        .unwrap();
    let messages = fake.messages();
    let actions: Vec<String> = buttons(&messages[0])
        .into_iter()
        .map(|(_, a, _)| a)
        .collect();
    assert_eq!(
        actions,
        ["nightdesk_approve", "nightdesk_deny", "nightdesk_look"]
    );
    assert!(words(&messages[0].blocks).contains("and 300 more"));
    assert_eq!(messages[1].thread.as_ref(), Some(&messages[0].ts));
    assert!(words(&messages[1].blocks).contains("ND-400"));
    let mut settled = batch(3, 400);
    settled.outcome = Some("closed by ana".to_owned());
    post(&slack, &Post::Batch(Box::new(settled)), None)
        .await
        .unwrap();
    assert_eq!(buttons(&fake.messages()[2]), []);
}

#[tokio::test]
async fn what_slack_says_decides_whether_it_is_tried_again() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    let card = Post::Case(Box::new(case(vec![question(12)])));
    for (fault, later) in [
        (Fault::Says("invalid_blocks"), false),
        (Fault::Says("msg_too_long"), false),
        (Fault::Says("not_in_channel"), true),
        (Fault::Says("token_revoked"), true),
        (Fault::Says("internal_error"), true),
        (Fault::Status(500), true),
        (Fault::Status(404), true),
        (Fault::Garbage, true),
        (Fault::Huge, true),
        (Fault::Cut, true),
        (Fault::DoneAndCut, true),
    ] {
        fake.fail("chat.postMessage", fault.clone());
        let error = post(&slack, &card, None).await.unwrap_err();
        assert_eq!(
            matches!(error, PostError::Later { .. }),
            later,
            "{fault:?}: {error}"
        );
        assert!(!error.to_string().contains("xoxb-"), "{error}");
    }
}

#[tokio::test]
async fn slack_is_left_alone_as_long_as_it_wants() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    let card = Post::Case(Box::new(case(vec![question(12)])));
    fake.fail("chat.postMessage", Fault::Limited(77));
    for _ in 0..3 {
        let error = post(&slack, &card, None).await.unwrap_err();
        let PostError::Later {
            after: Some(after), ..
        } = error
        else {
            panic!("{error}");
        };
        assert!(after > Duration::from_secs(60) && after <= Duration::from_secs(77));
    }
    assert_eq!(
        fake.calls("chat.postMessage"),
        1,
        "nothing is sent meanwhile"
    );
}

#[tokio::test]
async fn a_card_that_was_deleted_is_written_anew() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    let card = Post::Case(Box::new(case(vec![question(12)])));
    let place = post(&slack, &card, None).await.unwrap();
    fake.look().messages.clear();
    let moved = post(&slack, &card, Some(&place)).await.unwrap();
    assert_ne!(moved, place);
    let messages = fake.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(Spot::of(&moved).unwrap().ts, messages[0].ts);
    // And what belongs under a card that is gone stands by itself.
    fake.look().messages.clear();
    let at = At {
        earlier: None,
        under: Some(&moved),
    };
    slack.post(&every_kind()[2], at).await.unwrap();
    assert_eq!(fake.messages()[0].thread, None);
}
