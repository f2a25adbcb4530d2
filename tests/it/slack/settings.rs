//! `[notify.slack]`: every fault at once with its place and fix, and what a start with the wrong secrets says.

use std::sync::Arc;

use agent::config::from_text;
use agent::ctx::{Dice, SystemClock};
use agent::notify::slack::Slack;
use tests::slack::{FakeSlack, Fault};

use super::{config, slack};

fn faults(text: &str) -> Vec<String> {
    match from_text(text, "n.toml") {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(ToString::to_string).collect(),
    }
}

#[tokio::test]
async fn settings_that_can_be_meant_are_taken() {
    let fake = FakeSlack::start().await.unwrap();
    for mode in ["socket", "http"] {
        assert_eq!(faults(&fake.settings(mode)), Vec::<String>::new());
    }
    assert_eq!(
        faults("[notify]"),
        Vec::<String>::new(),
        "nobody has to use Slack"
    );
}

#[test]
fn all_faults_come_at_once_with_their_line_and_fix() {
    let none = faults("[notify.slack]\n");
    let wanted = ["bot_token", "app_token", "team", "app", "channel"];
    assert_eq!(none.len(), wanted.len(), "{none:?}");
    for (fault, key) in none.iter().zip(wanted) {
        assert!(
            fault.starts_with(&format!("n.toml:1: `notify.slack.{key}`: ")),
            "{fault}"
        );
    }
    let odd = faults(
        "[notify.slack]\nmode = \"http\"\nbot_token = { env = \"X\" }\nteam = \"example\"\napp = \"A0000\"\nchannel = \"#soc\"\n\
         on_call = [\"@ana\"]\npace = \"1m\"\napi = \"https://slack.example.com/api/\"\n",
    );
    let wanted = [
        "signing_secret",
        "listen",
        "team",
        "app",
        "channel",
        "on_call",
        "pace",
        "api",
    ];
    assert_eq!(odd.len(), wanted.len(), "{odd:?}");
    for (fault, key) in odd.iter().zip(wanted) {
        assert!(
            fault.contains(&format!("`notify.slack.{key}`: ")),
            "{fault}"
        );
    }
}

#[tokio::test]
async fn clicks_over_http_need_a_listener_of_their_own() {
    let fake = FakeSlack::start().await.unwrap();
    let http = fake.settings("http");
    let socket = fake.settings("socket");
    let own = |listen: &str| http.replace("127.0.0.1:0", listen);
    let run = |listen: &str| format!("[run.http]\nlisten = \"{listen}\"\n");
    let hook = |listen: &str| {
        format!(
            "[[sources]]\nname = \"push\"\nkind = \"webhook\"\nmapping = \"guardduty\"\n\
             listen = \"{listen}\"\nsecret = {{ env = \"X\" }}\n"
        )
    };
    for (text, part) in [
        (own("127.0.0.1:9465"), ""),
        (own("127.0.0.1:9465") + &run("127.0.0.1:9464"), ""),
        (own("127.0.0.1:9465") + &run("127.0.0.2:9465"), ""),
        (own("127.0.0.1:0") + &run("127.0.0.1:0"), ""),
        (own("127.0.0.1:9465") + &hook("127.0.0.1:9466"), ""),
        (
            http.replace("listen = \"127.0.0.1:0\"\n", ""),
            "name an address of its own, for instance \"127.0.0.1:9465\"",
        ),
        (
            socket.replace("mode =", "listen = \"127.0.0.1:9465\"\nmode ="),
            "over a socket nothing listens; leave it out",
        ),
        (
            own("127.0.0.1:9465") + &run("127.0.0.1:9465"),
            "is also where [run.http] listens; clicks need a listener of their own: write another port",
        ),
        (
            own("127.0.0.1:9465") + &run("0.0.0.0:9465"),
            "is also where [run.http] listens",
        ),
        (
            own("0.0.0.0:9465") + &hook("127.0.0.1:9465"),
            "is also where source `push` listens",
        ),
    ] {
        let found = faults(&text);
        let wanted = usize::from(!part.is_empty());
        assert_eq!(found.len(), wanted, "{text}: {found:?}");
        for fault in found {
            let place = fault.contains(": `notify.slack.listen`: ");
            assert!(place && fault.contains(part), "{fault}");
        }
    }
}

