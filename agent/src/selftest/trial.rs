//! One attempt's own context and the real ways through it: reading calls, proposals with a person's answer, whole cases; what
//! came of it is read from the store, the audit log and the servers' side.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};
use state::model::Answered;
use state::model::{
    AlertId, Budget, CallOutcome, CaseEvent, CaseId, Effect, EffectDecision, Outcome, Spent,
    Switch, SwitchState, Tier, Turn, Verdict,
};

use crate::approvals::{self, Answer, AnswerError};
use crate::ctx::Ctx;
use crate::daemon::pollable;
use crate::gate::{self, Called, Carried, Meter, Origin, Proposal, Request, Speaks, Subject};
use crate::pipeline::{self, Acted};
use crate::rights::Who;
use crate::triage;

use super::Tried;
use super::bench::{APPROVER, DESTROY, STORE, USER};
use super::outside::{Hand, Outside};

/// One attempt's own context over the scratch servers.
pub(super) struct Trial {
    pub(super) ctx: Arc<Ctx>,
    pub(super) outside: Arc<Outside>,
    pub(super) clock: Arc<Hand>,
    /// Its own folder, where its store lies.
    pub(super) folder: PathBuf,
    ledger: PathBuf,
    tickets_before: usize,
}

/// A reading call that somebody wishes.
pub(super) struct Wish {
    pub(super) tool: &'static str,
    pub(super) arguments: Value,
    pub(super) tier: Tier,
    /// Arguments of a playbook's step that an outsider may have written; none: a model asks.
    pub(super) tainted: Option<Vec<String>>,
}

impl Wish {
    /// A model's wish at the first tier.
    pub(super) fn of(tool: &'static str, arguments: Value) -> Self {
        Self {
            tool,
            arguments,
            tier: Tier::One,
            tainted: None,
        }
    }
}

/// An outside effect that somebody wishes.
pub(super) struct Deed {
    pub(super) target: &'static str,
    pub(super) arguments: Value,
    pub(super) origin: Origin<'static>,
    /// Whether it claims to speak of the case's alert at its source.
    pub(super) speaks: bool,
}

impl Deed {
    /// The one that is allowed once a person has approved it; `body` tells it from others.
    pub(super) fn allowed(body: &str) -> Self {
        Self {
            target: USER,
            arguments: json!({"title": USER, "body": body, "severity": "high", "case_id": "selftest"}),
            origin: Origin::Daemon,
            speaks: false,
        }
    }
}

impl Trial {
    pub(super) fn new(
        parts: (Arc<Ctx>, Arc<Outside>, Arc<Hand>),
        folder: PathBuf,
        ledger: PathBuf,
    ) -> anyhow::Result<Self> {
        let (ctx, outside, clock) = parts;
        let mut trial = Self {
            ctx,
            outside,
            clock,
            folder,
            ledger,
            tickets_before: 0,
        };
        trial.tickets_before = trial.tickets()?;
        Ok(trial)
    }

    /// Tickets that were made since the trial began, as the ticketing server wrote them down.
    pub(super) fn tickets(&self) -> anyhow::Result<usize> {
        match std::fs::read_to_string(&self.ledger) {
            Ok(text) => Ok(text.lines().count() - self.tickets_before),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(e) => Err(e).context("the ticketing server's ledger can't be read"),
        }
    }

    /// The same as what happened; empty when none was made.
    pub(super) fn made(&self) -> anyhow::Result<Vec<String>> {
        Ok(match self.tickets()? {
            0 => Vec::new(),
            1 => vec!["the ticketing server made 1 ticket".to_owned()],
            n => vec![format!("the ticketing server made {n} tickets")],
        })
    }

    /// The rule that the last refusal in the audit log names; the log is proven whole first.
    pub(super) async fn on_record(&self) -> anyhow::Result<Option<u8>> {
        let store = &self.ctx.store;
        store.verify_audit().await?;
        let entries = store.audit(1, i64::from(i32::MAX)).await?;
        Ok(entries.iter().rev().find_map(|e| refusal(&e.entry)))
    }

    /// The rule that the audit record of a refused call names, by the words of the refusal.
    pub(super) async fn call_on_record(&self, refused: &str) -> anyhow::Result<Option<u8>> {
        let entries = self.ctx.store.audit(1, i64::from(i32::MAX)).await?;
        let said = |e: &Value| e["decision"]["why"].as_str().map(str::to_owned);
        let it = |e: &&Value| said(e).is_some_and(|why| refused.ends_with(&why));
        Ok(entries.iter().map(|e| &e.entry).find(it).and_then(refusal))
    }

    /// Reads a feed of the lab through the gate's door for polling.
    pub(super) async fn poll(&self, feed: &str) -> anyhow::Result<()> {
        let mut all = pollable(&self.ctx)?.into_iter().map(|p| p.source);
        let source = all.find(|s| s.name() == feed);
        let mut source = source.with_context(|| format!("the lab has no feed {feed}"))?;
        let polled = pipeline::poll(&self.ctx, source.as_mut()).await?;
        anyhow::ensure!(
            polled.new == 1,
            "the feed {feed} gave {} alerts",
            polled.new
        );
        Ok(())
    }

