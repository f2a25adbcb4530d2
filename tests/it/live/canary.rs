//! Canaries in the live figures: none of theirs is counted as work, and a restart does not forgive one that never passed.

use agent::telemetry::{Exposition, Meters};
use agent::{daemon, triage};
use chrono::TimeDelta;
use serde_json::json;
use state::model::{CaseEvent, Outcome, Spent, Time, TimelineEvent, TimelineKind, VerdictKind};
use state::store::{CanaryEnd, Live, NewApproval, Record, Store};
use tests::ask::{Exposed, get};
use tests::desk::Desk;
use tests::past::verdict;

use super::listening;

/// What stands open beside the canaries.
async fn work(store: &Store) -> Live {
    let mut live = store.live().await.unwrap();
    live.canary = None;
    live
}

/// Ends the next case as if it were the work of a desk that takes canaries for everyday work.
async fn misjudged(desk: &Desk, outcome: Outcome) {
    let (store, now) = (&desk.ctx.store, desk.ctx.now());
    let lease = std::time::Duration::from_secs(60);
    let (claim, _) = store.claim("desk", now, lease).await.unwrap().unwrap();
    let case = claim.case;
    let (event, kind) = match outcome {
        Outcome::Closed => (CaseEvent::Closed, TimelineKind::Closed),
        _ => (CaseEvent::Asked, TimelineKind::Asked),
    };
    let alerts = store.alerts_of(case).await.unwrap();
    let harmless = VerdictKind::BenignPositive;
    let verdicts = alerts.iter().map(|a| verdict(case, a, harmless, now));
    let asks = (outcome == Outcome::AwaitingApproval).then(|| NewApproval {
        action: "close".to_owned(),
        summary: format!("close {case}"),
        binding: json!({"case": case, "action": "close"}),
        expires: now + TimeDelta::hours(1),
        effect: None,
        needed: 1,
    });
    let record = Record {
        close_cap: i64::MAX,
        claim,
        verdicts: verdicts.collect(),
        outcome,
        event,
        effects: vec![],
        approvals: asks.into_iter().collect(),
        events: vec![TimelineEvent::ours(case, now, kind, "misjudged")],
        spent: Spent::default(),
        now,
    };
    store.record(record).await.unwrap();
}

#[tokio::test]
async fn a_canary_is_nobodys_work_at_any_point_of_its_way() {
    let desk = Desk::open("canary", |t| t).await.unwrap();
    let store = &desk.ctx.store;
    let none = work(store).await;
    for outcome in [Outcome::Closed, Outcome::AwaitingApproval] {
        assert!(daemon::beat(&desk.ctx).await.unwrap());
        assert_eq!(work(store).await, none, "an alert that is in no case yet");
        assert_eq!(triage::take_in(&desk.ctx).await.unwrap(), 1);
        assert_eq!(work(store).await, none, "a case in the queue");
        misjudged(&desk, outcome).await;
        assert_eq!(work(store).await, none, "{outcome}");
        let run = store.canaries(1).await.unwrap().remove(0);
        // Judged by hand: the desk's own judgement takes the question back.
        if outcome == Outcome::Closed {
            store.judge_canary(&missed(run.id, &desk)).await.unwrap();
        }
        desk.clock.forward(TimeDelta::hours(2));
    }
    // The same things of anybody else do count.
    let alert = json!({"id": "a1", "rule_id": "r", "title": "t", "severity": "High",
        "created_at": "2026-03-02T11:00:00.000Z", "log_types": ["Okta.SystemLog"], "events": [{}]});
    desk.case(&alert).await.unwrap();
    let some = work(store).await;
    assert_eq!((some.alerts, some.oldest.is_some()), (1, true));
    misjudged(&desk, Outcome::AwaitingApproval).await;
    assert_eq!(work(store).await.approvals, 1);
}

fn missed(run: i64, desk: &Desk) -> CanaryEnd {
    CanaryEnd {
        run,
        state: state::model::CanaryState::Missed,
        why: "it was closed".to_owned(),
        at: desk.ctx.now(),
    }
}

fn shown(meters: &Meters) -> f64 {
    let text = meters.render(Exposition::Prometheus).unwrap();
    let name = "soc_canary_last_success_timestamp_seconds";
    Exposed::read(&text).unwrap().sum(name, &[]).unwrap()
}

#[tokio::test]
async fn a_restart_does_not_forgive_a_canary_that_never_passed() {
    let desk = Desk::open("canary", |t| t).await.unwrap();
    let store = &desk.ctx.store;
    let seconds = |time: Time| time.timestamp() as f64;
    let started = desk.ctx.now();
    // A daemon that starts now: none was ever sent, so it is late from its start on.
    let restart = async || {
        let (meters, now) = (Meters::default(), desk.ctx.now());
        meters.expect_canaries(now);
        meters.read_store(&store.live().await.unwrap(), now);
        shown(&meters)
    };
    assert_eq!(restart().await, seconds(started));
    desk.clock.forward(TimeDelta::minutes(1));
    assert!(daemon::beat(&desk.ctx).await.unwrap());
    let sent = desk.ctx.now();
    for _ in 0..3 {
        desk.clock.forward(TimeDelta::hours(1));
        assert_eq!(restart().await, seconds(sent));
    }
    let run = store.canaries(1).await.unwrap().remove(0);
    let passed = CanaryEnd {
        state: state::model::CanaryState::Escalated,
        ..missed(run.id, &desk)
    };
    assert_eq!(triage::take_in(&desk.ctx).await.unwrap(), 1);
    store.judge_canary(&passed).await.unwrap();
    desk.clock.forward(TimeDelta::hours(1));
    assert_eq!(restart().await, seconds(passed.at));
    // A daemon that sends none says so, whatever earlier ones have left.
    let meters = Meters::default();
    meters.read_store(&store.live().await.unwrap(), desk.ctx.now());
    assert_eq!(shown(&meters), 0.0);
}

#[tokio::test]
async fn the_daemon_that_sends_canaries_says_so() {
    for (enabled, wanted) in [(true, 1_772_452_800.0), (false, 0.0)] {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let (_ctx, _, port) = listening(store, |c| c.closing.canary.enabled = enabled).await;
        let text = get(port, "/metrics", None).await.unwrap().body;
        let read = Exposed::read(&text).unwrap();
        let name = "soc_canary_last_success_timestamp_seconds";
        assert_eq!(read.sum(name, &[]), Some(wanted));
    }
}
