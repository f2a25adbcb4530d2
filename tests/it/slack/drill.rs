//! The whole daemon over the fake Slack, killed at random points: every question is decided once, by the right person, and
//! people see in the end what became of it.
//!
//! `NIGHTDESK_DRILL` sets how many questions, `NIGHTDESK_FUZZ_SEED` another sequence. Here they are about closes, in
//! `effects` about what is done outside.

pub(super) mod effects;

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use serde_json::Value;
use state::model::{Answered, ApprovalState, CaseId, CaseStatus, PostState, RuleAt, TimelineKind};
use state::store::Store;
use tests::daemon::{Daemon, Site};
use tests::draw::{Draw, rounds};
use tests::past::leave_proposed;
use tests::slack::forge::{buttons, click, words};
use tests::slack::{FakeSlack, Fault, Message};
use tests::workbench::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");
/// Somebody who may close, under the name that counts.
const ANA: &str = "U00000ANA";
/// Somebody of the workspace who may not.
const EVE: &str = "U00000EVE";

/// A daemon that only tells people and listens to them.
fn site(fake: &FakeSlack) -> Site {
    let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
    let settings = format!(
        "[store]\nurl = \"sqlite:nightdesk.db\"\n[closing]\nmode = \"propose\"\n[closing.canary]\nenabled = false\n\
         [closing.assurance]\nenabled = false\n[metrics]\nenabled = false\n[notify.batch]\nfrom = 0\n\
         [approvals]\nclosers = [\"ana\"]\n[[approvals.people]]\nname = \"ana\"\nslack = \"{ANA}\"\n{}",
        fake.settings("socket")
    );
    std::fs::write(site.dir().join("nightdesk.toml"), settings).unwrap();
    site
}

/// The card of a question as people see it last.
fn card(fake: &FakeSlack, id: i64) -> Option<Message> {
    let value = id.to_string();
    let asks = |m: &&Message| {
        let all = buttons(m);
        all.iter().any(|(block, action, v)| {
            action == "nightdesk_approve" && *v == value && block.starts_with("apr:")
        })
    };
    fake.look().messages.iter().rev().find(asks).cloned()
}

struct Drill {
    fake: FakeSlack,
    site: Site,
    store: Store,
    draw: Draw,
    clicked: u64,
    killed: usize,
}

impl Drill {
    async fn begin(fake: FakeSlack, site: Site) -> (Self, Daemon) {
        let mut daemon = site.started().await.unwrap();
        fake.until("a connection", |_| fake.connections().0 > 0)
            .await
            .unwrap();
        daemon.says("nightdesk is at work").await.unwrap();
        let store = site.store().await.unwrap();
        let drill = Self {
            fake,
            site,
            store,
            draw: Draw::of(
                &std::env::var("NIGHTDESK_FUZZ_SEED").unwrap_or_else(|_| "drill".to_owned()),
            ),
            clicked: 0,
            killed: 0,
        };
        (drill, daemon)
    }

    async fn open(&self, ids: &[i64]) -> Vec<i64> {
        let mut open = Vec::new();
        for id in ids {
            if self.store.approval(*id).await.unwrap().state == ApprovalState::Pending {
                open.push(*id);
            }
        }
        open
    }

    /// Clicks on a card, sometimes as somebody who may not, sometimes more than once; nobody waits for an answer.
    async fn press(&mut self, id: i64) {
        let Some(card) = card(&self.fake, id) else {
            return;
        };
        let by = if self.draw.percent(20) { EVE } else { ANA };
        self.clicked += 1;
        let payload = click(&card, "nightdesk_approve", by, self.clicked).unwrap();
        self.send(&payload).await;
    }

    /// Sends an interaction, sometimes twice, when anybody listens.
    async fn send(&self, payload: &Value) {
        for _ in 0..1 + usize::from(self.draw.percent(30)) {
            if self.fake.connections().0 > 0 {
                self.fake.send(payload).await.unwrap();
            }
        }
    }

