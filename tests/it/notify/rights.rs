//! Who may answer: names, members of groups, several people, and nobody on a case of their own.

use agent::config::{self, ApprovalsConfig};
use agent::rights::{From, Groups, Rights, Who};
use async_trait::async_trait;

const RULES: &str = "
[approvals]
approvers = [\"ana\", \"group:S0IR\"]
closers = [\"group:S0SOC\"]
[[approvals.people]]
name = \"ana\"
slack = \"U0ANA\"
accounts = [\"Ana@corp.example\"]
[[approvals.people]]
name = \"cid\"
slack = \"U0CID\"
";

struct Members;

#[async_trait]
impl Groups for Members {
    async fn members(&self, group: &str) -> Result<Vec<String>, String> {
        match group {
            "S0IR" => Ok(vec!["U0CID".to_owned(), "U0DEE".to_owned()]),
            _ => Err("it does not answer".to_owned()),
        }
    }
}

fn rules(text: &str) -> ApprovalsConfig {
    config::from_text(text, "test").unwrap().people.approvals
}

#[tokio::test]
async fn only_listed_people_who_are_no_part_of_the_case_approve() {
    let rules = rules(RULES);
    let rights = Rights::new(&rules, &Members);
    let involved = ["ana@corp.example".to_owned(), "srv01".to_owned()];
    for (name, involved, why) in [
        ("ana", &[][..], None),
        ("slack:U0CID", &[], Some("who that is must be known")),
        ("cid", &[], None),
        ("dan", &[], Some("is not one of [approvals] approvers")),
        ("slack:U0DEE", &[], Some("who that is must be known")),
        ("slack:U0EVE", &[], Some("who that is must be known")),
        ("group:S0IR", &[], Some("is not one of")),
        ("nightdesk", &[], Some("who asks never approves")),
        (" ", &[], Some("who asks never approves")),
        ("ana", &involved, Some("is part of this case")),
        ("SRV01", &involved, Some("is part of this case")),
        ("cid", &involved, None),
    ] {
        match (rights.may_approve(name, involved).await, why) {
            (Ok(()), None) => {}
            (Err(said), Some(why)) => assert!(said.contains(why), "{name}: {said}"),
            (said, _) => panic!("{name}: {said:?}"),
        }
    }
}

#[tokio::test]
async fn a_group_that_can_not_be_asked_has_no_members_and_a_channel_needs_a_list() {
    let who = |name: &str, from| Who {
        name: name.to_owned(),
        channel: "test".to_owned(),
        from,
    };
    let listed = rules(RULES);
    let rights = Rights::new(&listed, &Members);
    let said = rights.may_close(&who("cid", From::Channel), &[]).await;
    assert!(said.unwrap_err().contains("it does not answer"));
    let open = rules("");
    let rights = Rights::new(&open, &Members);
    assert!(
        rights
            .may_close(&who("eve", From::Shell), &[])
            .await
            .is_ok()
    );
    let said = rights.may_close(&who("eve", From::Channel), &[]).await;
    assert!(said.unwrap_err().contains("[approvals] closers"));
}

#[test]
fn rules_that_nobody_could_satisfy_are_faults() {
    for (text, fault) in [
        (
            "[approvals]\nneeded = 2\napprovers = [\"ana\"]",
            "2 people must say yes",
        ),
        ("[approvals]\nneeded = 0", "at least 1"),
        ("[[approvals.people]]\nname = \"a:b\"", "is no name"),
        (
            "[[approvals.people]]\nname = \"a\"\n[[approvals.people]]\nname = \"a\"",
            "stands for two people",
        ),
        ("[notify.batch]\nfrom = 1", "0 (never) or at least 2"),
        ("[notify.ladder]\nhigh = \"5s\"", "at least 1m"),
        (
            "[notify.mail]\nurl = \"smtp://mail.example\"\nfrom = \"a@b.example\"\nto = [\"c@b.example\"]",
            "must be smtps://",
        ),
        (
            "[[notify.webhooks]]\nname = \"x\"\nurl = \"http://mail.example\"\nsecret = { env = \"X\" }",
            "must be https://",
        ),
        (
            "[[notify.webhooks]]\nname = \"x\"\nurl = \"http://127.0.0.1:80@evil.example/\"\nsecret = { env = \"X\" }",
            "must be https://",
        ),
        (
            "[[notify.webhooks]]\nname = \"x\"\nurl = \"https://a.example/\"\nsecret = { env = \"X\" }\ntakes = [\"line\"]",
            "without case",
        ),
        (
            "[approvals]\napprovers = [\"slack:U0123456\"]",
            "has no name",
        ),
    ] {
        let said = config::from_text(text, "test").unwrap_err().to_string();
        assert!(said.contains(fault), "{text}: {said}");
    }
}
