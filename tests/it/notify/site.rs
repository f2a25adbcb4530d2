//! The real daemon tells a real receiver: through an outage, a kill and an answer.

use serde_json::Value;
use state::model::{ApprovalState, CaseId, CaseStatus, PostState};
use state::store::CaseFilter;
use tests::daemon::{Site, until};
use tests::receiver::{Receiver, SECRET};
use tests::workbench::{Lab, STRANGE, USUAL, stderr, tamper};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn site(receiver: &Receiver, address: &str) -> Site {
    let lab = Lab::scenario(&[address]).unwrap();
    let site = Site::new(PROGRAM, lab).unwrap();
    site.change("mode = \"auto\"", "mode = \"propose\"")
        .unwrap();
    let key = site.dir().join("key");
    std::fs::write(&key, SECRET).unwrap();
    site.add(&format!(
        "[notify.batch]\nfrom = 0\n[[notify.webhooks]]\nname = \"chat\"\nurl = \"{}\"\nsecret = {{ file = {:?} }}",
        receiver.url, key
    ))
    .unwrap();
    site
}

async fn told(receiver: &Receiver, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    until(what, async || {
        Ok(receiver.calls().into_iter().rev().find(|c| is_it(c)))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn what_is_asked_survives_an_outage_and_a_kill() {
    let receiver = Receiver::start().await.unwrap();
    let site = site(&receiver, USUAL);
    receiver.answer(&[503, 503]);
    let mut daemon = site.started().await.unwrap();
    until("an attempt", async || {
        Ok((receiver.left() < 2).then_some(()))
    })
    .await
    .unwrap();
    daemon.kill_with(None).await.unwrap();
    let mut daemon = site.started().await.unwrap();
    let card = told(&receiver, "the card", |c| c["post"]["kind"] == "case").await;
    assert_eq!(card["update"], false);
    let id = card["post"]["asks"][0]["approval"].to_string();
    let answered = site
        .run(&[
            "approvals",
            "deny",
            &id,
            "--by",
            "ana",
            "--reason",
            "not ours",
        ])
        .unwrap();
    assert!(answered.status.success(), "{}", stderr(&answered));
    let after = told(&receiver, "the outcome", |c| c["update"] == true).await;
    assert_eq!(after["id"], card["id"]);
    assert_eq!(after["post"]["asks"][0]["state"], "denied");
    let line = told(&receiver, "the line", |c| {
        c["post"]["kind"] == "line" && c["text"].to_string().contains("not ours")
    })
    .await;
    assert_eq!(line["under"], card["id"]);
    assert_eq!(receiver.forged(), 0);
    daemon.stop().await.unwrap();
}

#[tokio::test]
async fn a_case_that_was_escalated_is_told_with_its_reasons() {
    let receiver = Receiver::start().await.unwrap();
    let site = site(&receiver, STRANGE);
    let mut daemon = site.started().await.unwrap();
    let card = told(&receiver, "the card", |c| c["post"]["kind"] == "case").await;
    let post = &card["post"];
    assert!(post["verdict"]["confidence"].is_number(), "{post}");
    assert_eq!(post["closed"], "no");
    let reasons = post["reasons"].as_array().unwrap();
    assert!(!reasons.is_empty() && reasons.len() <= 3, "{post}");
    let taken = site.run(&["case", "take", "ND-1", "--by", "ana"]).unwrap();
    assert!(taken.status.success(), "{}", stderr(&taken));
    let after = told(&receiver, "the owner", |c| c["update"] == true).await;
    assert_eq!(after["post"]["owner"], "ana");
    daemon.stop().await.unwrap();
}

/// Settings of one webhook.
fn hook(name: &str, receiver: &Receiver, key: &std::path::Path) -> String {
    let url = &receiver.url;
    format!(
        "[[notify.webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret = {{ file = {key:?} }}\n"
    )
}

// The receiver answers while the run is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_run_tells_all_that_it_has_found() {
    let receiver = Receiver::start().await.unwrap();
    let site = Site::new(PROGRAM, Lab::demo().unwrap()).unwrap();
    site.change("mode = \"auto\"", "mode = \"propose\"")
        .unwrap();
    let key = site.dir().join("key");
    std::fs::write(&key, SECRET).unwrap();
    site.add(&hook("chat", &receiver, &key)).unwrap();
    site.once().unwrap();
    let store = site.store().await.unwrap();
    let due = store.posts(Some(PostState::Due), 100).await.unwrap();
    assert!(due.is_empty(), "{due:?}");
    let mut told: Vec<CaseId> = Vec::new();
    for call in receiver.calls() {
        let post = &call["post"];
        let cases = post["cases"].as_array().cloned().unwrap_or_default();
        let all = cases.iter().chain(post.get("case"));
        told.extend(all.filter_map(|c| serde_json::from_value::<CaseId>(c.clone()).ok()));
    }
    for line in store.list_cases(CaseFilter::default()).await.unwrap() {
        let waits = matches!(
            line.case.status,
            CaseStatus::Escalated | CaseStatus::AwaitingApproval
        );
        assert_eq!(told.contains(&line.case.id), waits, "{:?}", line.case);
    }
    assert!(told.len() > 10, "{told:?}");
}

// The receiver answers while the run is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_single_run_ends_what_nobody_answered_in_time() {
    let receiver = Receiver::start().await.unwrap();
    let site = site(&receiver, USUAL);
    site.once().unwrap();
    let file = site.dir().join("nightdesk.db");
    for sql in [
        "DROP TRIGGER approvals_keep_their_question",
        "UPDATE approvals SET expires = 1",
    ] {
        tamper(&file, sql).await.unwrap();
    }
    site.once().unwrap();
    let store = site.store().await.unwrap();
    let asked = store.approvals(None).await.unwrap();
    assert_eq!(asked[0].state, ApprovalState::Expired);
    let case = store.case(asked[0].case).await.unwrap();
    assert_eq!(case.status, CaseStatus::Escalated);
    let last = receiver
        .calls()
        .into_iter()
        .rfind(|c| c["post"]["kind"] == "case");
    let last = last.unwrap();
    assert_eq!(last["post"]["asks"][0]["state"], "expired", "{last}");
}
