//! A fault in a check is no answer: whatever it is, and whenever it comes, the effect is not sent, stays, is ruled on again,
//! and is denied only by a rule or when its time is over.

use agent::approvals::{Answer, answer};
use agent::gate::{self, Origin, Proposal, Subject};
use agent::rights::Who;
use chrono::TimeDelta;
use serde_json::{Map, Value, json};
use state::model::{
    Answered, CaseEvent, CaseId, Effect, EffectDecision, Outcome, Spent, TimelineKind,
};
use state::store::Record;
use tests::desk::Desk;

const USER: &str = "kim1@corp.example";

const ALERT: &str = r#"{"id": "alert-1", "rule_id": "r", "title": "Sign-in", "severity": "High",
    "created_at": "2026-03-02T11:00:00Z", "log_types": ["Okta.SystemLog"], "events": [{"uuid": "e1",
    "published": "2026-03-02T11:00:00Z", "eventType": "user.session.start", "outcome": {"result": "SUCCESS"},
    "actor": {"id": "u1", "alternateId": "kim1@corp.example"}, "client": {"ipAddress": "192.0.2.7"}}]}"#;

/// Slow in every minute in which it is told to be: the clock says so.
const SLOW: &str = "package nightdesk\n\nmany := [1, 2, 3, 4, 5, 6, 7, 8, 9]\n\n\
    call_denied contains \"never\" if {\n\tinput.class == \"destructive\"\n\tinput.time.hour == 13\n\t\
    count([1 | some a in many; some b in many; some c in many; some d in many; some e in many; some f in many; some g in many; \
    some h in many; a + b + c + d + e + f + g + h == 0]) > 0\n}\n";

/// What can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The server does not list its tools.
    Tools,
    /// The policy does not answer in time; from one o'clock to two.
    Policy,
    /// Nobody knows whether the pause file is there.
    Switch,
    /// Nobody knows who is in the group that may approve.
    Group,
}

impl Fault {
    fn rule(self) -> &'static str {
        match self {
            Self::Tools => "rule 2: the definition of `idp.suspend` can't be had",
            Self::Policy => "rule 11: the policy failed: the policy took too long",
            Self::Switch => "rule 13: it can't be told whether the pause file",
            Self::Group => "rule 6: `ana` is not one of [approvals] approvers; who is in group",
        }
    }
}

/// Where the fault meets the effect, and how many effects there are then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Proposed,
    Sent,
}

struct Bench {
    desk: Desk,
    subject: Subject,
    before: Vec<mcp_clients::ToolDef>,
    _policy: tempfile::TempDir,
}

impl Bench {
    async fn new(fault: Fault) -> Self {
        let policy = tempfile::tempdir().unwrap();
        if fault == Fault::Policy {
            std::fs::write(policy.path().join("slow.rego"), SLOW).unwrap();
        }
        let change = |text: String| {
            let text = text.replace("per_hour = 5", "per_hour = 1");
            let text = text.replace(
                "approvers = [\"ana\", \"bo\"]",
                "expires = \"8h\"\napprovers = [\"group:S0IR\"]\n[[approvals.people]]\nname = \"ana\"\nslack = \"U0ANA\"\n",
            );
            format!("{text}\n[paths]\npolicy = {}\n", json!(policy.path()))
        };
        let desk = Desk::open("held", change).await.unwrap();
        desk.members.say(Ok(&["U0ANA"]));
        let alert: Value = serde_json::from_str(ALERT).unwrap();
        let subject = desk.case(&alert).await.unwrap();
        Self {
            before: desk.ledger.offers("idp"),
            desk,
            subject,
            _policy: policy,
        }
    }

    fn case(&self) -> CaseId {
        self.subject.case
    }

    /// The fault comes.
    fn break_it(&self, fault: Fault) {
        match fault {
            Fault::Tools => drop(self.desk.ledger.hush("idp")),
            // The desk's clock begins at twelve.
            Fault::Policy => self.desk.clock.forward(TimeDelta::minutes(60)),
            Fault::Switch => std::fs::write(self.switches(), "").unwrap(),
            Fault::Group => self.desk.members.say(Err("it does not answer")),
        }
    }

    /// The fault goes.
    fn mend(&self, fault: Fault) {
        match fault {
            Fault::Tools => drop(self.desk.ledger.offer("idp", self.before.clone())),
            Fault::Policy => self.desk.clock.forward(TimeDelta::minutes(60)),
            Fault::Switch => std::fs::remove_file(self.switches()).unwrap(),
            Fault::Group => self.desk.members.say(Ok(&["U0ANA"])),
        }
    }

    fn switches(&self) -> std::path::PathBuf {
        let file = &self.desk.ctx.config.closing.pause_file;
        file.parent().unwrap().to_owned()
    }

