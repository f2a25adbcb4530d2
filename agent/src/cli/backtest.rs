//! `nightdesk backtest`: stored cases with people's verdicts judged again under the settings of now, and scored.

use std::process::ExitCode;

use state::model::Time;
use state::store::Store;

use crate::config::Config;
use crate::replay::{Backtest, Desk, backtest as again};
use crate::text::oneline;

use super::case::time;
use super::eval::{figures, row};
use super::output::table;
use super::under::Under;
use super::{Done, FAILED, Out};

/// Which cases, and under which settings.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Verdicts given at or after this: RFC 3339 or YYYY-MM-DD [default: all]
    #[arg(long, value_parser = time)]
    since: Option<Time>,
    #[command(flatten)]
    under: Under,
}

/// Exit code 1 when an attack would be closed, or when it is not known what would become of one.
pub(super) async fn backtest(config: Config, args: Args, out: &Out) -> Done {
    let store = Store::open_existing(&config.store.url).await?;
    let desk = Desk::open(args.under.over(config)?).await?;
    let report = again(&desk, &store, args.since.unwrap_or(Time::MIN_UTC)).await;
    store.close().await;
    let report = report?;
    if out.is_json() {
        out.value(&report);
    } else {
        show(&report, out);
    }
    match report.metrics.missed.is_empty() && report.unproven.is_empty() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::from(FAILED)),
    }
}

fn show(report: &Backtest, out: &Out) {
    for (case, why) in &report.failed {
        out.complain(&format!(
            "{case} could not be judged again: {}",
            oneline(why, 300)
        ));
    }
    if report.cases == 0 && report.failed.is_empty() {
        out.say("no case has a person's verdict yet: `nightdesk case feedback` gives one");
        return;
    }
    figures(
        &format!("{} cases judged again", report.cases),
        &report.metrics,
        out,
    );
    let rows = vec![
        row(
            "abstention (neither closed nor called malicious)",
            report.abstention,
        ),
        row("another verdict than then", report.disagreement),
    ];
    out.line(&table(&["figure", "value", "k/n", "95 % Wilson"], rows));
    left_out(report, out);
    out.line(&format!(
        "  cost: {} tool calls, answered from the record; {} model turns",
        report.cost.tool_calls, report.cost.model_turns
    ));
    out.say("what other cases stood open then is not replayed");
}

/// Alerts named in a line.
const NAMED: usize = 50;

/// What the figures do not speak of.
fn left_out(report: &Backtest, out: &Out) {
    if !report.left_out.is_empty() {
        let named = report.left_out.iter().take(NAMED);
        let named: Vec<String> = named
            .map(|l| format!("{} ({} calls)", l.alert, l.unrecorded))
            .collect();
        out.line(&format!(
            "  left out of all figures, since their case made calls that have no record: {} alerts: {}",
            report.left_out.len(),
            oneline(&named.join(", "), 400)
        ));
    }
    if !report.unproven.is_empty() {
        out.line(&format!(
            "  NOT PROVEN: of {} attacks it is not known whether they would be closed: {}",
            report.unproven.len(),
            oneline(&report.unproven.join(", "), 400)
        ));
    }
}