#[test]
fn a_secret_in_the_file_and_an_unknown_key_are_refused() {
    let inline = faults("[notify.slack]\nbot_token = \"xoxb-1\"\ntoken = \"x\"\n").join("\n");
    assert!(inline.contains("`notify.slack.bot_token`"), "{inline}");
    assert!(
        inline.contains("`notify.slack.token`: unknown field"),
        "{inline}"
    );
    assert!(!inline.contains("xoxb-1"), "{inline}");
}

#[tokio::test]
async fn only_loopback_may_stand_in_for_slack() {
    let fake = FakeSlack::start().await.unwrap();
    let good = fake.settings("socket");
    for (api, taken) in [
        ("https://slack.com/api/", true),
        ("http://127.0.0.1:9/api/", true),
        ("http://[::1]:9/api/", true),
        ("http://127.0.0.1:9/api", false),
        ("http://localhost:9/api/", false),
        ("http://198.51.100.7/api/", false),
        ("http://slack.com/api/", false),
        ("https://127.0.0.1/api/", false),
        ("http://u:p@127.0.0.1/api/", false),
        ("https://slack.com.example.org/api/", false),
    ] {
        let text = good.replace(&fake.api, api);
        assert_eq!(
            faults(&text).is_empty(),
            taken,
            "{api}: {:?}",
            faults(&text)
        );
    }
}

#[tokio::test]
async fn a_secret_of_the_wrong_kind_is_named() {
    let fake = FakeSlack::start().await.unwrap();
    let good = fake.settings("socket");
    for (from, to, part) in [
        (
            "xoxb-fake",
            "xapp-fake",
            "bot_token does not begin with xoxb-",
        ),
        (
            "xapp-fake",
            "xoxb-fake",
            "app_token does not begin with xapp-",
        ),
        (
            "printf %s xoxb-fake-bot-token",
            "false",
            "[notify.slack] bot_token: secret command",
        ),
    ] {
        let config = config(&good.replace(from, to));
        let made = Slack::new(&config, Arc::new(SystemClock), Dice::seeded("s")).await;
        let why = made.err().unwrap().to_string();
        assert!(why.contains(part), "{why}");
        assert!(!why.contains("-bot-token") || to == "false", "{why}");
    }
}

#[tokio::test]
async fn the_check_asks_whose_tokens_they_are() {
    let fake = FakeSlack::start().await.unwrap();
    let good = slack(&fake, "socket").await;
    assert_eq!(
        good.check().await.unwrap(),
        "nightdesk in Example (T0000TEAM), clicks over a socket"
    );
    assert_eq!(
        slack(&fake, "http").await.check().await.unwrap(),
        "nightdesk in Example (T0000TEAM), clicks at /slack/interactions"
    );
    for (method, fault, part) in [
        (
            "auth.test",
            Fault::Says("invalid_auth"),
            "set [notify.slack] bot_token",
        ),
        ("auth.test", Fault::Cut, "slack did not answer auth.test"),
        (
            "apps.connections.open",
            Fault::Says("not_allowed_token_type"),
            "app_token xapp-…",
        ),
    ] {
        fake.fail(method, fault);
        let why = good.check().await.unwrap_err();
        assert!(why.contains(part), "{why}");
    }
    let text = fake.settings("socket").replace("T0000TEAM", "T0000EVIL");
    let other = Slack::new(&config(&text), Arc::new(SystemClock), Dice::seeded("s"))
        .await
        .unwrap();
    let why = other.check().await.unwrap_err();
    assert!(
        why.contains("of workspace T0000TEAM, [notify.slack] team is T0000EVIL"),
        "{why}"
    );
}

#[test]
fn the_section_of_the_example_can_be_meant() {
    let text = std::fs::read_to_string(crate::tidy::root().join("nightdesk.example.toml")).unwrap();
    let lines = text.lines().skip_while(|l| *l != "# [notify.slack]");
    let lines = lines.take_while(|l| !l.is_empty());
    let section: String = lines
        .map(|l| format!("{}\n", l.trim_start_matches("# ")))
        .collect();
    assert!(section.lines().count() > 10, "{section}");
    assert_eq!(faults(&section), Vec::<String>::new());
}