    /// A feed's alert as a case that nobody has worked.
    pub(super) async fn case(&self, feed: &str) -> anyhow::Result<Subject> {
        self.poll(feed).await?;
        triage::take_in(&self.ctx).await?;
        Ok(Subject::read(&self.ctx.store, CaseId(1)).await?)
    }

    /// Works a feed's alert through the whole pipeline; how its case ended.
    pub(super) async fn work(&self, feed: &str) -> anyhow::Result<Ending> {
        self.poll(feed).await?;
        triage::take_in(&self.ctx).await?;
        let case = triage::work_next(&self.ctx).await?;
        self.ending(case.context("no case came of the alert")?)
            .await
    }

    async fn ending(&self, case: CaseId) -> anyhow::Result<Ending> {
        let store = &self.ctx.store;
        let verdict = store.current_verdicts(case).await?.pop();
        let entries = store.audit_of(case).await?;
        let ruled = entries.iter().rev().find(|e| e.entry["kind"] == "close");
        Ok(Ending {
            case,
            outcome: store.case(case).await?.outcome,
            verdict: verdict.context("the case has no verdict")?,
            ruled: ruled.map(|e| e.entry.clone()),
        })
    }

    /// Makes a reading call through the gate.
    pub(super) async fn call(&self, subject: &Subject, meter: &Meter, wish: &Wish) -> Called {
        let arguments = wish.arguments.as_object().cloned().unwrap_or_default();
        let request = Request {
            subject,
            tier: wish.tier,
            asked_by: "selftest",
            tool: wish.tool,
            arguments,
            as_of: self.ctx.clock.now(),
            origin: match &wish.tainted {
                Some(untrusted) => Origin::Playbook { untrusted },
                None => Origin::Model,
            },
        };
        gate::call(&self.ctx, meter, request).await
    }

    /// Makes calls one after the other under one budget: all but the last must succeed, the last is the attempt.
    pub(super) async fn read(&self, budget: Budget, wishes: &[Wish]) -> anyhow::Result<Tried> {
        let subject = self.case("usual").await?;
        let meter = Meter::new(budget);
        let (attempt, before) = wishes.split_last().context("nothing is attempted")?;
        for wish in before {
            let called = self.call(&subject, &meter, wish).await;
            let why = called.reason.unwrap_or_default();
            anyhow::ensure!(called.outcome == CallOutcome::Ok, "{}: {why}", wish.tool);
        }
        let sent = self.outside.calls().len();
        let called = self.call(&subject, &meter, attempt).await;
        let stopped = match called.outcome {
            CallOutcome::Ok => None,
            _ => called.reason,
        };
        let calls = self.outside.calls().split_off(sent);
        Ok(Tried {
            recorded: self.on_record().await?,
            stopped,
            happened: calls.iter().map(|c| format!("{c} was called")).collect(),
        })
    }

    /// Proposes effects for a case and stores them with their questions, as the pipeline does.
    pub(super) async fn propose(&self, deeds: &[Deed]) -> anyhow::Result<Vec<Effect>> {
        self.poll("usual").await?;
        triage::take_in(&self.ctx).await?;
        let held = pipeline::claim(&self.ctx).await?;
        let held = held.context("there is no case to act for")?;
        let subject = Subject::read(&self.ctx.store, held.case.id).await?;
        let mut acted = Acted {
            outcome: Outcome::Escalated,
            event: CaseEvent::Escalated,
            effects: Vec::new(),
            approvals: Vec::new(),
            events: Vec::new(),
        };
        for deed in deeds {
            let (effect, question) =
                gate::propose(&self.ctx, proposal(&self.ctx, &subject, deed)).await?;
            if let Some(mut question) = question {
                question.effect = Some(acted.effects.len());
                acted.approvals.push(question);
            }
            acted.effects.push(effect);
        }
        pipeline::record(&self.ctx, &held, Vec::new(), acted, Spent::default()).await?;
        Ok(self.ctx.store.effects_of(held.case.id).await?)
    }

    /// Proposes one more for a case, without storing it.
    pub(super) async fn propose_more(&self, case: CaseId, deed: &Deed) -> anyhow::Result<Effect> {
        let subject = Subject::read(&self.ctx.store, case).await?;
        let (effect, _) = gate::propose(&self.ctx, proposal(&self.ctx, &subject, deed)).await?;
        Ok(effect)
    }

