//! What a card says of its case: whom and what it is about, and what speaks loudest of all its alerts.

use agent::notify::card::CaseCard;
use agent::notify::{At, Notifier, Post};
use agent::report::{CaseFile, markdown};
use state::model::{
    CaseEvent, CaseId, Claim, NewAlert, Outcome, Reason, Rule, Severity, Spent, Time, Verdict,
    VerdictKind,
};
use state::model::{Entity, EntityKind, Role, Trust};
use state::store::Record;
use tests::board::Board;
use tests::desk::Desk;
use tests::mail_server::MailServer;
use tests::past::verdict;
use tests::receiver::Receiver;
use tests::slack::FakeSlack;
use tests::slack::forge::words;

use super::contract::{mail, webhook};
use super::desk;

/// An alert with its entities and what speaks for what.
struct Told {
    entities: Vec<Entity>,
    kind: VerdictKind,
    reasons: Vec<(&'static str, f64, &'static str)>,
}

fn entity(kind: EntityKind, role: Role, value: &str) -> Entity {
    Entity {
        kind,
        value: value.to_owned(),
        role,
        trust: Trust::Trusted,
    }
}

fn told(entities: Vec<Entity>) -> Told {
    Told {
        entities,
        kind: VerdictKind::TruePositive,
        reasons: vec![],
    }
}

fn alert(n: usize, entities: Vec<Entity>, time: Time) -> NewAlert {
    NewAlert {
        source: "siem".to_owned(),
        source_alert_id: format!("alert {n}"),
        mapping: "wazuh".to_owned(),
        product: "sysmon".to_owned(),
        rule: Rule {
            id: "92900".to_owned(),
            name: "Lsass process was accessed".to_owned(),
            groups: vec![],
        },
        severity: Severity::High,
        time,
        attacks: vec![],
        activities: vec![],
        entities,
        observables: vec![],
        raw: "{}".to_owned(),
    }
}

/// Leaves a case of these alerts, judged and handed to people.
async fn leave(desk: &Desk, all: Vec<Told>) -> CaseId {
    let (store, now) = (&desk.ctx.store, desk.ctx.now());
    let mut case = None;
    let mut verdicts: Vec<Verdict> = Vec::new();
    for (n, told) in all.into_iter().enumerate() {
        let new = alert(n, told.entities, now);
        let received = store.store_alerts(&[new], &[], None, now).await.unwrap();
        let alert = store.alert(received[0].alert).await.unwrap();
        let id = match case {
            Some(id) => {
                store.join_case(id, &alert, now, vec![]).await.unwrap();
                id
            }
            None => {
                let opened = store.open_case(&alert, "Lsass", now, vec![]).await.unwrap();
                *case.insert(opened.id)
            }
        };
        let mut judged = verdict(id, &alert, told.kind, now);
        let reasons = told.reasons.into_iter().map(|(id, weight, text)| Reason {
            id: id.to_owned(),
            weight,
            claim: Claim {
                text: text.to_owned(),
                evidence: vec![],
                quote: None,
            },
        });
        judged.basis.reasons = reasons.collect();
        verdicts.push(judged);
    }
    let lease = std::time::Duration::from_secs(60);
    let claimed = store.claim("about", now, lease).await.unwrap();
    let record = Record {
        close_cap: 0,
        claim: claimed.unwrap().0,
        verdicts,
        outcome: Outcome::Escalated,
        event: CaseEvent::Escalated,
        effects: vec![],
        approvals: vec![],
        events: vec![],
        spent: Spent::default(),
        now,
    };
    store.record(record).await.unwrap();
    case.unwrap()
}

/// The only card on the board.
async fn card(desk: &Desk, board: &Board) -> Box<CaseCard> {
    board.beat(&desk.ctx).await.unwrap();
    let cards = board.seen().into_iter().filter_map(|p| match p.post {
        Post::Case(card) => Some(card),
        _ => None,
    });
    let [card] = &cards.collect::<Vec<_>>()[..] else {
        panic!("one card: {:?}", board.seen());
    };
    card.clone()
}

fn fact<'c>(card: &'c CaseCard, name: &str) -> Option<&'c str> {
    let mut facts = card.facts.iter();
    facts.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

