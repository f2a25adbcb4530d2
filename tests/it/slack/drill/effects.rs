//! The same of what is done outside: accounts are locked at a real server, which notes each call in files that outlive the
//! daemon. Each is approved once, by the right person, called for at most once, and done, or unknown and shown to people.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use state::model::{Answered, ApprovalState, Effect, EffectDecision, Proof, TimelineKind};
use tests::daemon::{Daemon, Site};
use tests::draw::rounds;
use tests::slack::FakeSlack;
use tests::slack::forge::{submit, words};
use tests::workbench::{Lab, stderr, stdout};

use super::{ANA, Drill, PROGRAM};

const SERVER: &str = env!("CARGO_BIN_EXE_scripted-server");
const TOOL: &str = "idp.lock_user";
/// The group whose members may approve; who is in it is asked of Slack.
const GROUP: &str = "S00APPROVE";
/// What goes wrong on the way to Slack.
const METHODS: [&str; 4] = [
    "chat.postMessage",
    "chat.update",
    "views.open",
    "usergroups.users.list",
];

/// A case that dies with the daemon is worked again, however often: else it would be a person's before anything is asked.
fn settings(site: &Site, fake: &FakeSlack) -> String {
    let dir = site.dir().join("idp");
    format!(
        "[run]\nmax_attempts = 100000\n[closing.assurance]\nenabled = false\n[metrics]\nenabled = false\n[notify.batch]\nfrom = 0\n\
         [servers.idp]\ncommand = {}\nargs = [\"asks\"]\nenv = {{ SCRIPTED_DIR = {dir}, SCRIPTED_LOG = {log} }}\n\
         [servers.idp.reply]\nok_when = [{{ path = \"success\", equals = true }}]\n\
         [servers.idp.tools]\nget_user = {{ class = \"read_internal\" }}\n\
         lock_user = {{ class = \"destructive\", enabled = true, tiers = [3], effect = {{ target = \"user\", \
         live = true, allow = [\"*@corp.example\"], \
         read_back = {{ tool = \"idp.get_user\", arguments = {{ user = \"{{{{target}}}}\" }}, path = \"locked\", equals = true }} }} }}\n\
         [effects]\nlive = true\ndestructive_per_hour = 1000000\n[effects.responses.idp]\n\
         D3-AL = {{ tool = \"lock_user\", on = [\"user\"], args = {{ user = \"$target\" }} }}\n\
         [approvals]\nexpires = \"48h\"\napprovers = [\"group:{GROUP}\"]\n\
         [[approvals.people]]\nname = \"ana\"\nslack = \"{ANA}\"\n{}\n",
        json!(SERVER),
        fake.settings("socket"),
        dir = json!(dir),
        log = json!(dir.join("log")),
    )
}

/// A daemon with a lab of so many users, each of whom is to be locked.
pub(in super::super) fn site(fake: &FakeSlack, users: usize) -> Site {
    let lab = Lab::crowd(users).unwrap();
    lab.lines("tickets.jsonl", &[]).unwrap();
    let site = Site::new(PROGRAM, lab).unwrap();
    std::fs::create_dir(site.dir().join("idp")).unwrap();
    std::fs::write(site.dir().join("idp/slow"), "40").unwrap();
    site.aim_at_user().unwrap();
    site.add(&settings(&site, fake)).unwrap();
    fake.look()
        .groups
        .insert(GROUP.to_owned(), vec![ANA.to_owned()]);
    for args in [&["tools", "pin"][..], &["check", "--accept"]] {
        let output = site.run(args).unwrap();
        let said = format!("{}{}", stdout(&output), stderr(&output));
        assert!(output.status.success(), "{args:?}: {said}");
    }
    site
}

struct Outside {
    drill: Drill,
    users: usize,
    /// Dialogs that were looked at.
    views: usize,
    /// How often an effect was seen to be held.
    held: usize,
}

impl Outside {
    fn dir(&self) -> PathBuf {
        self.drill.site.dir().join("idp")
    }

    /// The effects on users, in whatever state.
    async fn effects(&self) -> Vec<Effect> {
        let most = i64::MAX;
        let all = self.drill.store.list_effects(None, most).await.unwrap();
        all.into_iter().filter(|e| e.tool == TOOL).collect()
    }

    /// Clicks on what is asked, and gives the reason in every dialog that was opened since.
    async fn answer(&mut self) {
        let open = Some(ApprovalState::Pending);
        let open = self.drill.store.approvals(open).await.unwrap();
        for asked in open.iter().take(25) {
            self.drill.press(asked.id).await;
        }
        let new: Vec<(String, Value)> = self.drill.fake.look().views[self.views..].to_vec();
        self.views += new.len();
        for (trigger, view) in new {
            let by = trigger.rsplit('.').next().unwrap();
            self.drill.send(&submit(&view, by, "seen", None)).await;
        }
    }

    /// The server does not list its tools for a while, or does again.
    fn mute(&self) {
        let mute = self.dir().join("mute");
        match mute.exists() {
            true => std::fs::remove_file(mute).unwrap(),
            false if self.drill.draw.percent(4) => std::fs::write(mute, "").unwrap(),
            false => {}
        }
    }

    /// How many calls the server noted for each user: called for, and done.
    fn noted(&self) -> BTreeMap<String, (usize, usize)> {
        let read = |name: &str| std::fs::read_to_string(self.dir().join(name)).unwrap_or_default();
        let mut noted: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for line in read("log").lines() {
            if let Some(arguments) = line.strip_prefix("lock_user ") {
                let arguments: Value = serde_json::from_str(arguments).unwrap();
                let user = arguments["user"].as_str().unwrap().to_owned();
                noted.entry(user).or_default().0 += 1;
            }
        }
        for line in read("locked").lines() {
            let user = line.split(' ').next().unwrap().to_owned();
            noted.entry(user).or_default().1 += 1;
        }
        noted
    }

