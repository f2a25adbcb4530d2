//! Fuzzed proposals against the whole gate: an oracle written by hand says what may reach the servers, and nothing else
//! does; every refusal stands in the audit log with its rule.
//!
//! `NIGHTDESK_FUZZ` sets how many proposals, `NIGHTDESK_FUZZ_SEED` another sequence; a failure names its seed and round.

mod oracle;
mod wishes;

use std::collections::VecDeque;
use std::time::Duration;

use agent::approvals::{Answer, AnswerError, answer};
use agent::gate::{self, Carried, Meter, Origin, Proposal, Request, Subject};
use agent::rights::Who;
use chrono::TimeDelta;
use mcp_clients::ToolDef;
use serde_json::{Value, json};
use state::model::{
    Answered, Budget, CallOutcome, CaseEvent, CaseId, EffectDecision, Outcome, Spent, Switch,
    SwitchState, Time, Turn,
};
use state::store::{Claim, NewApproval, Record};
use tests::desk::Desk;
use tests::draw::{Draw, rounds};
use tests::ledger::Sent;

use oracle::{May, may, same};
use wishes::{Case, Chosen, Wish, wish};

/// Wishes of one case.
const OF_A_CASE: usize = 16;
/// Calls that a tier of a case may make here, and equal ones.
const CALLS: (u32, u32) = (12, 2);
/// Destructive actions an hour, as `tests/data/gate` has it.
const DESTRUCTIVE: usize = 5;
/// Largest audit record, bytes: whatever was proposed.
const LARGEST_RECORD: usize = 100_000;

