//! The canary: it passes where known bad alerts are escalated, and switches closing off where they are not.

use std::sync::Arc;

use agent::config::{CloseMode, Config};
use agent::ctx::Ctx;
use agent::daemon::{Assembled, assemble_at, beat};
use agent::{pipeline, triage};
use chrono::TimeDelta;
use serde_json::json;
use state::model::{
    CANARY_SOURCE, CanaryState, CaseStatus, Switch, SwitchState, Turn, VerdictKind,
};
use state::store::{Canaries, CaseFilter, Counts, Store};
use tests::crowd::{self, sign_in};
use tests::daemon::{Site, until};
use tests::workbench::{HandClock, Lab, data, scenario_config};

use super::{PROGRAM, ending, json_of};

/// An operator's playbook that takes the end of logging for everyday work.
const CARELESS: &str = r#"
id: careless
title: Everything about logging is fine
priority: 200000
select: trusted.act.action == 'StopLogging'
scoring:
  prior: -4.0
  close: { at_most: 0.3, requires: [who], verdict: benign_positive, reason: expected_business }
  escalate: { at_least: 0.99, reason: malicious_activity, impact: attempted }
steps:
  - { id: who, tier: 1, tool: identity.list_users, args: {}, asks: "Is the inventory there?" }
signals:
  - id: any-rows
    lean: benign
    weight: 2.0
    when: trusted.steps.who.complete
    says: The inventory answers.
    evidence: [who]
fallback: Look.
guidance: Look.
"#;

/// A folder of playbooks with the careless one beside the scenario's.
fn careless() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("careless.yaml"), CARELESS).unwrap();
    let scenario = data("playbooks").join("scenario.yaml");
    std::fs::copy(scenario, dir.path().join("scenario.yaml")).unwrap();
    dir
}

struct Desk {
    assembled: Assembled,
    clock: Arc<HandClock>,
}

impl Desk {
    async fn new(lab: &Lab, base: Config, store: Store) -> Self {
        let config = agent::eval::lab_config(PROGRAM.as_ref(), lab.path(), base).unwrap();
        let clock = Arc::new(HandClock::at("2026-03-02T12:00:00Z".parse().unwrap()));
        let assembled = assemble_at(config, store, clock.clone()).await.unwrap();
        Self { assembled, clock }
    }

    fn ctx(&self) -> &Arc<Ctx> {
        &self.assembled.ctx
    }

    /// Sends a canary and works it.
    async fn fly(&self) {
        assert!(beat(self.ctx()).await.unwrap(), "one is due");
        assert_eq!(triage::take_in(self.ctx()).await.unwrap(), 1);
        triage::work_next(self.ctx()).await.unwrap().unwrap();
        assert!(!beat(self.ctx()).await.unwrap(), "the next one is not due");
    }

    async fn last(&self) -> (CanaryState, String) {
        let run = self.ctx().store.canaries(1).await.unwrap().remove(0);
        (run.state, run.why)
    }

    async fn closing(&self) -> Option<Turn> {
        self.ctx().store.switch(Switch::Closing).await.unwrap()
    }
}

fn turn(state: SwitchState) -> Turn {
    Turn {
        switch: Switch::Closing,
        state,
        by: "ana".to_owned(),
        why: "looked at".to_owned(),
        at: "2026-03-02T12:00:00Z".parse().unwrap(),
    }
}

async fn memory() -> Store {
    Store::open("sqlite::memory:").await.unwrap()
}

