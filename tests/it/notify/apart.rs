//! Taking a batch apart: the same rights and the same record whether somebody is at a shell or clicks.

use std::sync::Arc;

use agent::approvals::{AnswerError, take_apart};
use agent::daemon::tell;
use agent::notify::Words;
use agent::notify::slack::{Answered, Answers, Given, Subject, Wish};
use agent::rights::Who;
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use state::model::{Batch, RuleAt};
use state::store::Store;
use tests::board::Board;
use tests::daemon::Site;
use tests::desk::Desk;
use tests::past::leave_proposed;
use tests::workbench::{Lab, stderr};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

const PEOPLE: &str = "
[[approvals.people]]
name = \"ana\"
slack = \"U0ANA\"
";

fn rule() -> RuleAt {
    RuleAt {
        source: "siem".to_owned(),
        rule: "beacon".to_owned(),
    }
}

/// A desk with one batch that people see; its number.
async fn asked() -> (Desk, i64) {
    let closers = |text: String| {
        let text = text.replace("[approvals]\n", "[approvals]\nclosers = [\"ana\"]\n");
        format!("{text}\n{PEOPLE}")
    };
    let desk = Desk::open("apart", closers).await.unwrap();
    let board = Board::default();
    tell(&desk.ctx, &board).await.unwrap();
    desk.clock.forward(TimeDelta::minutes(30));
    let now = desk.ctx.now();
    let until = now + TimeDelta::hours(4);
    let (store, names) = (&desk.ctx.store, ["a", "b", "c"]);
    leave_proposed(store, &rule(), &names, (now, until))
        .await
        .unwrap();
    desk.clock.forward(TimeDelta::minutes(3));
    tell(&desk.ctx, &board).await.unwrap();
    let open = store.open_questions().await.unwrap();
    assert_eq!(open.len(), 1);
    let batch = open[0].id;
    (desk, batch)
}

/// What the audit log says of batches.
async fn records(store: &Store) -> Vec<Value> {
    let all = store.audit(1, 10_000).await.unwrap();
    let of = all.into_iter().map(|e| e.entry);
    of.filter(|e| e["kind"] == "batch").collect()
}

/// The same without what tells one way from the other.
fn bare(mut record: Value) -> Value {
    assert!(record["channel"].as_str().is_some_and(|c| !c.is_empty()));
    record["channel"] = Value::Null;
    record
}

async fn clicked(desk: &Desk, user: &str, batch: i64) -> Answered {
    let given = Given {
        subject: Subject::Batch(batch),
        wish: Wish::LookAtEach,
        user: user.to_owned(),
        channel: "C00000SOC".to_owned(),
        message_ts: "1.2".to_owned(),
        rev: 1,
    };
    let words = Words::new(Arc::clone(&desk.ctx));
    words.answer(given).await.unwrap()
}

#[tokio::test]
async fn a_shell_and_a_click_leave_the_same_record() {
    let (by_shell, batch) = asked().await;
    let store = &by_shell.ctx.store;
    let (rights, at) = (by_shell.ctx.rights(), by_shell.ctx.now());
    for (name, allowed) in [("eve", false), ("ana", true)] {
        let who = Who::at_shell(name, "command line as root");
        let done = take_apart(store, rights, (batch, &who), at).await;
        match done {
            Ok(()) => assert!(allowed, "{name}"),
            Err(AnswerError::Batch { batch: of, why }) => {
                assert!(!allowed && of == batch && why.contains("closers"), "{why}");
                assert!(!store.batch(batch).await.unwrap().split);
            }
            Err(e) => panic!("{name}: {e}"),
        }
    }
    assert!(store.batch(batch).await.unwrap().split);
    let who = Who::at_shell("ana", "command line as root");
    let again = take_apart(store, rights, (batch, &who), at).await;
    assert!(matches!(again, Err(AnswerError::Stale { .. })), "{again:?}");

    let (by_click, same) = asked().await;
    assert_eq!(same, batch);
    // Somebody whom nobody has named.
    let refused = clicked(&by_click, "U0EVE", batch).await;
    assert!(matches!(refused, Answered::Refused { .. }), "{refused:?}");
    let taken = clicked(&by_click, "U0ANA", batch).await;
    assert!(matches!(taken, Answered::Taken { .. }), "{taken:?}");

    let mut shell = records(store).await.into_iter().map(bare);
    let mut click = records(&by_click.ctx.store).await.into_iter().map(bare);
    let (one, other) = (shell.next().unwrap(), click.next().unwrap());
    for (refusal, by) in [(one, "eve"), (other, "slack:U0EVE")] {
        assert_eq!(
            (&refusal["decision"], &refusal["rule"], &refusal["by"]),
            (&json!("deny"), &json!(6), &json!(by)),
            "{refusal}"
        );
    }
    let done =
        json!({"kind": "batch", "batch": batch, "answer": "apart", "by": "ana", "channel": null});
    for records in [shell, click] {
        assert_eq!(records.collect::<Vec<_>>(), std::slice::from_ref(&done));
    }
}

#[tokio::test]
async fn the_command_puts_it_on_record() {
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    let store = site.store().await.unwrap();
    let now = Utc::now();
    let until = now + TimeDelta::hours(4);
    let asked = leave_proposed(&store, &rule(), &["a", "b"], (now, until))
        .await
        .unwrap();
    let batch = Batch {
        id: 0,
        root: 0,
        likeness: "alike".to_owned(),
        approvals: asked.iter().map(|a| a.1).collect(),
        digest: "digest".to_owned(),
        sample: vec![asked[0].0],
        split: false,
    };
    let batch = store.add_batch(&batch, now).await.unwrap().id;
    let number = batch.to_string();
    let done = site
        .run(&["approvals", "apart", &number, "--by", "ana"])
        .unwrap();
    assert!(done.status.success(), "{}", stderr(&done));
    let records = records(&store).await;
    let [record] = &records[..] else {
        panic!("{records:?}");
    };
    assert_eq!(
        (&record["by"], &record["batch"]),
        (&json!("ana"), &json!(batch))
    );
    let channel = record["channel"].as_str().unwrap();
    assert!(channel.starts_with("command line as "), "{record}");
    assert!(store.batch(batch).await.unwrap().split);
    let again = site
        .run(&["approvals", "apart", &number, "--by", "ana"])
        .unwrap();
    assert_eq!(again.status.code(), Some(1), "{}", stderr(&again));
}