/// What got through and what did not.
#[derive(Debug, Default)]
struct Tally {
    read: usize,
    asked: usize,
    raised: usize,
    approved: usize,
    denied: usize,
    destructive: VecDeque<Time>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_reaches_a_server_but_what_the_oracle_allows() {
    let proposals = rounds("NIGHTDESK_FUZZ", 2_000);
    let seed = std::env::var("NIGHTDESK_FUZZ_SEED").unwrap_or_else(|_| "gate".to_owned());
    let desks = 2;
    let cases = proposals.div_ceil(OF_A_CASE * desks);
    let work = (0..desks).map(|n| {
        let seed = format!("{seed}-{n}");
        tokio::spawn(async move {
            let desk = Desk::open(&seed, |text| text).await.unwrap();
            let (draw, mut tally) = (Draw::of(&seed), Tally::default());
            for n in 0..cases {
                one_case(&desk, &draw, n, &mut tally).await;
            }
            desk.ctx.store.verify_audit().await.unwrap();
            tally
        })
    });
    for tally in futures::future::join_all(work).await {
        let tally = tally.unwrap();
        eprintln!("{} proposals of {seed}: {tally:?}", cases * OF_A_CASE);
        for (what, through) in [
            ("read", tally.read),
            ("asked outside", tally.asked),
            ("raised", tally.raised),
            ("done with approval", tally.approved),
        ] {
            assert!(
                through * 50 > cases,
                "hardly anything was {what}: {tally:?}"
            );
        }
    }
}

/// One case: wishes, answers of people, a disturbance, the sending, and what came of it.
async fn one_case(desk: &Desk, draw: &Draw, n: usize, tally: &mut Tally) {
    let place = format!("seed {}, case {n}", draw.seed());
    desk.clock.forward(TimeDelta::seconds(61));
    let case = Case::number(n, draw);
    let subject = desk.case(&case.alert(n)).await.unwrap();
    let held = desk
        .ctx
        .store
        .claim("desk", desk.ctx.now(), Duration::from_secs(3600));
    let (claim, _) = held.await.unwrap().unwrap();
    assert_eq!(claim.case, subject.case, "{place}");
    let mut wishes: Vec<Wish> = Vec::new();
    while wishes.len() < OF_A_CASE {
        let again = draw.percent(15) && !wishes.is_empty();
        let next = match again {
            true => draw.of_these(&wishes).clone(),
            false => wish(&case, draw),
        };
        wishes.push(next);
    }
    let (questions, refused) = put(desk, &subject, claim, &wishes).await;
    let mut denied = refused;
    let mut granted: Vec<Value> = Vec::new();
    for (id, question) in questions {
        let (yes, refused) = answers(desk, draw, id).await;
        denied += refused;
        granted.extend(yes.then(|| json!([question.action, question.binding["arguments"]])));
    }
    denied += disturbed(desk, draw).await;
    let mut sent = capped(desk, tally, &place);
    // What is beyond the hour's cap waits for the next.
    while waits(desk, subject.case).await {
        desk.clock.forward(TimeDelta::minutes(61));
        denied += denials(&gate::carry_out(&desk.ctx).await.unwrap());
        sent.extend(capped(desk, tally, &place));
    }
    assert_eq!(gate::carry_out(&desk.ctx).await.unwrap(), [], "{place}");
    assert_eq!(desk.ledger.take(), [], "{place}: sent twice");
    allowed(&sent, &wishes, (&case, &granted), tally, &place);
    audited(desk, &subject, denied, &place).await;
    tally.denied += denied;
}

/// What was sent since, no more of it destructive within an hour than the cap allows.
fn capped(desk: &Desk, tally: &mut Tally, place: &str) -> Vec<Sent> {
    let (sent, now) = (desk.ledger.take(), desk.ctx.now());
    let destructive = |s: &&Sent| matches!(s.tool.as_str(), "idp.suspend" | "idp.simulate");
    tally
        .destructive
        .extend(sent.iter().filter(destructive).map(|_| now));
    let hour = now - TimeDelta::hours(1);
    tally.destructive.retain(|at| *at >= hour);
    assert!(
        tally.destructive.len() <= DESTRUCTIVE,
        "{place}: over the hour's cap"
    );
    sent
}

/// Whether an effect of the case is held.
async fn waits(desk: &Desk, case: CaseId) -> bool {
    let effects = desk.ctx.store.effects_of(case).await.unwrap();
    effects.iter().any(|e| e.about.held.is_some())
}

fn denials(carried: &[Carried]) -> usize {
    let decisions = carried.iter().map(|c| c.decision);
    decisions.filter(|d| *d == EffectDecision::Denied).count()
}

/// Puts the wishes to the gate and stores what it says; gives the questions and how many it refused.
async fn put(
    desk: &Desk,
    subject: &Subject,
    claim: Claim,
    wishes: &[Wish],
) -> (Vec<(i64, NewApproval)>, usize) {
    let ctx = &desk.ctx;
    let budget = Budget {
        tool_calls: CALLS.0,
        identical_calls: CALLS.1,
        ..Budget::default()
    };
    let (meter, as_of) = (Meter::new(budget), as_of());
    let (mut effects, mut approvals, mut denied) = (Vec::new(), Vec::new(), 0);
    for wish in wishes {
        let all: Vec<String> = wish.arguments.keys().cloned().collect();
        let origin = match wish.chosen {
            Chosen::Model => Origin::Model,
            Chosen::Untrusted => Origin::Playbook { untrusted: &all },
            Chosen::Trusted => Origin::Playbook { untrusted: &[] },
            Chosen::Daemon => Origin::Daemon,
        };
        let (tool, arguments) = (wish.tool.as_str(), wish.arguments.clone());
        if wish.acts {
            let proposal = Proposal {
                subject,
                tool,
                arguments,
                target: &wish.target,
                d3fend: None,
                origin,
                as_of,
                speaks: None,
            };
            let (effect, question) = gate::propose(ctx, proposal).await.unwrap();
            denied += usize::from(effect.decision == EffectDecision::Denied);
            approvals.extend(question.map(|q| NewApproval {
                effect: Some(effects.len()),
                ..q
            }));
            effects.push(effect);
        } else {
            let request = Request {
                subject,
                tier: wish.tier,
                asked_by: "fuzz",
                tool,
                arguments,
                as_of,
                origin,
            };
            let called = gate::call(ctx, &meter, request).await;
            assert!(called.call.is_some(), "{called:?} was not recorded");
            denied += usize::from(called.outcome == CallOutcome::Denied);
        }
    }
    let record = Record {
        claim,
        verdicts: Vec::new(),
        outcome: Outcome::Escalated,
        event: CaseEvent::Escalated,
        effects,
        approvals: approvals.clone(),
        events: Vec::new(),
        close_cap: 0,
        spent: Spent::default(),
        now: ctx.now(),
    };
    let recorded = ctx.store.record(record).await.unwrap();
    (
        recorded.approvals.into_iter().zip(approvals).collect(),
        denied,
    )
}

fn as_of() -> Time {
    "2026-03-02T11:00:00Z".parse().unwrap()
}

/// Lets people answer a question, or others, or nobody; whether the right one said yes in time, and how many answers
/// were refused.
async fn answers(desk: &Desk, draw: &Draw, id: i64) -> (bool, usize) {
    use Answered::{Approved as Yes, Denied as No};
    let now = desk.ctx.now();
    let late = now + TimeDelta::hours(5);
    let (given, yes): (&[(&str, Answered, Time)], bool) = match draw.below(9) {
        0 => (&[], false),
        1 | 2 => (&[("ana", Yes, now)], true),
        3 => (&[("mallory", Yes, now), ("ana\u{200b}", Yes, now)], false),
        4 => (
            &[("nightdesk", Yes, now), ("", Yes, now), ("ANA", Yes, now)],
            false,
        ),
        5 => (&[("ana", No, now), ("bo", Yes, now)], false),
        6 => (&[("bo", Yes, late)], false),
        7 => (
            &[("ana", Yes, now), ("bo", Yes, now), ("ana", Yes, now)],
            true,
        ),
        _ => (&[("mallory", Yes, now), ("bo", Yes, now)], true),
    };
    let mut refused = 0;
    for (by, answered, at) in given {
        let said = Answer {
            id,
            answered: *answered,
            who: Who::at_shell(*by, "fuzz"),
            reason: "fuzz".to_owned(),
            at: *at,
        };
        match answer(&desk.ctx.store, desk.ctx.rights(), said).await {
            Ok(_) => {}
            Err(AnswerError::Refused { .. }) => refused += 1,
            Err(e) => panic!("{e}"),
        }
    }
    (yes, refused)
}

/// Sends what is due, in one case of four after something has changed; gives how many the gate refused.
async fn disturbed(desk: &Desk, draw: &Draw) -> usize {
    let before = desk.ledger.offers("idp");
    let (changed, off, late) = (draw.percent(8), draw.percent(8), draw.percent(8));
    if changed {
        let other = before.iter().map(|t| ToolDef {
            description: format!("{}.", t.description),
            ..t.clone()
        });
        desk.ledger.offer("idp", other.collect());
    }
    if off {
        turn(desk, SwitchState::Off).await;
    }
    if late {
        desk.clock.forward(TimeDelta::hours(5));
    }
    let already = desk.ledger.sent();
    let carried = gate::carry_out(&desk.ctx).await.unwrap();
    let new = &desk.ledger.sent()[already.len()..];
    let of_idp = new.iter().any(|s| s.tool.starts_with("idp."));
    assert!(
        !(of_idp && (changed || late)),
        "{new:?}: another definition, or too late"
    );
    assert!(!off || new.is_empty(), "{new:?}: switched off");
    if changed {
        desk.ledger.offer("idp", before);
    }
    if off {
        turn(desk, SwitchState::On).await;
    }
    denials(&carried)
}

async fn turn(desk: &Desk, state: SwitchState) {
    let turn = Turn {
        switch: Switch::Effects,
        state,
        by: "ana".to_owned(),
        why: "fuzz".to_owned(),
        at: desk.ctx.now(),
    };
    desk.ctx.store.turn_switches(&[turn]).await.unwrap();
}

/// Every call that reached a server is one that a wish of this case may lead to.
fn allowed(
    sent: &[Sent],
    wishes: &[Wish],
    case: (&Case, &[Value]),
    tally: &mut Tally,
    place: &str,
) {
    let (case, granted) = case;
    let (mut reads, mut secret) = (0, false);
    for (n, call) in sent.iter().enumerate() {
        let place = format!("{place}: {call:?}");
        let asked = wishes
            .iter()
            .filter(|w| w.tool == call.tool && same(w, call));
        let may: Vec<May> = asked.map(|w| may(w, case)).collect();
        let equal = sent[..n].iter().filter(|s| *s == call).count();
        let any = |wanted| may.contains(&wanted);
        if any(May::Read) || any(May::Ask) {
            reads += 1;
            assert!(equal < CALLS.1 as usize, "{place}: too often");
            assert!(any(May::Read) || !secret, "{place}: a secret was read");
            secret |= call.tool == "vault.read_note";
            tally.read += usize::from(any(May::Read));
            tally.asked += usize::from(any(May::Ask));
        } else if any(May::Raise) {
            let before = sent[..n].iter().any(|s| s.tool == call.tool);
            assert!(!before, "{place}: raised twice");
            tally.raised += 1;
        } else if any(May::Approved) {
            assert!(equal == 0, "{place}: done twice");
            let said = json!([call.tool, call.arguments]);
            assert!(granted.contains(&said), "{place}: nobody approved it");
            tally.approved += 1;
        } else {
            panic!("{place}: not allowed");
        }
    }
    assert!(reads <= CALLS.0 as usize, "{place}: over the budget");
}

/// Each refusal of the case stands in the audit log with its rule, and no record is as long as what was proposed.
async fn audited(desk: &Desk, subject: &Subject, denied: usize, place: &str) {
    let mut found = 0;
    for line in desk.ctx.store.audit_of(subject.case).await.unwrap() {
        let entry = &line.entry;
        let long = entry.to_string().len();
        assert!(long < LARGEST_RECORD, "{place}: a record of {long} bytes");
        let call = &entry["decision"];
        let (said, rule) = match call {
            Value::Object(decision) => (&decision["decision"], &decision["rule"]),
            said => (said, &entry["rule"]),
        };
        if said == "deny" || said == "denied" {
            found += 1;
            let rule = rule.as_u64().unwrap_or_default();
            assert!((1..=13).contains(&rule), "{place}: no rule: {entry}");
        }
    }
    assert_eq!(found, denied, "{place}: refusals and their records");
}
