//! What is kept about entities: made through the gate, read in the place of a question, and never what an attack did.

mod fired;
mod kept;
mod rounds;

use std::sync::Arc;

use agent::config::Config;
use agent::ctx::Ctx;
use agent::daemon::{Assembled, assemble_at, pollable};
use agent::eval::lab_config;
use agent::report::{AlertResult, CaseFile};
use agent::{pipeline, triage};
use chrono::TimeDelta;
use state::model::{Alert, BaselineOf, Time};
use state::store::Store;
use tests::workbench::{HandClock, Lab, scenario_config};

const PROGRAM: &str = env!("CARGO_BIN_EXE_nightdesk-under-test");

fn time(text: &str) -> Time {
    format!("2026-{text}:00Z").parse().unwrap()
}

/// The shipped playbooks, each alert a case of its own.
fn settings() -> Config {
    let mut config = scenario_config();
    config.paths.playbooks = None;
    config.closing.cap_per_hour = Some(i64::MAX);
    config.run.join_window = "0s".parse().unwrap();
    config
}

/// A daemon over a lab whose clock goes when it is told to.
struct Desk {
    assembled: Assembled,
    clock: Arc<HandClock>,
    at: Time,
}

impl Desk {
    /// Everything polled at a time; `change` has the last word on the settings.
    async fn open(lab: &Lab, at: Time, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = lab_config(PROGRAM.as_ref(), lab.path(), settings()).unwrap();
        change(&mut config);
        let clock = Arc::new(HandClock::at(at));
        let store = Store::open("sqlite::memory:").await.unwrap();
        let assembled = assemble_at(config, store, clock.clone()).await.unwrap();
        for mut source in pollable(&assembled.ctx).unwrap() {
            let source = source.source.as_mut();
            while pipeline::poll(&assembled.ctx, source).await.unwrap().more {}
        }
        Self {
            assembled,
            clock,
            at,
        }
    }

    fn ctx(&self) -> &Arc<Ctx> {
        &self.assembled.ctx
    }

    /// Lets the clock show a later time.
    fn forward_to(&mut self, at: Time) {
        self.clock.forward((at - self.at).max(TimeDelta::zero()));
        self.at = self.at.max(at);
    }

    /// Makes anew what recent alerts ask about entities that `about` wants; gives how many were asked.
    async fn renew(&self, about: impl Fn(&BaselineOf) -> bool) -> usize {
        let mut asked = 0;
        for of in pipeline::questions(self.ctx()).await.unwrap() {
            if about(&of) {
                asked += 1;
                let renewed = pipeline::renew(self.ctx(), &of).await.unwrap();
                assert!(
                    matches!(renewed, pipeline::Renewed::Kept(_)),
                    "{of:?} {renewed:?}"
                );
            }
        }
        asked
    }

    /// The alert that comes next.
    async fn next(&self) -> Option<Alert> {
        let store = &self.ctx().store;
        store.alerts_without_case(1).await.unwrap().pop()
    }

    /// Works an alert; gives its case and what became of it.
    async fn work(&self, alert: Alert) -> (CaseFile, AlertResult) {
        let id = alert.source_alert_id.clone();
        let taken = pipeline::intake(self.ctx(), &[alert]).await.unwrap();
        let case = taken.into_iter().next().unwrap().unwrap();
        while triage::work_next(self.ctx()).await.unwrap().is_some() {}
        let ctx = self.ctx();
        let file = CaseFile::read(&ctx.store, &ctx.library, case)
            .await
            .unwrap();
        let mut results = AlertResult::all(&file).into_iter();
        let result = results.find(|r| r.subject.source_alert_id == id).unwrap();
        (file, result)
    }

    async fn work_next(&self) -> (CaseFile, AlertResult) {
        let alert = self.next().await.unwrap();
        self.work(alert).await
    }
}

/// Calls of the log tool in a case.
fn queries(file: &CaseFile) -> usize {
    let of = |c: &&state::model::ToolCall| c.tool == "siem.query_logs";
    file.calls.iter().filter(of).count()
}
