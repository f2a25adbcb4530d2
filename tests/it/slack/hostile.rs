//! Cards full of what attackers write: they fit, they mention nobody, nothing in them is live, and the buttons are there.

use agent::notify::card::{Ask, CaseCard, Reason, ReasonFor};
use agent::notify::{At, Notifier, Post};
use serde_json::{Value, json};
use tests::draw::{Draw, rounds};
use tests::slack::forge::buttons;
use tests::slack::{FakeSlack, Message};

use super::{batch, case, every_kind, question, slack};

const PARTS: [&str; 20] = [
    "<!channel> ",
    "<!here|x> ",
    "<@U00000ANA> ",
    "<!subteam^S00ONCALL2> ",
    "@here ",
    "#general ",
    "<https://evil.example.com/a?b=c|Approve> ",
    "https://evil.example.com ",
    "mailto:ana@example.com ",
    "*bold* _it_ `code` ```pre``` ",
    "> quote\n",
    "\"\\\"\\",
    "\u{202e}drowssap\u{202c}",
    "\u{200b}\u{2060}",
    ":fire: ",
    "&amp;&lt;&",
    "été ",
    "日本語",
    "👩‍💻",
    "\u{0}\u{1b}[31m",
];

fn text(draw: &Draw, most: usize) -> String {
    (0..draw.below(most))
        .map(|_| *draw.of_these(&PARTS))
        .collect()
}

/// A text that can be empty or much too long.
fn any(draw: &Draw) -> String {
    text(draw, if draw.percent(10) { 800 } else { 30 })
}

fn list<T>(draw: &Draw, most: usize, of: impl Fn() -> T) -> Vec<T> {
    (0..draw.below(most)).map(|_| of()).collect()
}

fn ask(draw: &Draw, approval: i64) -> Ask {
    Ask {
        action: format!("identity.{}", any(draw)),
        summary: any(draw),
        arguments: json!({"user": any(draw), "more": list(draw, 4, || any(draw))}).to_string(),
        approved_by: list(draw, 7, || any(draw)),
        needed: 2,
        reason: if draw.percent(50) {
            ReasonFor::Both
        } else {
            ReasonFor::Denial
        },
        ..question(approval)
    }
}

pub(super) fn hostile(draw: &Draw) -> CaseCard {
    let asks = (1..=i64::try_from(draw.below(6)).unwrap())
        .map(|id| ask(draw, id))
        .collect();
    CaseCard {
        title: any(draw),
        facts: list(draw, 20, || (any(draw), any(draw))),
        reasons: list(draw, 6, || Reason {
            text: any(draw),
            evidence: list(draw, 12, || any(draw)),
        }),
        unchecked: list(draw, 30, || any(draw)),
        standing: any(draw),
        owner: draw.percent(30).then(|| any(draw)),
        ..case(asks)
    }
}

/// Mentions of a message, each as its kind and whom.
fn mentions(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Array(all) => all.iter().for_each(|v| mentions(v, out)),
        Value::Object(map) => {
            for key in ["user_id", "usergroup_id", "range"] {
                out.extend(map.get(key).and_then(Value::as_str).map(str::to_owned));
            }
            map.values().for_each(|v| mentions(v, out));
        }
        _ => {}
    }
}

/// The preformatted texts of a message.
fn exact(message: &Message) -> Vec<String> {
    let blocks = message.blocks.as_array().unwrap().iter();
    let parts = blocks.flat_map(|b| b["elements"].as_array().cloned().unwrap_or_default());
    let exact = parts.filter(|p| p["type"] == "rich_text_preformatted");
    exact
        .map(|p| p["elements"][0]["text"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_hostile_card_fits_and_is_inert() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    for round in 0..rounds("NIGHTDESK_CARDS", 24) {
        let draw = Draw::of(&format!("card {round}"));
        let card = hostile(&draw);
        fake.look().messages.clear();
        let posted = slack
            .post(&Post::Case(Box::new(card.clone())), At::default())
            .await;
        assert_eq!(
            fake.look().violations,
            Vec::<String>::new(),
            "round {round}"
        );
        posted.unwrap();
        let messages = fake.messages();
        let shown: Vec<i64> = card.asks.iter().map(|a| a.approval).take(3).collect();
        let have = buttons(&messages[0]);
        for id in shown {
            for action in ["nightdesk_approve", "nightdesk_deny"] {
                let button = (format!("apr:{id}:1"), action.to_owned(), id.to_string());
                assert!(
                    have.contains(&button),
                    "round {round}: no {action} for {id} in {have:?}"
                );
            }
        }
        let mut named = Vec::new();
        messages
            .iter()
            .for_each(|m| mentions(&m.blocks, &mut named));
        named.dedup();
        assert!(
            named.is_empty() || named == ["S00ONCALL1"],
            "round {round}: {named:?}"
        );
        arguments(&card, &messages, round);
    }
}

/// The arguments of every question with buttons stand whole on the card or, in pieces, under it.
fn arguments(card: &CaseCard, messages: &[Message], round: usize) {
    let on_card = exact(&messages[0]);
    let under: Vec<String> = messages[1..].iter().flat_map(exact).collect();
    for ask in card.asks.iter().take(3) {
        let wanted: Value = serde_json::from_str(&ask.arguments).unwrap();
        let is = |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|v| v == wanted);
        let in_pieces = || {
            (0..under.len())
                .any(|from| (from..under.len()).any(|to| is(&under[from..=to].concat())))
        };
        let more_than_fits = messages.len() > 10;
        assert!(
            more_than_fits || on_card.iter().any(|t| is(t)) || in_pieces(),
            "round {round}: {}",
            ask.approval
        );
    }
}

#[tokio::test]
async fn hostile_words_anywhere_else_are_inert_too() {
    let fake = FakeSlack::start().await.unwrap();
    let slack = slack(&fake, "socket").await;
    for round in 0..rounds("NIGHTDESK_CARDS", 24) / 6 {
        let draw = Draw::of(&format!("post {round}"));
        fake.look().messages.clear();
        let mut posts = every_kind();
        let mut lot = batch(3, 40);
        lot.title = any(&draw);
        lot.count = draw.below(5_000);
        lot.sample = list(&draw, 8, || hostile(&draw));
        lot.outcome = draw.percent(30).then(|| any(&draw));
        posts[1] = Post::Batch(Box::new(lot));
        for post in &mut posts {
            match post {
                Post::Line(line) => (line.actor, line.text) = (any(&draw), any(&draw)),
                Post::Reminder(reminder) => {
                    reminder.text = any(&draw);
                    reminder.mention.push(any(&draw));
                }
                Post::Notice(notice) => (notice.title, notice.text) = (any(&draw), any(&draw)),
                Post::Digest(digest) => {
                    digest.numbers = list(&draw, 30, || (any(&draw), any(&draw), any(&draw)));
                    digest.sections =
                        list(&draw, 12, || (any(&draw), list(&draw, 20, || any(&draw))));
                }
                Post::Case(_) | Post::Batch(_) => {}
            }
            let posted = slack.post(post, At::default()).await;
            assert_eq!(
                fake.look().violations,
                Vec::<String>::new(),
                "round {round}"
            );
            posted.unwrap();
        }
        let messages = fake.messages();
        let digest = messages.last().unwrap();
        assert!(digest.blocks.as_array().unwrap().len() <= 10);
        let mut named = Vec::new();
        messages
            .iter()
            .for_each(|m| mentions(&m.blocks, &mut named));
        assert!(
            named.iter().all(|n| n == "S00ONCALL1"),
            "round {round}: {named:?}"
        );
    }
}