#[tokio::test]
async fn a_canary_passes_a_sound_desk_and_leaves_nothing_behind() {
    let lab = Lab::scenario(&[]).unwrap();
    let mut base = scenario_config();
    base.closing.canary.every = "2h".parse().unwrap();
    let desk = Desk::new(&lab, base, memory().await).await;
    desk.fly().await;
    assert_eq!(desk.last().await.0, CanaryState::Escalated);
    assert_eq!(desk.closing().await, None);
    let store = &desk.ctx().store;
    let only = CaseFilter {
        canaries: Canaries::Only,
        ..CaseFilter::default()
    };
    let line = store.list_cases(only).await.unwrap().remove(0);
    assert_eq!(line.case.status, CaseStatus::Closed);
    assert!(!line.verdict.is_some_and(VerdictKind::is_benign));
    assert_eq!(
        ending(store, line.case.id).await,
        "canary: escalated as it must"
    );
    assert_eq!(store.effects_of(line.case.id).await.unwrap(), []);
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    let at = desk.ctx().now() - TimeDelta::hours(1);
    assert_eq!(store.closes_since(at).await.unwrap(), 0);
    // The next one comes in its time, with a user of its own.
    desk.clock.forward(TimeDelta::minutes(119));
    assert!(!beat(desk.ctx()).await.unwrap());
    desk.clock.forward(TimeDelta::minutes(1));
    desk.fly().await;
    let sent = store.canaries(9).await.unwrap();
    let users: Vec<String> = [
        store.alert(sent[0].alert).await.unwrap(),
        store.alert(sent[1].alert).await.unwrap(),
    ]
    .iter()
    .map(|a| pipeline::principal(&a.entities).unwrap().to_owned())
    .collect();
    assert_ne!(users[0], users[1]);
    assert!(users[0].ends_with("@example.invalid"), "{users:?}");
    desk.assembled.stop().await;
}

#[tokio::test]
async fn a_desk_that_would_close_a_canary_is_kept_from_closing() {
    let lab = crowd::lab(2, &[sign_in(0)]).unwrap();
    let playbooks = careless();
    // However the close itself is held back, the judgement was for closing.
    type Change = fn(&mut Config);
    let settings: [(&str, Change); 4] = [
        ("auto", |_| {}),
        ("propose", |c| c.closing.mode = CloseMode::Propose),
        ("never", |c| c.closing.mode = CloseMode::Never),
        ("no close an hour", |c| c.closing.cap_per_hour = Some(0)),
    ];
    for (name, change) in settings {
        let mut base = scenario_config();
        base.paths.playbooks = Some(playbooks.path().to_owned());
        change(&mut base);
        let desk = Desk::new(&lab, base, memory().await).await;
        desk.fly().await;
        let (state, why) = desk.last().await;
        assert_eq!(state, CanaryState::Missed, "{name}: {why}");
        let closing = desk.closing().await.unwrap();
        assert_eq!(
            (closing.state, closing.by.as_str(), &closing.why),
            (SwitchState::Off, "nightdesk", &why),
            "{name}"
        );
        let store = &desk.ctx().store;
        let open = store.approvals(Some(state::model::ApprovalState::Pending));
        assert_eq!(open.await.unwrap(), [], "{name}: nobody is asked about it");
        if name == "auto" {
            kept_from_closing(&desk, &why).await;
        }
        desk.assembled.stop().await;
    }
}

/// What could be closed goes to a person, until a person has switched closing on.
async fn kept_from_closing(desk: &Desk, why: &str) {
    let ctx = desk.ctx();
    for mut source in agent::daemon::pollable(ctx).unwrap() {
        pipeline::poll(ctx, source.source.as_mut()).await.unwrap();
    }
    triage::take_in(ctx).await.unwrap();
    let case = triage::work_next(ctx).await.unwrap().unwrap();
    let said = ending(&ctx.store, case).await;
    assert!(
        said.contains("closing is off") && said.contains(why),
        "{said}"
    );
    ctx.store
        .turn_switches(&[turn(SwitchState::On)])
        .await
        .unwrap();
    assert_eq!(agent::gate::standing(ctx, Switch::Closing).await, None);
    // And a desk as careless as before is switched off again.
    desk.clock.forward(TimeDelta::hours(1));
    desk.fly().await;
    assert_eq!(desk.closing().await.unwrap().state, SwitchState::Off);
}

