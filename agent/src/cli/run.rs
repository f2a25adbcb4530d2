//! `nightdesk run`: the daemon, or the queue once; tells what became of each case.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use state::model::{CANARY_SOURCE, CaseId, Outcome, VerdictKind};
use state::store::{Reclaim, Store};
use tokio_util::sync::CancellationToken;

use crate::assurance;
use crate::config::Config;
use crate::ctx::Ctx;
use crate::daemon::{self, People, Progress, Watch, assemble, pollable, work_until_empty};
use crate::http::{self, Listening, Servers};
use crate::pipeline::{Polled, know_sources, principal};
use crate::replay::Shadow;
use crate::report::{AlertFile, AlertResult, CaseFile};
use crate::telemetry::{Destination, Exporter, Traces};

use super::output::{Tone, column};
use super::{CONFIG, Done, Failed, Out};

/// How to run.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Work the queue until it is empty, then exit
    #[arg(long)]
    once: bool,
}

pub(super) async fn run(mut config: Config, args: Args, told: (Traces, &Out)) -> Done {
    let (traces, out) = told;
    if args.once {
        // Nothing else will come while this run tells people.
        config.people.notify.batch.gather.0 = Duration::ZERO;
    }
    let store = Store::open_exclusive(&config.store.url).await?;
    let began = Instant::now();
    let stop = stop_on_signal().context("signals can't be listened to")?;
    // Dropped before its end, it ends the servers it has started.
    let assembled = tokio::select! {
        assembled = assemble(config, store) => assembled?,
        () = stop.cancelled() => return stopped(&args),
    };
    let ctx = assembled.ctx.clone();
    let exporter = match traced(&ctx, &traces) {
        Ok(exporter) => exporter,
        Err(e) => {
            assembled.stop().await;
            return Err(Failed::new(CONFIG, e.context("[run.traces]")));
        }
    };
    let shadow = match Shadow::of(&ctx.config).await {
        Ok(shadow) => shadow,
        Err(e) => {
            assembled.stop().await;
            return Err(Failed::new(CONFIG, e.context("[run.shadow]")));
        }
    };
    let watch = Arc::new(Watch::new(ctx.clone()));
    let ended = if args.once {
        let people = told_from_now_on(&ctx, out).await;
        watch.look().await;
        let ended = once(&ctx, out, (began, stop.clone())).await;
        if let Some(people) = people {
            people.tell_once(&ctx, &stop).await;
        }
        if let Some(mut shadow) = shadow {
            while shadow.look(&ctx.store).await? > 0 {}
        }
        watch.anchor().await;
        ended
    } else {
        let fleet = assembled.fleet.clone();
        let servers: Servers = Arc::new(move || fleet.status());
        let lived = match reachable(&ctx, servers).await {
            Ok((people, listening)) => live(ctx, watch, (shadow, people, listening), stop).await,
            Err(e) => Err(e),
        };
        lived.map(|()| ExitCode::SUCCESS)
    };
    assembled.stop().await;
    if let Some(exporter) = exporter {
        exporter.finish().await;
    }
    Ok(ended?)
}

/// The ways to people, for a run that ends by itself: they are told of all that happens from here on.
async fn told_from_now_on(ctx: &Arc<Ctx>, out: &Out) -> Option<People> {
    let opened = async {
        let people = People::open(ctx).await?;
        people.begin(ctx).await?;
        anyhow::Ok(people)
    };
    match opened.await {
        Ok(people) => Some(people),
        Err(e) => {
            out.complain(&format!("people can't be told: {e:#}"));
            None
        }
    }
}

/// The ways to people and back, and the listener for who watches the daemon.
async fn reachable(
    ctx: &Arc<Ctx>,
    servers: Servers,
) -> anyhow::Result<(People, Option<Listening>)> {
    let people = People::open(ctx).await.context("[notify]")?;
    let people = people.reachable(ctx).await?;
    know_sources(ctx).await?;
    let listening = http::bind(ctx, servers).await?;
    Ok((people, listening))
}

