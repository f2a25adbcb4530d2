//! The audit log: nothing is sent that can't be recorded, and what was recorded can't be changed unseen; rule 12.

use mcp_clients::ToolBox as _;
use serde_json::{Map, json};
use state::model::Budget;

use crate::gate::{self, Meter, PollBox};
use crate::selftest::bench::Bench;
use crate::selftest::trial::Wish;
use crate::selftest::{Control, Tried, Want};

pub(super) fn controls() -> Vec<Control> {
    vec![
        Control {
            rule: 12,
            name: "no record, no call",
            attempt: "a call while the store can't be written",
            want: Want::Unrecordable("the intent could not be recorded"),
            run: |b| Box::pin(call(b)),
        },
        Control {
            rule: 12,
            name: "no record, no poll",
            attempt: "a poll while the store can't be written",
            want: Want::Unrecordable("the poll could not be recorded"),
            run: |b| Box::pin(poll(b)),
        },
        Control {
            rule: 12,
            name: "no record, no effect",
            attempt: "an approved action is sent while the store can't be written",
            want: Want::Unrecordable("closed"),
            run: |b| Box::pin(effect(b)),
        },
        Control {
            rule: 12,
            name: "a record changed in the file",
            attempt: "a word of an audit record is changed in the database file",
            want: Want::Unrecordable("is not as it was written"),
            run: |b| Box::pin(changed(b)),
        },
    ]
}

async fn call(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let subject = trial.case("usual").await?;
    let before = trial.outside.calls().len();
    trial.ctx.store.close().await;
    let wish = Wish::of("identity.get_user", json!({"id": "ana@corp.example"}));
    let meter = Meter::new(Budget::default());
    let called = trial.call(&subject, &meter, &wish).await;
    Ok(Tried {
        stopped: called.reason,
        recorded: None,
        happened: trial.outside.calls().split_off(before),
    })
}

async fn poll(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    trial.ctx.store.close().await;
    let door = PollBox::new(trial.ctx.clone());
    let polled = door.call("siem", "list_tables", Map::new()).await;
    Ok(Tried {
        stopped: polled.err().map(|e| e.to_string()),
        recorded: None,
        happened: trial.outside.calls(),
    })
}

async fn effect(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    trial.approved("no record").await?;
    trial.ctx.store.close().await;
    let sent = gate::carry_out(&trial.ctx).await;
    Ok(Tried {
        stopped: sent.err().map(|e| e.to_string()),
        recorded: None,
        happened: trial.made()?,
    })
}

async fn changed(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let record = json!({"kind": "selftest", "what": "as it was recorded"});
    trial
        .ctx
        .store
        .append_audit(trial.ctx.now(), &record)
        .await?;
    trial.ctx.store.verify_audit().await?;
    let edited = trial.edit_store(|bytes| {
        let at = *places(bytes, b"as it was recorded").first()?;
        bytes[at..at + 6].copy_from_slice(b"was it");
        Some(())
    });
    edited.await?;
    let trial = bench.again(trial, |_| {}).await?;
    let proven = trial.ctx.store.verify_audit().await;
    Ok(Tried {
        stopped: proven.err().map(|e| e.to_string()),
        ..Tried::default()
    })
}

/// Where some bytes stand in others.
pub(super) fn places(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(wanted.len().max(1)).enumerate();
    windows
        .filter(|(_, w)| *w == wanted)
        .map(|(at, _)| at)
        .collect()
}
