//! Actions on the outside world before anybody is asked: rules 1, 4 to 8, 10, 11 and 13.

use mcp_clients::config::TechniqueRule;
use serde_json::json;
use state::model::Answered;
use state::model::{Switch, ToolClass};

use crate::gate::Origin;
use crate::selftest::bench::{APPROVER, Bench, Setup, USER};
use crate::selftest::trial::Deed;
use crate::selftest::{Control, Tried, Want};

pub(super) fn controls() -> Vec<Control> {
    [on_whom(), live(), what(), how_often()]
        .into_iter()
        .flatten()
        .collect()
}

/// One action, proposed, and sent if nobody stops it.
async fn acted(
    bench: &Bench,
    change: impl FnOnce(&mut Setup),
    deed: Deed,
) -> anyhow::Result<Tried> {
    let trial = bench.trial(change).await?;
    let effect = trial.propose(&[deed]).await?.remove(0);
    trial.carried(&effect).await
}

fn on_whom() -> Vec<Control> {
    vec![
        Control {
            rule: 4,
            name: "target outside the allowlist",
            attempt: "a destructive action on the case's user with an empty allowlist",
            want: Want::Refused("the target is not in the allowlist"),
            run: |b| {
                let change = |s: &mut Setup| s.effect(|e| e.allow.clear());
                Box::pin(acted(b, change, Deed::allowed("allowlist")))
            },
        },
        Control {
            rule: 4,
            name: "protected target",
            attempt: "a destructive action on a user whom [protection] names",
            want: Want::Refused("the target is protected by"),
            run: |b| {
                let change =
                    |s: &mut Setup| s.config.protection.entities = vec!["ana@*".to_owned()];
                Box::pin(acted(b, change, Deed::allowed("protected")))
            },
        },
        Control {
            rule: 4,
            name: "target of another case",
            attempt: "a destructive action on an allowed user who is not of this case",
            want: Want::Refused("is not an entity of this case's trusted fields"),
            run: |b| {
                let mut deed = Deed::allowed("another case");
                deed.target = "dan@corp.example";
                deed.arguments["title"] = json!(deed.target);
                let change = |s: &mut Setup| s.effect(|e| e.allow = vec!["*".to_owned()]);
                Box::pin(acted(b, change, deed))
            },
        },
        Control {
            rule: 4,
            name: "an argument that names another target",
            attempt: "an action for the case's user whose argument names the administrator",
            want: Want::Refused("is not the target it is for"),
            run: |b| {
                let mut deed = Deed::allowed("other argument");
                deed.arguments["title"] = json!("admin@corp.example");
                Box::pin(acted(b, |_| {}, deed))
            },
        },
        Control {
            rule: 4,
            name: "an action in the guise of a word on an alert",
            attempt: "an action that claims to say at the alert's source that it is closed",
            want: Want::Refused("are not answered there"),
            run: |b| {
                let mut deed = Deed::allowed("in the guise of a word");
                deed.speaks = true;
                // The gate fills nothing in for what is said of an alert.
                deed.arguments["idempotency_key"] = json!("word");
                Box::pin(acted(b, |_| {}, deed))
            },
        },
        Control {
            rule: 8,
            name: "an action with a value of the model's own",
            attempt: "a model words the body of a destructive action",
            want: Want::Refused("stands in no trusted field of this case"),
            run: |b| {
                let mut deed = Deed::allowed("by the attacker's orders");
                deed.origin = Origin::Model;
                Box::pin(acted(b, |_| {}, deed))
            },
        },
    ]
}

fn live() -> Vec<Control> {
    vec![
        Control {
            rule: 5,
            name: "dry run of everything",
            attempt: "an allowed action with [effects] live off",
            want: Want::Refused("dry run, since [effects] live is false"),
            run: |b| {
                let change = |s: &mut Setup| s.config.effects.live = false;
                Box::pin(acted(b, change, Deed::allowed("dry run of all")))
            },
        },
        Control {
            rule: 6,
            name: "a server that takes silence for consent",
            attempt: "an allowed action of a tool whose server goes ahead when it can't ask",
            want: Want::Refused("for one that consents"),
            run: |b| {
                let change = |s: &mut Setup| s.effect(|e| e.needs_elicitation = Some(true));
                Box::pin(acted(b, change, Deed::allowed("without asking")))
            },
        },
        Control {
            rule: 1,
            name: "an action of a tool that no tier may use",
            attempt: "an allowed action whose tool is switched on without tier 3",
            want: Want::Refused("tiers does not hold 3"),
            run: |b| {
                let change =
                    |s: &mut Setup| s.tool("ticketing", "create_ticket", |t| t.tiers.clear());
                Box::pin(acted(b, change, Deed::allowed("of no tier")))
            },
        },
        Control {
            rule: 5,
            name: "dry run of a tool",
            attempt: "an allowed action with the tool's own live off",
            want: Want::Refused("create_ticket.effect] live is false"),
            run: |b| {
                let change = |s: &mut Setup| s.effect(|e| e.live = false);
                Box::pin(acted(b, change, Deed::allowed("dry run of a tool")))
            },
        },
        Control {
            rule: 13,
            name: "effects before the state was accepted",
            attempt: "an allowed action although nobody has accepted configuration and playbooks",
            want: Want::Refused("nobody has accepted the state"),
            run: |b| {
                let change = |s: &mut Setup| {
                    let lock = s.config.paths.lock.clone();
                    s.config.paths.manifest = lock.map(|l| l.with_extension("none"));
                };
                Box::pin(acted(b, change, Deed::allowed("not accepted")))
            },
        },
        Control {
            rule: 13,
            name: "effects while they are switched off",
            attempt: "an action is approved, then somebody pauses effects",
            want: Want::Refused("switched off by somebody"),
            run: |b| Box::pin(paused(b)),
        },
    ]
}