    /// Puts the wish to the gate and stores what it says.
    async fn propose(&self, origin: Origin<'_>) {
        let ctx = &self.desk.ctx;
        let lease = std::time::Duration::from_secs(3600);
        let claimed = ctx.store.claim("desk", ctx.now(), lease).await.unwrap();
        let arguments = Map::from_iter([("user".to_owned(), json!(USER))]);
        let proposal = Proposal {
            subject: &self.subject,
            tool: "idp.suspend",
            arguments,
            target: USER,
            d3fend: None,
            origin,
            as_of: ctx.now(),
            speaks: None,
        };
        let (effect, question) = gate::propose(ctx, proposal).await.unwrap();
        let record = Record {
            claim: claimed.unwrap().0,
            verdicts: Vec::new(),
            outcome: Outcome::Escalated,
            event: CaseEvent::Escalated,
            effects: vec![effect],
            approvals: question
                .into_iter()
                .map(|mut q| {
                    q.effect = Some(0);
                    q
                })
                .collect(),
            events: Vec::new(),
            close_cap: 0,
            spent: Spent::default(),
            now: ctx.now(),
        };
        ctx.store.record(record).await.unwrap();
    }

    async fn approve(&self) {
        let ctx = &self.desk.ctx;
        let id = self.effect().await.approval.unwrap();
        let said = Answer {
            id,
            answered: Answered::Approved,
            who: Who::at_shell("ana", "test"),
            reason: "seen".to_owned(),
            at: ctx.now(),
        };
        answer(&ctx.store, ctx.rights(), said).await.unwrap();
    }

