//! Who may answer: names, members of groups, several people, and nobody on a case of their own.

use agent::config::{self, ApprovalsConfig};
use agent::feedback::{self, Said, Then};
use agent::rights::{From, Groups, Rights, Who};
use async_trait::async_trait;
use state::model::{CaseId, CaseStatus, RuleAt, Time, VerdictKind};
use state::store::Store;
use tests::past::{Past, join, leave};

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

#[tokio::test]
async fn a_member_of_a_group_closes_only_under_a_name() {
    let rules = rules(
        "[approvals]\nclosers = [\"group:S0IR\", \"slack:U0EVE\"]\n[[approvals.people]]\nname = \"cid\"\nslack = \"U0CID\"\n",
    );
    let rights = Rights::new(&rules, &Members);
    for (name, why) in [
        ("cid", None),
        // Whose accounts these are nobody knows: they may close cases of their own.
        ("slack:U0DEE", Some("must be known by name")),
        ("slack:U0EVE", None),
    ] {
        let who = Who {
            name: name.to_owned(),
            channel: "test".to_owned(),
            from: From::Channel,
        };
        match (rights.may_close(&who, &[]).await, why) {
            (Ok(()), None) => {}
            (Err(said), Some(why)) => assert!(said.contains(why), "{name}: {said}"),
            (said, _) => panic!("{name}: {said:?}"),
        }
    }
}

/// Somebody who is slow to say who is in a group: an alert joins the case and is judged meanwhile.
struct Slow {
    store: Store,
    of: RuleAt,
    case: CaseId,
    at: Time,
}

#[async_trait]
impl Groups for Slow {
    async fn members(&self, _: &str) -> Result<Vec<String>, String> {
        let attack = (self.case, VerdictKind::TruePositive);
        let joined = join(&self.store, &self.of, attack, self.at).await;
        joined.map_err(|e| e.to_string())?;
        Ok(vec!["U0CID".to_owned()])
    }
}

#[tokio::test]
async fn a_close_takes_nothing_with_it_that_came_while_rights_were_asked() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let of = RuleAt {
        source: "siem".to_owned(),
        rule: "beacon".to_owned(),
    };
    let past = Past {
        kind: VerdictKind::Suspicious,
        calls: 0,
        tool: "identity.get_user",
        model: None,
    };
    let at = |minutes| chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minutes);
    leave(&store, &of, &[(1, past)], at(0)).await.unwrap();
    let case = CaseId(1);
    let slow = Slow {
        store: store.clone(),
        of,
        case,
        at: at(20),
    };
    let rules = rules(
        "[approvals]\nclosers = [\"group:S0IR\"]\n[[approvals.people]]\nname = \"cid\"\nslack = \"U0CID\"\n",
    );
    let said = Said {
        case,
        alerts: Vec::new(),
        kind: VerdictKind::FalsePositive,
        who: Who::at_shell("cid", "test"),
        note: String::new(),
        then: Then::Close,
        at: at(30),
    };
    let given = feedback::give(&store, Rights::new(&rules, &slow), said).await;
    let refused = given.unwrap_err().to_string();
    assert!(refused.contains("changed since"), "{refused}");
    let status = store.case(case).await.unwrap().status;
    assert_eq!(status, CaseStatus::Escalated);
    let kinds: Vec<_> = store.current_verdicts(case).await.unwrap();
    let kinds: Vec<_> = kinds.iter().map(|v| v.kind).collect();
    assert_eq!(kinds, [VerdictKind::Suspicious, VerdictKind::TruePositive]);
    let log = store.audit_of(case).await.unwrap();
    let last = &log.last().unwrap().entry;
    assert_eq!(last["decision"], "deny", "it is on record: {last}");
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
        (
            "[approvals.expires_by_severity]\ncritical = \"0s\"",
            "`approvals.expires_by_severity.critical`: must lie between 1m and 7d",
        ),
        (
            "[approvals.expires_by_severity]\nlow = \"9999999h\"",
            "must lie between 1m and 7d",
        ),
        (
            "[closing]\nproposal_expires = \"60s\"\n[[notify.webhooks]]\nname = \"x\"\nurl = \"https://a.example/\"\nsecret = { env = \"X\" }",
            "nobody would see one in time",
        ),
    ] {
        let said = config::from_text(text, "test").unwrap_err().to_string();
        assert!(said.contains(fault), "{text}: {said}");
    }
}

#[test]
fn every_fault_of_a_list_is_told_at_its_own_place() {
    let hook = |name: &str, more: &str| {
        format!("[[notify.webhooks]]\nname = \"{name}\"\nsecret = {{ env = \"X\" }}\n{more}\n")
    };
    let good = hook("b", "url = \"https://a.example/\"");
    let odd = hook("e", "url = \"https://a.example/\"\ncolour = 1");
    let text = [hook("a", ""), good, hook("c", ""), hook("d", ""), odd].concat();
    let said = config::from_text(&text, "test").unwrap_err();
    let keys: Vec<&str> = said.0.iter().map(|f| f.key.as_str()).collect();
    let all = [
        "notify.webhooks.0",
        "notify.webhooks.2",
        "notify.webhooks.3",
        "notify.webhooks.4.colour",
    ];
    assert_eq!(keys, all, "{said}");
}