    /// Faults of the way to Slack.
    fn disturb(&self, methods: &[&str]) {
        let fault = match self.draw.below(6) {
            0 => Fault::Limited(1),
            1 => Fault::DoneAndCut,
            2 => Fault::Cut,
            3 => Fault::Status(503),
            4 => Fault::Garbage,
            _ => Fault::Slow(Duration::from_millis(50)),
        };
        self.fake
            .fail(methods[self.draw.below(methods.len())], fault);
    }

    async fn killed(&mut self, mut daemon: Daemon) -> Daemon {
        daemon.kill_with(None).await.unwrap();
        self.killed += 1;
        self.site.start().unwrap()
    }

    /// A case of which people do not see what became of it.
    fn unseen(&self, asked: &[(CaseId, i64)]) -> Option<CaseId> {
        let cards = self.fake.messages();
        let cards = cards.iter().filter(|m| m.thread.is_none());
        let told: Vec<String> = cards.map(|m| words(&m.blocks)).collect();
        let seen = |case: &CaseId| {
            let name = format!("Case {case} ");
            told.iter()
                .any(|t| t.contains(&name) && t.contains("approved and used"))
        };
        asked.iter().map(|(case, _)| *case).find(|case| !seen(case))
    }

    /// What must hold for every question in the end.
    async fn once_each(&self, asked: &[(CaseId, i64)]) {
        for (case, id) in asked {
            let approval = self.store.approval(*id).await.unwrap();
            assert_eq!(approval.state, ApprovalState::Used, "{case}");
            let votes = self.store.votes_of(*id).await.unwrap();
            let said: Vec<_> = votes
                .iter()
                .map(|v| (v.person.as_str(), v.answer))
                .collect();
            assert_eq!(said, [("ana", Answered::Approved)], "{case}");
            assert_eq!(
                self.store.case(*case).await.unwrap().status,
                CaseStatus::Closed
            );
            let closed = self.store.timeline(*case).await.unwrap();
            let closed = closed.iter().filter(|e| e.kind == TimelineKind::Closed);
            assert_eq!(closed.count(), 1, "{case} is closed once");
        }
        self.store.verify_audit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_is_decided_once_whatever_dies() {
    let fake = FakeSlack::start().await.unwrap();
    let site = site(&fake);
    let (mut drill, mut daemon) = Drill::begin(fake, site).await;
    let many = rounds("NIGHTDESK_DRILL", 8);
    let names: Vec<String> = (0..many).map(|n| format!("job {n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let of = RuleAt {
        source: "siem".to_owned(),
        rule: "nightly".to_owned(),
    };
    let now = Utc::now();
    let until = now + TimeDelta::hours(6);
    let asked = leave_proposed(&drill.store, &of, &names, (now, until))
        .await
        .unwrap();
    let ids: Vec<i64> = asked.iter().map(|a| a.1).collect();
    let patience = Duration::from_secs(120) + Duration::from_secs(3) * u32::try_from(many).unwrap();
    let end = Instant::now() + patience;
    let mut left = ids.clone();
    while !left.is_empty() {
        assert!(
            Instant::now() < end,
            "{} left; {}",
            left.len(),
            daemon.log()
        );
        for id in left.iter().take(25) {
            drill.press(*id).await;
        }
        if drill.draw.percent(20) && drill.fake.look().faults.is_empty() {
            drill.disturb(&["chat.postMessage", "chat.update"]);
        }
        let listens = drill.fake.connections().0 > 0;
        if listens && (drill.draw.percent(15) || drill.killed == 0) {
            daemon = drill.killed(daemon).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        left = drill.open(&left).await;
    }
    drill.once_each(&asked).await;
    while let Some(unseen) = drill.unseen(&asked) {
        let posts = drill.store.posts(None, 10_000).await.unwrap();
        assert!(
            Instant::now() < end,
            "nobody sees what became of {unseen}: {posts:?}; {}",
            daemon.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let failed = drill
        .store
        .posts(Some(PostState::Failed), 10)
        .await
        .unwrap();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(drill.fake.look().violations, Vec::<String>::new());
    assert!(drill.killed > 0);
    daemon.stop().await.unwrap();
}