/// Opens the traces of `[run.traces]`, if there are any.
fn traced(ctx: &Arc<Ctx>, traces: &Traces) -> anyhow::Result<Option<Exporter>> {
    let Some(config) = &ctx.config.run.traces else {
        return Ok(None);
    };
    let to = Destination {
        url: config.url().map_err(anyhow::Error::msg)?,
        service: config.service.clone(),
        instance: ctx.owner.clone(),
    };
    let (clock, meters) = (ctx.clock.clone(), ctx.guard.meters.clone());
    let exporter = traces.open(to, move || clock.now(), move |n| meters.spans_lost(n))?;
    Ok(Some(exporter))
}

/// The daemon's life, with the golden lab, the shadow and what is asked over HTTP beside it.
async fn live(
    ctx: Arc<Ctx>,
    watch: Arc<Watch>,
    beside: (Option<Shadow>, People, Option<Listening>),
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("the program's own path is not known")?;
    let ended = stop.child_token();
    let assured = tokio::spawn(assurance::keep(ctx.clone(), program, ended.clone()));
    let (shadow, people, listening) = beside;
    let serving = listening.map(|l| tokio::spawn(l.serve(ended.clone())));
    let shadow = shadow.map(|s| tokio::spawn(s.keep(ctx.store.clone(), ended.clone())));
    let ran = daemon::run(ctx, watch, people, stop).await;
    // They hold the store and end with the daemon, whatever made it end.
    ended.cancel();
    assured.await?;
    for task in shadow.into_iter().chain(serving) {
        task.await?;
    }
    ran
}

/// Works the queue until it is empty or a signal comes, and tells what was done either way.
async fn once(
    ctx: &Arc<Ctx>,
    out: &Out,
    run: (Instant, CancellationToken),
) -> anyhow::Result<ExitCode> {
    let (began, stop) = run;
    ctx.store.reclaim(ctx.now(), Reclaim::All).await?;
    ctx.store.expire_approvals(ctx.now()).await?;
    let sources = pollable(ctx)?.into_iter().map(|p| p.source).collect();
    let mut teller = Teller::new(*out, ctx.clone());
    let worked = tokio::select! {
        worked = work_until_empty(ctx, sources, &mut teller) => worked,
        () = stop.cancelled() => Err(anyhow::anyhow!(STOPPED)),
    };
    let told = teller.finish();
    if stop.is_cancelled() {
        ctx.store.reclaim(ctx.now(), Reclaim::All).await?;
    }
    let summed = summary(ctx, out, &told, began.elapsed()).await;
    worked.and(summed).map(|()| ExitCode::SUCCESS)
}

const STOPPED: &str = "stopped by a signal: what is not done stays in the queue";

fn stopped(args: &Args) -> Done {
    if args.once {
        return Err(anyhow::anyhow!(STOPPED).into());
    }
    Ok(ExitCode::SUCCESS)
}

/// A token that SIGTERM or SIGINT cancels, from now on.
fn stop_on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = CancellationToken::new();
    let cancel = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        cancel.cancel();
    });
    Ok(stop)
}

/// Prints a line a case as it ends.
pub(super) struct Teller {
    out: Out,
    ctx: Arc<Ctx>,
    bar: ProgressBar,
    told: Vec<CaseId>,
}

