//! Works a golden lab with the configuration in force on a schedule; one that comes out below its floor switches closing
//! off, and a person switches it on again. It has a store of its own and changes no case.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use state::model::{AssuranceRun, Time};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::config::{AssuranceFloor, CloseMode, Config};
use crate::ctx::{Clock, Ctx};
use crate::eval::{LabReport, Rate, run_lab};
use crate::telemetry::spans;

/// How often the schedule is looked at; it goes by the stored time of the last run.
const GLANCE: Duration = Duration::from_secs(30);
/// Longest text of a failure that is kept, characters.
const LONGEST: usize = 500;

/// Works the lab on schedule until `stop`. `program` serves it.
pub async fn keep(ctx: Arc<Ctx>, program: PathBuf, stop: CancellationToken) {
    let assurance = &ctx.config.closing.assurance;
    // What never closes needs no assurance.
    if !assurance.enabled || ctx.config.closing.mode == CloseMode::Never {
        return;
    }
    let since = ctx.now();
    let mut glance = tokio::time::interval(GLANCE);
    glance.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = glance.tick() => {}
        }
        // Dropped before its end, a run ends its servers and leaves nothing.
        let looked = tokio::select! {
            () = stop.cancelled() => return,
            looked = beat(&ctx, &program, since) => looked,
        };
        if let Err(e) = looked {
            tracing::error!(
                error = format!("{e:#}"),
                "the assurance could not be looked after; it is tried again"
            );
        }
    }
}

/// Works the lab if that is due since the last run, or since the daemon's start when there was none; gives the run.
/// However many were missed meanwhile, one makes up for them.
///
/// # Errors
/// When the store fails or the schedule is none.
pub async fn beat(ctx: &Ctx, program: &Path, since: Time) -> anyhow::Result<Option<AssuranceRun>> {
    let schedule = ctx.config.closing.assurance.schedule();
    let schedule = schedule.map_err(|why| anyhow::anyhow!("[closing.assurance] at {why}"))?;
    let last = ctx.store.assurance_runs(1).await?;
    let last = last.first().map_or(since, |run| run.at);
    let now = ctx.now();
    // A last one that lies ahead was made by a clock that has been set back since.
    let due = last > now || schedule.after(&last).next().is_some_and(|next| next <= now);
    if !due {
        return Ok(None);
    }
    let run = run(&ctx.config, program, ctx.clock.as_ref()).await;
    ctx.store.add_assurance(&run).await?;
    if run.passed {
        tracing::info!(lab = run.lab, why = run.why, "the assurance passed");
    } else {
        tracing::error!(
            lab = run.lab,
            why = run.why,
            "the assurance failed: closing is switched off until `nightdesk resume`"
        );
    }
    Ok(Some(run))
}

/// Works the lab once; a lab that can't be worked has not passed.
pub async fn run(config: &Config, program: &Path, clock: &dyn Clock) -> AssuranceRun {
    let scratch = spans::scratch("golden lab");
    let worked = work(config, program).instrument(scratch).await;
    let at = clock.now();
    match worked {
        Ok(report) => {
            let verdict = judge(&report, config.closing.assurance.floor);
            let (passed, why) = match verdict {
                Ok(why) => (true, why),
                Err(why) => (false, format!("assurance: {why}")),
            };
            AssuranceRun {
                at,
                lab: report.lab,
                passed,
                why,
                figures: serde_json::to_value(&report.metrics).ok(),
            }
        }
        Err(e) => {
            let why = format!("assurance: the lab could not be worked: {e:#}");
            AssuranceRun {
                at,
                lab: shown(config),
                passed: false,
                why: crate::text::oneline(&why, LONGEST),
                figures: None::<Value>,
            }
        }
    }
}

fn shown(config: &Config) -> String {
    let lab = config.closing.assurance.lab.as_ref();
    lab.map_or_else(|| "the bundled lab".to_owned(), |p| p.display().to_string())
}

/// The lab under the configuration in force, except that every close it allows is made: no sample, no cap, no proposal.
async fn work(config: &Config, program: &Path) -> anyhow::Result<LabReport> {
    let mut base = config.clone();
    base.closing.mode = CloseMode::Auto;
    base.closing.without_sample();
    base.closing.cap_per_hour = Some(i64::MAX);
    match &config.closing.assurance.lab {
        Some(lab) => run_lab(program, lab, (base, None)).await,
        None => {
            let dir = tempfile::tempdir().context("there is no scratch folder")?;
            lab::demo::write_to(dir.path()).context("the bundled lab can't be unpacked")?;
            run_lab(program, dir.path(), (base, None)).await
        }
    }
}

/// Whether the figures lie above the floor, in a sentence that names the alerts at fault.
fn judge(report: &LabReport, floor: AssuranceFloor) -> Result<String, String> {
    all_judged(report)?;
    let metrics = &report.metrics;
    let missed = metrics.missed_true_positives;
    let closing = &metrics.closing;
    if missed.n == 0 || closing.coverage.n == 0 {
        return Err(format!(
            "the lab has {} malicious and {} benign alerts; without both it shows nothing",
            missed.n, closing.coverage.n
        ));
    }
    if missed.k > 0 {
        let ids = crate::text::oneline(&metrics.missed.join(", "), LONGEST);
        let (k, n) = (missed.k, missed.n);
        return Err(format!("{k} of {n} malicious alerts were closed: {ids}"));
    }
    let below = |what: &str, rate: Rate, least: f64| match rate.value {
        Some(value) if value < least => Err(format!(
            "{what} is {}/{}, below the floor of {least}",
            rate.k, rate.n
        )),
        _ => Ok(()),
    };
    below(
        "auto-close precision",
        closing.auto_close_precision,
        floor.precision,
    )?;
    below("coverage", closing.coverage, floor.coverage)?;
    Ok(format!(
        "no malicious alert of {} closed, {}/{} closes benign, {}/{} benign closed",
        missed.n,
        closing.auto_close_precision.k,
        closing.auto_close_precision.n,
        closing.coverage.k,
        closing.coverage.n
    ))
}

/// Whether every alert of the lab was read and every label has its alert: what is not judged is not proven.
fn all_judged(report: &LabReport) -> Result<(), String> {
    let lost = |what: &str, of: &[String]| match of {
        [] => Ok(()),
        some => Err(format!(
            "{} {what}: {}",
            some.len(),
            crate::text::oneline(&some.join(", "), LONGEST)
        )),
    };
    lost("labels have no result", &report.metrics.unmatched)?;
    lost("alerts of the lab could not be read", &report.rejected)
}