/// What people read of a card: in Slack, from a webhook, and in their mail.
async fn read(card: Box<CaseCard>) -> [String; 3] {
    let post = Post::Case(card);
    let (fake, receiver) = (
        FakeSlack::start().await.unwrap(),
        Receiver::start().await.unwrap(),
    );
    let (server, dir) = (
        MailServer::start().await.unwrap(),
        tempfile::tempdir().unwrap(),
    );
    let slack = crate::slack::slack(&fake, "socket").await;
    let hook = webhook(&receiver, dir.path()).await;
    let mail = mail(&server).await;
    for notifier in [&*slack as &dyn Notifier, &hook, &mail] {
        notifier.post(&post, At::default()).await.unwrap();
    }
    [
        words(&fake.messages()[0].blocks),
        receiver.calls()[0]["text"].to_string(),
        server.mails()[0].clone(),
    ]
}

#[tokio::test]
async fn a_card_says_whom_and_what_it_is_about() {
    use {EntityKind as K, Role as R};
    let host = || entity(K::Host, R::Place, "HBR-LT-014");
    let address = || entity(K::Address, R::Peer, "192.0.2.7");
    let cases = [
        (vec![host(), address()], vec![("Host", "HBR-LT-014")]),
        (
            vec![host(), entity(K::User, R::Principal, "clara")],
            vec![("Principal", "clara"), ("Host", "HBR-LT-014")],
        ),
        (
            vec![address(), entity(K::User, R::Target, "bo")],
            vec![("Target", "bo")],
        ),
        (vec![address()], vec![("About", "192.0.2.7")]),
    ];
    for (entities, wanted) in cases {
        let (desk, board) = desk("about").await;
        leave(&desk, vec![told(entities)]).await;
        let card = card(&desk, &board).await;
        let names = ["Principal", "Host", "Target", "About"];
        let named = names.iter().filter_map(|n| Some((*n, fact(&card, n)?)));
        assert_eq!(named.collect::<Vec<_>>(), wanted);
        for said in read(card).await {
            for (name, value) in &wanted {
                let value = value.split('.').next().unwrap();
                assert!(said.contains(name) && said.contains(value), "{said}");
            }
        }
    }
}

/// The summary of a report.
fn summary(report: &str) -> String {
    let (_, summary) = report.split_once("## Executive summary").unwrap();
    let end = summary.find("\n## ").unwrap_or(summary.len());
    summary[..end].to_owned()
}

#[tokio::test]
async fn a_card_of_several_alerts_tells_the_strongest_reasons_of_all() {
    use VerdictKind as V;
    let (desk, board) = desk("strongest").await;
    let of = |kind, reasons: &[(&'static str, f64, &'static str)]| Told {
        entities: vec![],
        kind,
        reasons: reasons.to_vec(),
    };
    let first = [
        ("odd_hour", 0.4, "it was at night"),
        ("dump", 0.3, "memory was read a little"),
        ("model", 0.01, "a first thought"),
    ];
    let second = [
        ("dump", 3.2, "memory was read in full"),
        ("signed", -2.5, "the program is signed"),
        ("model", 0.01, "a second thought"),
    ];
    let harmless = [("backup", -9.0, "it is the backup")];
    let case = leave(
        &desk,
        vec![
            of(V::TruePositive, &first),
            of(V::TruePositive, &second),
            of(V::BenignPositive, &harmless),
        ],
    )
    .await;
    let wanted = [
        "memory was read in full",
        "the program is signed",
        "it was at night",
    ];
    let card = card(&desk, &board).await;
    let said: Vec<&str> = card.reasons.iter().map(|r| r.text.as_str()).collect();
    assert_eq!(said, wanted);
    let (store, library) = (&desk.ctx.store, &desk.ctx.library);
    let file = CaseFile::read(store, library, case).await.unwrap();
    let all: Vec<&str> = file
        .strongest()
        .iter()
        .map(|r| r.claim.text.as_str())
        .collect();
    assert_eq!(all[..3], wanted);
    assert_eq!(all[3..], ["a first thought", "a second thought"]);
    let report = summary(&markdown(&file, library));
    let places = wanted.map(|text| {
        report
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {report}"))
    });
    assert!(places.is_sorted(), "{report}");
}
