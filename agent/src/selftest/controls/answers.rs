//! Approvals: who answers, when, how often, and for what exactly; all rule 6.

use chrono::TimeDelta;
use state::model::{Answered, EffectDecision};

use crate::approvals::AnswerError;
use crate::config::PersonConfig;
use crate::selftest::bench::{APPROVER, Bench, Setup};
use crate::selftest::trial::{Deed, Trial};
use crate::selftest::{Control, Tried, Want};

pub(super) fn controls() -> Vec<Control> {
    [by_whom(), when(), for_what()]
        .into_iter()
        .flatten()
        .collect()
}

/// A second approver, who is somebody of the case where a control says so.
const INVOLVED: &str = "second@corp.example";
/// Whom the bench's alerts are about.
const SUBJECT: &str = "ana@corp.example";

fn by_whom() -> Vec<Control> {
    vec![
        Control {
            rule: 6,
            name: "an approved action is carried out once",
            attempt: "a destructive action, allowed, live, and approved by an approver",
            want: Want::Done,
            run: |b| Box::pin(once(b)),
        },
        Control {
            rule: 6,
            name: "no answer",
            attempt: "a destructive action that nobody has approved is due to be sent",
            want: Want::Refused("a destructive action needs a person"),
            run: |b| {
                Box::pin(async move {
                    let trial = b.trial(|_| {}).await?;
                    let effect = trial
                        .propose(&[Deed::allowed("no answer")])
                        .await?
                        .remove(0);
                    trial.carried(&effect).await
                })
            },
        },
        Control {
            rule: 6,
            name: "a stranger's yes",
            attempt: "somebody who is no approver approves",
            want: Want::Refused("is not one of [approvals] approvers"),
            run: |b| Box::pin(answered(b, "stranger@corp.example", TimeDelta::zero())),
        },
        Control {
            rule: 6,
            name: "the daemon's own yes",
            attempt: "the daemon approves what it asked, although it is listed as an approver",
            want: Want::Refused("who asks never approves"),
            run: |b| Box::pin(answered(b, "nightdesk", TimeDelta::zero())),
        },
        Control {
            rule: 6,
            name: "an approver on a case of their own",
            attempt: "an approver whose account the alert is about approves",
            want: Want::Refused("is part of this case"),
            run: |b| Box::pin(answered(b, INVOLVED, TimeDelta::zero())),
        },
        Control {
            rule: 6,
            name: "one yes where two are needed",
            attempt: "one of two needed approvers approves, then what is due is sent",
            want: Want::Refused("a destructive action needs a person"),
            run: |b| Box::pin(one_of_two(b)),
        },
    ]
}

fn when() -> Vec<Control> {
    vec![
        Control {
            rule: 6,
            name: "a late yes",
            attempt: "an approver approves after the question has run out",
            want: Want::Refused("it has run out, which means no"),
            run: |b| Box::pin(answered(b, APPROVER, TimeDelta::hours(5))),
        },
        Control {
            rule: 6,
            name: "a no",
            attempt: "an approver says no, then what is due is sent",
            want: Want::Refused("denied by approver@corp.example"),
            run: |b| {
                Box::pin(async move {
                    let trial = b.trial(|_| {}).await?;
                    let effect = trial.propose(&[Deed::allowed("a no")]).await?.remove(0);
                    trial.answer(&effect, APPROVER, Answered::Denied).await??;
                    trial.carried(&effect).await
                })
            },
        },
        Control {
            rule: 6,
            name: "a yes used twice",
            attempt: "an approval that was used is given again and what is due is sent again",
            want: Want::Refused("only an open question can be answered"),
            run: |b| Box::pin(twice(b)),
        },
    ]
}

async fn once(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let effect = trial.approved("once").await?;
    let carried = trial.carried(&effect).await?;
    let again = trial.send().await?;
    anyhow::ensure!(again.is_empty(), "it was sent again: {again:?}");
    anyhow::ensure!(
        trial.tickets()? == 1,
        "{} tickets were made",
        trial.tickets()?
    );
    Ok(carried)
}