    /// What must hold for every user in the end; how many are known to be locked, and of how many nobody knows.
    async fn once_each(&self) -> (usize, usize) {
        let (noted, effects) = (self.noted(), self.effects().await);
        let mut users: Vec<&str> = effects.iter().map(|e| e.target.as_str()).collect();
        users.sort_unstable();
        users.dedup();
        assert_eq!((users.len(), effects.len()), (self.users, self.users));
        let (mut done, mut unknown) = (0, 0);
        for effect in &effects {
            let (called, locked) = noted.get(&effect.target).copied().unwrap_or_default();
            let place = format!("{effect:?}: called {called}, locked {locked}");
            assert!(called <= 1 && locked <= called, "{place}");
            let proof = effect.about.proof;
            match effect.decision {
                EffectDecision::Executed => {
                    assert_ne!(proof, Some(Proof::AlreadySo), "{place}");
                    assert_eq!((called, locked), (1, 1), "{place}");
                    done += 1;
                }
                EffectDecision::Unknown => unknown += 1,
                _ => panic!("{place}"),
            }
            self.decided_once(effect).await;
        }
        assert!(noted.keys().all(|user| users.contains(&user.as_str())));
        self.drill.store.verify_audit().await.unwrap();
        (done, unknown)
    }

    /// The approval of an effect was given once, by the one who may.
    async fn decided_once(&self, effect: &Effect) {
        let store = &self.drill.store;
        let asked = store.approvals_of(effect.case).await.unwrap();
        let ids: Vec<i64> = asked.iter().map(|a| a.id).collect();
        assert_eq!(
            ids,
            [effect.approval.unwrap()],
            "{}: asked once",
            effect.case
        );
        assert_eq!(asked[0].state, ApprovalState::Used, "{}", effect.case);
        let votes = store.votes_of(asked[0].id).await.unwrap();
        let said: Vec<_> = votes
            .iter()
            .map(|v| (v.person.as_str(), v.answer, v.reason.as_str()))
            .collect();
        assert_eq!(
            said,
            [("ana", Answered::Approved, "seen")],
            "{}",
            effect.case
        );
        let told = store.timeline(effect.case).await.unwrap();
        let answered = told.iter().filter(|e| e.kind == TimelineKind::Answered);
        assert_eq!(answered.count(), 1, "{} is answered once", effect.case);
    }

    /// An effect of which people do not see what became of it, of those of which it is not known well that they took.
    async fn unseen(&self) -> Option<String> {
        let messages = self.drill.fake.messages();
        let told: Vec<String> = messages.iter().map(|m| words(&m.blocks)).collect();
        let effects = self.effects().await;
        let unknown = effects
            .iter()
            .filter(|e| e.decision == EffectDecision::Unknown);
        unknown
            .map(|e| format!("effect {} ({TOOL} on ", e.id))
            .find(|name| {
                let is_it = |t: &String| t.contains(name) && t.contains("): unknown: ");
                !told.iter().any(is_it)
            })
    }
}

/// Answers, disturbs and kills until nothing is open any more.
async fn until_settled(outside: &mut Outside, mut daemon: Daemon, end: Instant) -> Daemon {
    loop {
        let effects = outside.effects().await;
        let ended = |e: &&Effect| {
            use EffectDecision as D;
            !matches!(e.decision, D::AwaitingApproval | D::Due | D::Started) && e.word() != "held"
        };
        let settled = effects.iter().filter(ended).count();
        outside.held += effects.iter().filter(|e| e.word() == "held").count();
        if settled >= outside.users {
            return daemon;
        }
        assert!(
            Instant::now() < end,
            "{settled} of {}; {}",
            effects.len(),
            daemon.log()
        );
        outside.answer().await;
        outside.mute();
        let drill = &mut outside.drill;
        if drill.draw.percent(20) && drill.fake.look().faults.is_empty() {
            drill.disturb(&METHODS);
        }
        // Oftener while a call is under way: that is where it is hard.
        let chance = match effects
            .iter()
            .any(|e| e.decision == EffectDecision::Started)
        {
            true => 25,
            false => 2,
        };
        let listens = drill.fake.connections().0 > 0;
        if listens && (drill.draw.percent(chance) || (drill.killed == 0 && settled > 0)) {
            daemon = drill.killed(daemon).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_approved_effect_is_done_once_or_shown_as_unknown_whatever_dies() {
    let users = rounds("NIGHTDESK_DRILL", 8);
    let began = Instant::now();
    let end =
        began + Duration::from_secs(240) + Duration::from_secs(4) * u32::try_from(users).unwrap();
    let fake = FakeSlack::start().await.unwrap();
    let site = site(&fake, users);
    let (drill, daemon) = Drill::begin(fake, site).await;
    let mut outside = Outside {
        drill,
        users,
        views: 0,
        held: 0,
    };
    let mut daemon = until_settled(&mut outside, daemon, end).await;
    let (done, unknown) = outside.once_each().await;
    while let Some(unseen) = outside.unseen().await {
        assert!(
            Instant::now() < end,
            "nobody sees `{unseen}`; {}",
            daemon.log()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let killed = outside.drill.killed;
    eprintln!(
        "drill: {users} effects, {done} done, {unknown} unknown and shown, {killed} kills, {} looks at held ones, {} clicks, {:.0} s",
        outside.held,
        outside.drill.clicked,
        began.elapsed().as_secs_f64()
    );
    assert!(killed > 0);
    assert_eq!(outside.drill.fake.look().violations, Vec::<String>::new());
    daemon.stop().await.unwrap();
}