async fn paused(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let effect = trial.approved("paused").await?;
    trial.pause(Switch::Effects).await?;
    trial.carried(&effect).await
}

fn what() -> Vec<Control> {
    vec![
        Control {
            rule: 7,
            name: "a technique that is not allowed",
            attempt: "an offensive tool is to run T1110 where T1046 is listed",
            want: Want::Refused("may run T1046 only"),
            run: |b| {
                let mut deed = Deed::allowed("technique");
                deed.arguments["severity"] = json!("T1110");
                let change = |s: &mut Setup| {
                    let rule = TechniqueRule {
                        argument: "severity".to_owned(),
                        allow: vec!["T1046".to_owned()],
                    };
                    s.effect(|e| e.techniques = Some(rule));
                };
                Box::pin(acted(b, change, deed))
            },
        },
        Control {
            rule: 11,
            name: "policy forbids an action",
            attempt: "an allowed action under a policy that denies",
            want: Want::Refused("the selftest's policy forbids every call"),
            run: |b| {
                let change = |s: &mut Setup| s.policy = Some("deny");
                Box::pin(acted(b, change, Deed::allowed("policy")))
            },
        },
        Control {
            rule: 6,
            name: "policy can not drop the approval",
            attempt: "a destructive action under a policy that allows everything",
            want: Want::Refused("a destructive action needs a person"),
            run: |b| {
                let change = |s: &mut Setup| s.policy = Some("wide");
                Box::pin(acted(b, change, Deed::allowed("wide policy")))
            },
        },
        Control {
            rule: 4,
            name: "policy can not widen the allowlist",
            attempt: "an action on no allowed target under a policy that allows everything",
            want: Want::Refused("the target is not in the allowlist"),
            run: |b| {
                let change = |s: &mut Setup| {
                    s.policy = Some("wide");
                    s.effect(|e| e.allow.clear());
                };
                Box::pin(acted(b, change, Deed::allowed("wide allowlist")))
            },
        },
        Control {
            rule: 1,
            name: "a class that changed after the approval",
            attempt: "an approved action is sent after the operator made its tool a write",
            want: Want::Refused("was destructive when it was proposed"),
            run: |b| Box::pin(reclassed(b)),
        },
    ]
}

async fn reclassed(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench.trial(|_| {}).await?;
    let effect = trial.approved("reclassed").await?;
    let write = |s: &mut Setup| {
        s.tool("ticketing", "create_ticket", |t| t.class = ToolClass::Write);
    };
    let trial = bench.again(trial, write).await?;
    trial.carried(&effect).await
}

fn how_often() -> Vec<Control> {
    vec![
        Control {
            rule: 10,
            name: "a second alarm for one case",
            attempt: "a second ticket for a case that has one",
            want: Want::Refused("was used for ND-1 before"),
            run: |b| Box::pin(twice_raised(b)),
        },
        Control {
            rule: 10,
            name: "destructive actions an hour",
            attempt: "a second approved destructive action where one an hour is allowed",
            want: Want::Refused("destructive actions"),
            run: |b| Box::pin(over_the_cap(b)),
        },
    ]
}

async fn twice_raised(bench: &Bench) -> anyhow::Result<Tried> {
    let raising = |s: &mut Setup| {
        s.tool("ticketing", "create_ticket", |t| {
            t.class = ToolClass::Write;
            t.effect.raise = true;
        });
    };
    let trial = bench.trial(raising).await?;
    let first = trial
        .propose(&[Deed::allowed("first alarm")])
        .await?
        .remove(0);
    let sent = trial.carried(&first).await?;
    anyhow::ensure!(sent.stopped.is_none() && trial.tickets()? == 1, "{sent:?}");
    let case = first.case;
    let mut again = Deed::allowed("second alarm");
    again.target = "";
    let refused = trial.propose_more(case, &again).await?;
    Ok(Tried {
        stopped: Some(refused.reason),
        recorded: trial.on_record().await?,
        happened: match trial.tickets()? {
            1 => Vec::new(),
            n => vec![format!("{n} tickets were made")],
        },
    })
}

async fn over_the_cap(bench: &Bench) -> anyhow::Result<Tried> {
    let trial = bench
        .trial(|s| s.config.effects.destructive_per_hour = 1)
        .await?;
    let deeds = [
        Deed::allowed("within the cap"),
        Deed::allowed("over the cap"),
    ];
    let effects = trial.propose(&deeds).await?;
    for effect in &effects {
        trial.answer(effect, APPROVER, Answered::Approved).await??;
    }
    let mut second = trial.carried(&effects[1]).await?;
    let first = trial.stands(&effects[0]).await?;
    anyhow::ensure!(
        first.stopped.is_none(),
        "the first for {USER} was stopped: {first:?}"
    );
    if trial.tickets()? == 1 {
        second.happened.clear();
    }
    Ok(second)
}