#[tokio::test]
async fn a_canary_nobody_worked_in_time_is_late_also_after_a_restart() {
    let lab = Lab::scenario(&[]).unwrap();
    // Whether it was taken in, and worked before or after its time.
    for (taken, worked) in [(false, false), (true, false), (true, true)] {
        let url = format!(
            "sqlite:{}",
            lab.path().join(format!("{taken}{worked}.db")).display()
        );
        let store = Store::open(&url).await.unwrap();
        let desk = Desk::new(&lab, scenario_config(), store.clone()).await;
        assert!(beat(desk.ctx()).await.unwrap());
        if taken {
            triage::take_in(desk.ctx()).await.unwrap();
        }
        desk.clock.forward(TimeDelta::minutes(15));
        assert!(!beat(desk.ctx()).await.unwrap());
        assert_eq!(
            desk.last().await.0,
            CanaryState::Started,
            "it has its grace"
        );
        desk.assembled.stop().await;

        let store = Store::open(&url).await.unwrap();
        let desk = Desk::new(&lab, scenario_config(), store).await;
        desk.clock.forward(TimeDelta::minutes(16));
        if worked {
            triage::work_next(desk.ctx()).await.unwrap().unwrap();
        }
        assert!(!beat(desk.ctx()).await.unwrap());
        assert_eq!(desk.last().await.0, CanaryState::Late, "{taken} {worked}");
        let closing = desk.closing().await.unwrap();
        assert_eq!(
            (closing.state, closing.by.as_str()),
            (SwitchState::Off, "nightdesk")
        );
        desk.assembled.stop().await;
    }
}

#[tokio::test]
async fn a_canary_that_can_not_be_read_shows_nothing_so_closing_goes_off() {
    let lab = Lab::scenario(&[]).unwrap();
    let mappings = tempfile::tempdir().unwrap();
    std::fs::create_dir(mappings.path().join("alerts")).unwrap();
    let other =
        "id = [\"/id\"]\ntime = [\"/title\"]\nrule_id = [\"/rule_id\"]\nevents = [\"/events\"]\n";
    std::fs::write(mappings.path().join("alerts/panther.toml"), other).unwrap();
    let mut base = scenario_config();
    base.paths.mappings = Some(mappings.path().to_owned());
    let desk = Desk::new(&lab, base, memory().await).await;
    assert!(!beat(desk.ctx()).await.unwrap());
    let closing = desk.closing().await.unwrap();
    assert_eq!(closing.state, SwitchState::Off);
    assert!(closing.why.contains("can't be sent"), "{}", closing.why);
    desk.assembled.stop().await;
}

#[tokio::test]
async fn a_running_daemon_sends_one_and_acts_on_how_it_comes_out() {
    let playbooks = careless();
    for (sound, wanted) in [(true, CanaryState::Escalated), (false, CanaryState::Missed)] {
        let site = Site::new(PROGRAM, Lab::scenario(&[]).unwrap()).unwrap();
        site.change("enabled = false", "enabled = true").unwrap();
        if !sound {
            let own = json!(data("playbooks")).to_string();
            site.change(&own, &json!(playbooks.path()).to_string())
                .unwrap();
        }
        let mut daemon = site.started().await.unwrap();
        let store = site.store().await.unwrap();
        let run = until("the canary", async || {
            let judged = store.canaries(1).await?.pop();
            Ok(judged.filter(|r| r.judged.is_some()))
        })
        .await
        .unwrap();
        assert_eq!(run.state, wanted, "{}", run.why);
        let off = store.switch(Switch::Closing).await.unwrap();
        assert_eq!(off.is_some_and(|t| t.state == SwitchState::Off), !sound);
        if !sound {
            daemon.says("the canary failed").await.unwrap();
        }
        assert_eq!(daemon.stop().await.unwrap().code(), Some(0));
        let listed = |args: &[&str]| {
            let args = [&["case", "list", "--json"], args].concat();
            json_of(&site, &args)["cases"].as_array().unwrap().len()
        };
        let lists = [listed(&[]), listed(&["--all"]), listed(&["--canary"])];
        assert_eq!(lists, [0, 1, 1]);
        assert_eq!(json_of(&site, &["audit", "verify", "--json"])["ok"], true);
    }
}

#[test]
fn no_other_source_has_the_canarys_name() {
    let text = format!(
        "[[sources]]\nname = \"{CANARY_SOURCE}\"\nkind = \"file\"\npath = \"x\"\nmapping = \"panther\"\n[closing]\npause_file = \"\"\n[closing.canary]\nevery = \"1s\"\ngrace = \"1s\"\n"
    );
    let faults = agent::config::from_text(&text, "t")
        .unwrap_err()
        .to_string();
    for said in [
        "the daemon's own",
        "names no file",
        "`closing.canary.every`",
        "`closing.canary.grace`",
    ] {
        assert!(faults.contains(said), "{said}: {faults}");
    }
}