/// An answer that must not count, and the attempt to send all the same.
async fn answered(bench: &Bench, by: &str, later: TimeDelta) -> anyhow::Result<Tried> {
    let listed = |s: &mut Setup| {
        let rules = &mut s.config.people.approvals;
        let more = ["nightdesk", INVOLVED].map(str::to_owned);
        rules.approvers.extend(more);
        rules.people.push(PersonConfig {
            name: INVOLVED.to_owned(),
            accounts: vec![SUBJECT.to_owned()],
            ..PersonConfig::default()
        });
    };
    let trial = bench.trial(listed).await?;
    let effect = trial
        .propose(&[Deed::allowed("an answer")])
        .await?
        .remove(0);
    trial.clock.forward(later);
    let given = trial.answer(&effect, by, Answered::Approved).await?;
    refused(&trial, given).await
}

async fn one_of_two(bench: &Bench) -> anyhow::Result<Tried> {
    let two = |s: &mut Setup| {
        let rules = &mut s.config.people.approvals;
        rules.approvers.push(INVOLVED.to_owned());
        rules.needed = 2;
    };
    let trial = bench.trial(two).await?;
    let effect = trial.propose(&[Deed::allowed("one yes")]).await?.remove(0);
    trial
        .answer(&effect, APPROVER, Answered::Approved)
        .await??;
    trial.carried(&effect).await
}

/// What an answer met, and what was sent all the same.
async fn refused(trial: &Trial, given: Result<(), AnswerError>) -> anyhow::Result<Tried> {
    let recorded = trial.on_record().await?;
    trial.send().await?;
    Ok(Tried {
        stopped: given.err().map(|e| e.to_string()),
        recorded,
        happened: trial.made()?,
    })
}

async fn twice(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let effect = trial.approved("twice").await?;
    trial.send().await?;
    anyhow::ensure!(
        trial.tickets()? == 1,
        "the approved action was not carried out"
    );
    let given = trial.answer(&effect, APPROVER, Answered::Approved).await?;
    let mut tried = refused(&trial, given).await?;
    if trial.tickets()? == 1 {
        tried.happened.clear();
    }
    Ok(tried)
}

fn for_what() -> Vec<Control> {
    vec![
        Control {
            rule: 6,
            name: "a yes that has run out",
            attempt: "an action is approved in time and sent after the approval has run out",
            want: Want::Refused("is not in force"),
            run: |b| {
                Box::pin(async move {
                    let trial = b.trial(|_| {}).await?;
                    let effect = trial.approved("run out").await?;
                    trial.clock.forward(TimeDelta::hours(5));
                    trial.carried(&effect).await
                })
            },
        },
        Control {
            rule: 6,
            name: "an approver who is one no longer",
            attempt: "an action is approved, then its approver is taken off the list, then it is sent",
            want: Want::Refused("is not one of [approvals] approvers"),
            run: |b| Box::pin(later(b, |s| s.config.people.approvals.approvers.clear())),
        },
        Control {
            rule: 6,
            name: "another policy than was approved under",
            attempt: "an action is approved, then the policy is replaced, then it is sent",
            want: Want::Refused("was given for another action, definition or policy"),
            run: |b| Box::pin(later(b, |s| s.policy = Some("wide"))),
        },
        Control {
            rule: 6,
            name: "arguments that changed after the approval",
            attempt: "an action is approved, then its arguments are changed in the database file",
            want: Want::Refused("was given for another action, definition or policy"),
            run: |b| Box::pin(forged(b)),
        },
    ]
}

/// Approved under the bench's settings, sent under others.
async fn later(bench: &Bench, change: impl FnOnce(&mut Setup)) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let effect = trial.approved("sent later").await?;
    let trial = bench.again(trial, change).await?;
    trial.carried(&effect).await
}

async fn forged(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let effect = trial.approved("as was approved").await?;
    // The row of the effect alone: in the question and in the audit log the same text stands behind this key.
    let elsewhere = b"\"arguments\":";
    let edited = trial.edit_store(|bytes| {
        let whole = effect.arguments.to_string();
        let (good, bad) = (b"as was approved", b"as was replaced");
        let at = super::records::places(bytes, whole.as_bytes())
            .into_iter()
            .find(|at| !bytes[..*at].ends_with(elsewhere));
        let inside = at.and_then(|at| {
            let inside = super::records::places(&bytes[at..], good);
            Some(at + inside.first()?)
        });
        inside.map(|at| bytes[at..at + bad.len()].copy_from_slice(bad))
    });
    edited.await?;
    let trial = bench.again(trial, |_| {}).await?;
    let due = trial.ctx.store.effects_at(EffectDecision::Due).await?;
    let forged = due.iter().any(|e| e.arguments != effect.arguments);
    anyhow::ensure!(forged, "the arguments could not be changed");
    trial.carried(&effect).await
}