    async fn effect(&self) -> Effect {
        let all = self.desk.ctx.store.effects_of(self.case()).await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    /// One beat of the daemon.
    async fn beat(&self) {
        gate::propose_again(&self.desk.ctx).await.unwrap();
        gate::carry_out(&self.desk.ctx).await.unwrap();
    }

    async fn told(&self) -> Vec<String> {
        let all = self.desk.ctx.store.timeline(self.case()).await.unwrap();
        let told = |k| matches!(k, TimelineKind::EffectCarriedOut);
        let all = all.into_iter().filter(|e| told(e.kind));
        all.map(|e| e.message).collect()
    }

    /// Brings the effect to where the fault meets it.
    async fn up_to(&self, stage: Stage, fault: Fault) {
        if stage == Stage::Proposed {
            self.break_it(fault);
        }
        self.propose(Origin::Daemon).await;
        if stage == Stage::Sent {
            self.approve().await;
            self.break_it(fault);
            self.beat().await;
        }
        let effect = self.effect().await;
        let (decision, held) = (effect.decision, effect.about.held);
        let place = format!("{fault:?} {stage:?}: {}", effect.reason);
        let stays = match stage {
            Stage::Proposed => EffectDecision::Denied,
            Stage::Sent => EffectDecision::Due,
        };
        assert_eq!((decision, effect.word()), (stays, "held"), "{place}");
        assert!(effect.reason.starts_with(fault.rule()), "{place}");
        let now = self.desk.ctx.now();
        let held = held.unwrap();
        let wait = held.next - now;
        assert_eq!((held.tries, wait), (1, TimeDelta::seconds(5)), "{place}");
        // Not before its time.
        self.beat().await;
        assert_eq!(self.effect().await.about.held, Some(held), "{place}");
        // In vain again: the next wait is twice as long.
        self.desk.clock.forward(wait);
        self.beat().await;
        let again = self.effect().await.about.held.unwrap();
        let wait = again.next - self.desk.ctx.now();
        assert_eq!((again.tries, wait), (2, TimeDelta::seconds(10)), "{place}");
        assert_eq!(again.since, held.since, "{place}");
        assert_eq!(self.desk.ledger.sent(), [], "{place}");
    }
}

const ALL: [(Fault, Stage); 7] = [
    (Fault::Tools, Stage::Proposed),
    (Fault::Policy, Stage::Proposed),
    (Fault::Switch, Stage::Proposed),
    (Fault::Tools, Stage::Sent),
    (Fault::Policy, Stage::Sent),
    (Fault::Switch, Stage::Sent),
    (Fault::Group, Stage::Sent),
];

#[tokio::test]
async fn what_can_not_be_told_is_asked_again_and_done_once() {
    for (fault, stage) in ALL {
        let bench = Bench::new(fault).await;
        bench.up_to(stage, fault).await;
        bench.mend(fault);
        bench.desk.clock.forward(TimeDelta::seconds(10));
        bench.beat().await;
        if stage == Stage::Proposed {
            let effect = bench.effect().await;
            let place = format!("{fault:?}: {}", effect.reason);
            assert_eq!(effect.word(), "awaiting_approval", "{place}");
            bench.approve().await;
        }
        for _ in 0..2 {
            bench.beat().await;
        }
        let effect = bench.effect().await;
        let place = format!("{fault:?} {stage:?}: {}", effect.reason);
        assert_eq!(effect.decision, EffectDecision::Executed, "{place}");
        assert_eq!(effect.about.held, None, "{place}");
        assert_eq!(bench.desk.ledger.sent().len(), 1, "{place}");
        let held = bench.told().await;
        let held = held.iter().filter(|t| t.contains(": held"));
        let once = usize::from(stage == Stage::Sent);
        assert_eq!(held.count(), once, "{place}: people are told once");
    }
}

#[tokio::test]
async fn what_can_never_be_told_ends_as_denied_with_a_word() {
    for (fault, stage) in ALL {
        // The slow policy is slow for an hour only.
        if fault == Fault::Policy {
            continue;
        }
        let bench = Bench::new(fault).await;
        bench.up_to(stage, fault).await;
        let (over, why) = match stage {
            // Half of what is set, since the case is of high severity.
            Stage::Sent => (TimeDelta::hours(4), "its approval has run out"),
            Stage::Proposed => (TimeDelta::hours(24), "it is given up"),
        };
        let until = bench.effect().await.about.held.unwrap().since + over;
        let mut beats = 0;
        while bench.effect().await.about.held.is_some() {
            let next = bench.effect().await.about.held.unwrap().next;
            assert!(
                next <= until,
                "{fault:?} {stage:?}: {next} is after {until}"
            );
            bench.desk.clock.forward(next - bench.desk.ctx.now());
            bench.beat().await;
            beats += 1;
        }
        assert!((20..80).contains(&beats), "{fault:?} {stage:?}: {beats}");
        let effect = bench.effect().await;
        assert_eq!(effect.word(), "denied", "{}", effect.reason);
        assert!(effect.reason.contains(fault.rule()), "{}", effect.reason);
        assert!(effect.reason.contains(why), "{}", effect.reason);
        let told = bench.told().await;
        let last = told.last().unwrap();
        assert!(last.contains(": denied: ") && last.contains(why), "{last}");
        bench.mend(fault);
        bench.desk.clock.forward(TimeDelta::days(2));
        bench.beat().await;
        assert_eq!(bench.desk.ledger.sent(), []);
        assert_eq!(bench.effect().await.word(), "denied");
    }
}

#[tokio::test]
async fn a_rule_that_says_no_denies_at_once_held_or_not() {
    for held in [false, true] {
        let bench = Bench::new(Fault::Tools).await;
        bench.propose(Origin::Daemon).await;
        bench.approve().await;
        if held {
            bench.break_it(Fault::Tools);
            bench.beat().await;
            assert_eq!(bench.effect().await.word(), "held");
            bench.desk.clock.forward(TimeDelta::seconds(5));
        }
        let mut other = bench.before.clone();
        for tool in &mut other {
            tool.description.push('.');
        }
        bench.desk.ledger.offer("idp", other);
        bench.beat().await;
        let effect = bench.effect().await;
        assert_eq!(effect.word(), "denied", "{}", effect.reason);
        assert!(effect.reason.contains("rule 2"), "{}", effect.reason);
        assert_eq!(bench.desk.ledger.sent(), []);
    }
}

#[tokio::test]
async fn what_a_model_wanted_is_ruled_on_again_as_a_models_wish() {
    let bench = Bench::new(Fault::Tools).await;
    bench.break_it(Fault::Tools);
    bench.propose(Origin::Model).await;
    assert_eq!(bench.effect().await.word(), "held");
    bench.mend(Fault::Tools);
    bench.desk.clock.forward(TimeDelta::seconds(5));
    bench.beat().await;
    let effect = bench.effect().await;
    assert_eq!(effect.word(), "denied", "{}", effect.reason);
    assert!(
        effect.reason.starts_with("rule 11: a model may ask"),
        "{}",
        effect.reason
    );
}

#[tokio::test]
async fn what_is_approved_beyond_the_hours_cap_waits_for_the_next_hour() {
    let mut bench = Bench::new(Fault::Tools).await;
    bench.propose(Origin::Daemon).await;
    bench.approve().await;
    bench.beat().await;
    assert_eq!(bench.effect().await.decision, EffectDecision::Executed);
    let second = ALERT.replace("alert-1", "alert-2");
    let second: Value = serde_json::from_str(&second).unwrap();
    bench.subject = bench.desk.case(&second).await.unwrap();
    bench.propose(Origin::Daemon).await;
    bench.approve().await;
    bench.beat().await;
    let effect = bench.effect().await;
    assert_eq!(effect.word(), "held", "{}", effect.reason);
    assert!(effect.reason.starts_with("rule 10: "), "{}", effect.reason);
    assert_eq!(bench.desk.ledger.sent().len(), 1);
    bench.desk.clock.forward(TimeDelta::minutes(61));
    bench.beat().await;
    assert_eq!(bench.effect().await.decision, EffectDecision::Executed);
    assert_eq!(bench.desk.ledger.sent().len(), 2);
}
