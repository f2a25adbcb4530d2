//! A real daemon asks people over the fake Slack and answers them: what a server wants to know is seen whole, and a refusal
//! says what to do in words that can be used.

use std::time::Duration;

use serde_json::{Value, json};
use tests::daemon::{Daemon, Site};
use tests::slack::forge::{buttons, click, submit, words};
use tests::slack::{FakeSlack, Inner, Message};

use super::bench::{ANA, EVE};
use super::drill::effects::site;

/// The last words of what the server asks.
const END: &str = "and also all the others of the same department";

struct Asking {
    fake: FakeSlack,
    site: Site,
    daemon: Daemon,
}

impl Asking {
    /// A daemon that wants to lock an account; the server asks a form without fields first.
    async fn new() -> Self {
        let fake = FakeSlack::start().await.unwrap();
        let site = site(&fake, 1);
        let message = format!(
            "Really lock them? {}{END}",
            "It is a long story. ".repeat(30)
        );
        let schema = json!({"type": "object", "properties": {}});
        let question = json!({"message": message, "requestedSchema": schema});
        let file = site.dir().join("idp/question.json");
        std::fs::write(file, question.to_string()).unwrap();
        let daemon = site.started().await.unwrap();
        Self { fake, site, daemon }
    }

    /// Waits until people see something, with patience for a machine that has other work too.
    async fn until(&self, what: &str, holds: impl Fn(&Inner) -> bool) {
        for _ in 0..3 {
            if self.fake.until(what, &holds).await.is_ok() {
                return;
            }
        }
        panic!("{what} did not come: {}", self.daemon.log());
    }

    /// The card with a button to approve this.
    async fn card(&self, id: i64) -> Message {
        let value = id.to_string();
        let asks = |m: &&Message| {
            let mut all = buttons(m).into_iter();
            all.any(|(_, action, v)| action == "nightdesk_approve" && v == value)
        };
        self.until("a card", |i| i.messages.iter().any(|m| asks(&m)))
            .await;
        self.fake.messages().iter().find(asks).unwrap().clone()
    }

    /// The dialog that somebody gets who approves; a click that comes before the daemon knows where the card stands is not
    /// taken, and made again.
    async fn dialog(&self, id: i64, user: &str) -> Value {
        let opened = self.fake.look().views.len();
        for n in 1..50 {
            let card = self.card(id).await;
            let n = u64::try_from(opened * 100).unwrap() + n;
            let payload = click(&card, "nightdesk_approve", user, n).unwrap();
            self.fake.send(&payload).await.unwrap();
            for _ in 0..20 {
                if let Some((_, view)) = self.fake.look().views.get(opened) {
                    return view.clone();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        panic!(
            "no dialog: {:?}; {}",
            self.fake.told(user),
            self.daemon.log()
        );
    }

    async fn approves(&self, id: i64, user: &str) {
        let view = self.dialog(id, user).await;
        let answer = submit(&view, user, "seen", None);
        self.fake.send(&answer).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_approves_a_servers_question_whose_end_can_not_be_seen() {
    let mut asking = Asking::new().await;
    asking.approves(1, ANA).await;
    let card = asking.card(2).await;
    let said = words(&card.blocks);
    let whole = "whole question: nightdesk elicitations show 1";
    assert!(said.contains(whole), "{said}");
    // What stands on the card is five hundred characters of it; the rest hangs under it.
    let story = said.matches("It is a long story.").count();
    assert!(story > 10, "{story}: {said}");
    let under = |i: &Inner| {
        let mut under = i
            .messages
            .iter()
            .filter(|m| m.thread.as_ref() == Some(&card.ts));
        under.any(|m| words(&m.blocks).contains(END))
    };
    asking.until("the end of the question", under).await;
    let dialog = words(&asking.dialog(2, ANA).await);
    assert!(dialog.contains(whole), "{dialog}");
    let story = dialog.matches("It is a long story.").count();
    assert!(story > 10, "{story}: {dialog}");
    let shown = asking.site.run(&["elicitations", "show", "1"]).unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains(END));
    asking.daemon.stop().await.unwrap();
    assert_eq!(asking.fake.look().violations, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_setting_as_it_is_written() {
    let mut asking = Asking::new().await;
    asking.approves(1, EVE).await;
    let why = |(user, body): &(String, Value)| match user == EVE {
        true => Some(words(&body["blocks"])).filter(|said| said.contains("is nobody in")),
        false => None,
    };
    let told = |i: &Inner| i.ephemerals.iter().find_map(why);
    let refused = asking.until("a refusal", |i| told(i).is_some());
    refused.await;
    let told = told(&asking.fake.look()).unwrap();
    assert!(told.contains("Nothing has changed"), "{told}");
    assert!(told.contains("[[approvals.people]]"), "{told}");
    assert!(!told.contains("[.]"), "{told}");
    asking.daemon.stop().await.unwrap();
}