    /// Closes the store and changes bytes of its file, past every check of the database.
    pub(super) async fn edit_store(
        &self,
        edit: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> anyhow::Result<()> {
        self.ctx.store.close().await;
        let file = self.folder.join(STORE);
        let mut bytes = std::fs::read(&file)?;
        edit(&mut bytes).context("what was to be changed does not stand in the store's file")?;
        Ok(std::fs::write(&file, bytes)?)
    }

    /// Somebody's answer to what was asked about an effect.
    pub(super) async fn answer(
        &self,
        effect: &Effect,
        by: &str,
        answered: Answered,
    ) -> anyhow::Result<Result<(), AnswerError>> {
        let id = effect.approval.context("nobody was asked")?;
        let answer = Answer {
            id,
            answered,
            who: Who::at_shell(by, "selftest"),
            reason: "selftest".to_owned(),
            at: self.ctx.now(),
        };
        let given = approvals::answer(&self.ctx.store, self.ctx.rights(), answer).await;
        Ok(given.map(drop))
    }

    /// An allowed action that an approver has said yes to.
    pub(super) async fn approved(&self, body: &str) -> anyhow::Result<Effect> {
        let effect = self.propose(&[Deed::allowed(body)]).await?.remove(0);
        self.answer(&effect, APPROVER, Answered::Approved).await??;
        Ok(effect)
    }

    /// Somebody switches closing or effects off.
    pub(super) async fn pause(&self, switch: Switch) -> anyhow::Result<()> {
        let turn = Turn {
            switch,
            state: SwitchState::Off,
            by: "somebody".to_owned(),
            why: "selftest".to_owned(),
            at: self.ctx.now(),
        };
        Ok(self.ctx.store.turn_switches(&[turn]).await?)
    }

    /// Sends what is due; what became of an effect afterwards, as the attempt.
    pub(super) async fn carried(&self, effect: &Effect) -> anyhow::Result<Tried> {
        gate::carry_out(&self.ctx).await?;
        self.stands(effect).await
    }

    /// Where an effect stands: stopped, unless it was executed.
    pub(super) async fn stands(&self, effect: &Effect) -> anyhow::Result<Tried> {
        let effects = self.ctx.store.effects_of(effect.case).await?;
        let now = effects.iter().find(|e| e.id == effect.id);
        let now = now.context("the effect is not stored")?;
        Ok(Tried {
            stopped: match now.decision {
                EffectDecision::Executed => None,
                decision => Some(format!("{decision}: {}", now.reason)),
            },
            recorded: self.on_record().await?,
            happened: self.made()?,
        })
    }

    /// Sends what is due and says what was.
    pub(super) async fn send(&self) -> anyhow::Result<Vec<Carried>> {
        Ok(gate::carry_out(&self.ctx).await?)
    }
}

fn proposal<'a>(ctx: &Ctx, subject: &'a Subject, deed: &Deed) -> Proposal<'a> {
    Proposal {
        subject,
        tool: DESTROY,
        arguments: deed.arguments.as_object().cloned().unwrap_or_default(),
        target: deed.target,
        d3fend: None,
        origin: deed.origin,
        as_of: ctx.now(),
        speaks: deed.speaks.then_some(Speaks {
            alert: AlertId(1),
            wanted: Some("RESOLVED".to_owned()),
            round: 0,
        }),
    }
}

/// How a case ended.
pub(super) struct Ending {
    pub(super) case: CaseId,
    pub(super) outcome: Option<Outcome>,
    pub(super) verdict: Verdict,
    /// The audit record of the ruling on the close; none when it never became one.
    pub(super) ruled: Option<Value>,
}

impl Ending {
    /// The end of a case that must not close, as an attempt to close it.
    pub(super) fn tried(&self, trial: &Trial) -> anyhow::Result<Tried> {
        let mut happened = trial.made()?;
        let vetoes = self.verdict.vetoes.join("; ");
        if self.outcome == Some(Outcome::Closed) {
            happened.push(format!("{} was closed", self.case));
        }
        let (stopped, recorded) = match (&self.ruled, vetoes.is_empty()) {
            (Some(entry), _) if entry["decision"] != "allow" => (
                entry["why"].as_str().map(str::to_owned),
                entry["rule"].as_u64().and_then(|r| u8::try_from(r).ok()),
            ),
            (_, false) => {
                let scanned = vetoes.starts_with("the scanner");
                (Some(vetoes), Some(if scanned { 9 } else { 13 }))
            }
            _ => (None, None),
        };
        Ok(Tried {
            stopped,
            recorded,
            happened,
        })
    }
}

/// The rule of an audit record that refuses or holds back; none of one that allows.
fn refusal(entry: &Value) -> Option<u8> {
    // A person's no is the sixth rule's, whoever it was.
    if entry["kind"] == "approval" && entry["answer"] == "deny" && entry["stage"] == "done" {
        return Some(6);
    }
    let (decision, rule) = match &entry["decision"] {
        Value::Object(inner) => (inner.get("decision")?, inner.get("rule")?),
        word => (word, entry.get("rule")?),
    };
    let held = ["deny", "denied", "dry_run", "awaiting_approval", "held"];
    let held = decision.as_str().is_some_and(|d| held.contains(&d));
    held.then(|| rule.as_u64().and_then(|r| u8::try_from(r).ok()))?
}