impl Teller {
    pub(super) fn new(out: Out, ctx: Arc<Ctx>) -> Self {
        let bar = if out.is_json() {
            ProgressBar::hidden()
        } else {
            ProgressBar::new_spinner()
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} cases done  {elapsed}") {
            bar.set_style(style);
        }
        Self {
            out,
            ctx,
            bar,
            told: Vec::new(),
        }
    }

    /// Cases that were told, each once.
    pub(super) fn finish(self) -> Vec<CaseId> {
        self.bar.finish_and_clear();
        self.told
    }

    fn line(&self, file: &CaseFile) -> String {
        let Some(v) = file.verdict() else {
            return format!("{:<7} no verdict: handed to a person", file.case.id);
        };
        let rule = file
            .alerts
            .first()
            .map_or("", |a| a.alert.rule.name.as_str());
        let who = principal(&file.entities).unwrap_or("unknown");
        let outcome = file.case.outcome.map_or("open", Outcome::as_str);
        let tone = match v.kind {
            VerdictKind::TruePositive => Tone::Bad,
            kind if kind.is_benign() => Tone::Good,
            _ => Tone::Warn,
        };
        let alerts = match file.alerts.len() {
            1 => String::new(),
            n => format!(" [{n} alerts]"),
        };
        let tiers: Vec<String> = (1..=v.provenance.tier.number())
            .map(|t| t.to_string())
            .collect();
        let seconds = file.seconds();
        format!(
            "{:<6} {} {} {:<5} {} {:>2}% {:<17} {seconds:>5.2}s  {}{alerts}",
            file.case.id,
            column(rule, 34),
            column(who, 26),
            tiers.join("-"),
            self.out.paint(tone, &format!("{:<16}", v.kind)),
            v.confidence,
            outcome,
            column(&v.basis.sentence, 160).trim_end(),
        )
    }
}

impl Progress for Teller {
    fn polled(&mut self, source: &str, polled: &Polled) {
        if !self.out.is_json() {
            let rejected = match polled.rejected {
                0 => String::new(),
                n => format!(", {n} unreadable kept as dead letters"),
            };
            self.bar.suspend(|| {
                self.out.say(&format!(
                    "source {source}: {} new alerts, {} known{rejected}",
                    polled.new, polled.known
                ))
            });
        }
    }

    async fn worked(&mut self, case: CaseId) -> anyhow::Result<()> {
        self.bar.inc(1);
        let file = CaseFile::read(&self.ctx.store, &self.ctx.library, case).await?;
        let canary = |a: &AlertFile| a.alert.source == CANARY_SOURCE;
        if file.case.outcome.is_none() || file.alerts.iter().any(canary) {
            return Ok(());
        }
        if !self.out.is_json() {
            let line = self.line(&file);
            self.bar.suspend(|| self.out.line(&line));
        }
        if !self.told.contains(&case) {
            self.told.push(case);
        }
        Ok(())
    }
}

/// The end of a run: every alert as JSON, or the figures for people.
pub(super) async fn summary(
    ctx: &Ctx,
    out: &Out,
    told: &[CaseId],
    took: Duration,
) -> anyhow::Result<()> {
    let mut results = Vec::new();
    for case in told {
        let file = CaseFile::read(&ctx.store, &ctx.library, *case).await?;
        results.extend(AlertResult::all(&file));
    }
    if out.is_json() {
        out.value(&serde_json::json!({"alerts": results, "seconds": took.as_secs_f64()}));
        return Ok(());
    }
    let counts = ctx.store.counts().await?;
    let of = |o: Outcome| results.iter().filter(|r| r.judgement.outcome == o).count();
    out.line("");
    out.line(&format!(
        "{} alerts in {} cases in {:.1} s: {} closed, {} escalated, {} waiting for a person; {} unreadable",
        results.len(),
        told.len(),
        took.as_secs_f64(),
        of(Outcome::Closed),
        of(Outcome::Escalated),
        of(Outcome::AwaitingApproval),
        counts.dead_letters,
    ));
    let mut kinds: Vec<String> = Vec::new();
    for kind in VerdictKind::ALL {
        let n = results
            .iter()
            .filter(|r| r.judgement.verdict == *kind)
            .count();
        if n > 0 {
            kinds.push(format!("{n} {kind}"));
        }
    }
    out.line(&format!("verdicts: {}", kinds.join(", ")));
    Ok(())
}
