//! `nightdesk eval`: labs scored against their labels; a bad verdict is a result, not an error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use crate::config::{self, Config};
use crate::eval::{Curve, FeedbackUntil, LabReport, Metrics, Point, Rate, run_curve, run_lab};

use super::output::table;
use super::{DATA, Done, Failed, Out};

/// What to evaluate.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Lab folders
    #[arg(required = true, value_name = "LAB")]
    labs: Vec<PathBuf>,
    /// Who judges
    #[arg(long, value_enum, default_value_t = Who::Playbook)]
    analyst: Who,
    /// Work the labs in time order and give the labels of the first alerts as a person's verdicts, each once its case is
    /// done: a share (50%) or a time; the rest is scored apart. Several (0%,25%,50%,75%) give the learning curve: each is
    /// a run of its own, and the alerts after the last one are scored in each
    #[arg(long, value_name = "SHARE|TIME", value_delimiter = ',')]
    feedback_until: Vec<FeedbackUntil>,
    /// Show every alert with its reasons
    #[arg(long)]
    alerts: bool,
}

/// Who judges in an eval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Who {
    /// Deterministic signals alone
    Playbook,
    /// The model of the configuration beside them
    Model,
}

pub(super) async fn eval(named: Option<&std::path::Path>, args: Args, out: &Out) -> Done {
    let mut base = match config::find(named) {
        Some(path) => config::load(&path)?,
        None => Config::default(),
    };
    base.tiers
        .set_analyst(args.analyst.choice(base.model.as_ref())?);
    let program = std::env::current_exe().context("the program's own path is not known")?;
    // All that can be known to be wrong is said before the first lab is worked.
    for dir in &args.labs {
        lab::manifest::load(dir).map_err(|e| Failed::new(DATA, e))?;
    }
    if let cuts @ [_, _, ..] = args.feedback_until.as_slice() {
        return curves((&program, base), &args.labs, cuts, out).await;
    }
    let feedback = args.feedback_until.first().copied();
    let mut reports = Vec::new();
    for lab in &args.labs {
        let report = run_lab(&program, lab, (base.clone(), feedback)).await;
        let report = report.with_context(|| format!("lab {}", lab.display()));
        let report = report.map_err(|e| Failed::new(DATA, e))?;
        if !out.is_json() {
            show(&report, out);
            if args.alerts {
                each(&report, out);
            }
        }
        reports.push(report);
    }
    if out.is_json() {
        match reports.as_slice() {
            [one] => out.value(one),
            many => out.value(&json!({"labs": many})),
        }
    } else if reports.len() > 1 {
        totals(&reports, out);
    }
    Ok(ExitCode::SUCCESS)
}

/// The learning curve of each lab.
async fn curves(
    (program, base): (&Path, Config),
    labs: &[PathBuf],
    cuts: &[FeedbackUntil],
    out: &Out,
) -> Done {
    let mut all = Vec::new();
    for lab in labs {
        let curve = run_curve(program, lab, (base.clone(), cuts)).await;
        let curve = curve.with_context(|| format!("lab {}", lab.display()));
        let curve = curve.map_err(|e| Failed::new(DATA, e))?;
        if !out.is_json() {
            show_curve(&curve, out);
        }
        all.push(curve);
    }
    if out.is_json() {
        match all.as_slice() {
            [one] => out.value(one),
            many => out.value(&json!({"labs": many})),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_curve(curve: &Curve, out: &Out) {
    out.line(&format!("\n{} ({} analyst)", curve.lab, curve.analyst));
    for (what, of) in [
        (
            "alerts after the cut: other ones in each row",
            (|p| &p.after) as fn(&Point) -> &Metrics,
        ),
        (
            "alerts after the last cut: the same in each row, never taught",
            |p| &p.held_out,
        ),
    ] {
        let rows = curve.curve.iter().map(|point| {
            let m = of(point);
            let closing = m.closing;
            vec![
                point.feedback_until.clone(),
                point.taught.to_string(),
                m.labelled.to_string(),
                short(m.missed_true_positives),
                short(closing.auto_close_precision),
                bar(closing.coverage),
                bar(closing.coverage_with_proposals),
            ]
        });
        out.line(what);
        out.line(&table(&CURVE, rows.collect()));
    }
}

/// What a row of a curve says.
const CURVE: [&str; 7] = [
    "feedback until",
    "taught",
    "scored",
    "malicious closed",
    "close precision",
    "coverage",
    "with proposals",
];

/// A share with a bar of ten places.
fn bar(rate: Rate) -> String {
    let Some(value) = rate.value else {
        return "not measured".to_owned();
    };
    let full = (0..10)
        .filter(|n| f64::from(*n) + 0.5 <= value * 10.0)
        .count();
    let (full, rest) = ("#".repeat(full), ".".repeat(10 - full));
    format!("{full}{rest} {:.0} % ({})", value * 100.0, short(rate))
}

fn short(rate: Rate) -> String {
    format!("{}/{}", rate.k, rate.n)
}

fn show(report: &LabReport, out: &Out) {
    out.line(&format!("\n{} ({} analyst)", report.lab, report.analyst));
    for reason in &report.rejected {
        out.line(&format!(
            "  unreadable alert: {}",
            crate::text::oneline(reason, 200)
        ));
    }
    if let Some(first) = &report.learning {
        figures(
            "before feedback: alerts whose labels were then given",
            first,
            out,
        );
        figures("after feedback", &report.metrics, out);
    } else {
        figures("all", &report.metrics, out);
    }
    for effort in &report.effort {
        out.line(&format!(
            "  tier {}: {} tool calls at the median of {} cases, {} at most",
            effort.tier, effort.median, effort.cases, effort.most
        ));
    }
}

pub(super) fn figures(what: &str, m: &Metrics, out: &Out) {
    out.line(&format!(
        "{what}: {} alerts, {} labelled",
        m.alerts, m.labelled
    ));
    let rows = vec![
        row(
            "missed true positives (malicious, closed)",
            m.missed_true_positives,
        ),
        row(
            "auto-close precision (benign of closed)",
            m.closing.auto_close_precision,
        ),
        row("coverage (closed of benign)", m.closing.coverage),
        row(
            "coverage with proposals (also rightly proposed)",
            m.closing.coverage_with_proposals,
        ),
        row(
            "proposal precision (benign of proposed)",
            m.closing.proposal_precision,
        ),
        row("escalation rate (not closed)", m.escalation_rate),
        row(
            "verdict accuracy (benign = false positive)",
            m.verdict_accuracy,
        ),
        row("detection (malicious called so or suspicious)", m.detection),
        row("technique F1", m.technique_f1),
    ];
    out.line(&table(&["figure", "value", "k/n", "95 % Wilson"], rows));
    if !m.unmatched.is_empty() {
        out.line(&format!(
            "  labels without a result: {}",
            crate::text::oneline(&m.unmatched.join(", "), 400)
        ));
    }
    if !m.missed.is_empty() {
        out.line(&format!("  MISSED: {}", m.missed.join(", ")));
    }
    let bins = m.calibration.bins.iter().map(|b| {
        vec![
            format!("{:.1} to {:.1}", b.from, b.to),
            b.n.to_string(),
            format!("{:.2}", b.said),
            format!("{:.2}", b.was),
        ]
    });
    let header = ["probability said", "alerts", "mean", "malicious"];
    out.line(&table(&header, bins.collect()));
    if let Some(brier) = m.calibration.brier {
        out.line(&format!("  Brier score {brier:.3}"));
    }
}

/// Every alert with its reasons and gaps.
fn each(report: &LabReport, out: &Out) {
    for a in &report.alerts {
        let j = &a.judgement;
        out.line(&format!(
            "  {} {} {} {}% {} tier {} playbook {}",
            a.subject.case_id,
            a.subject.source_alert_id,
            j.verdict,
            j.confidence,
            j.outcome,
            j.tier,
            j.playbook.as_deref().unwrap_or("none")
        ));
        for reason in &a.reasons {
            out.line(&format!("      {}", crate::text::oneline(reason, 220)));
        }
        for gap in &a.gaps {
            out.line(&format!("      gap: {}", crate::text::oneline(gap, 200)));
        }
    }
}

pub(super) fn row(name: &str, rate: Rate) -> Vec<String> {
    vec![
        name.to_owned(),
        percent(rate.value),
        format!("{}/{}", rate.k, rate.n),
        interval(rate),
    ]
}

fn percent(value: Option<f64>) -> String {
    value.map_or("not measured".to_owned(), |v| format!("{:.1} %", v * 100.0))
}

fn interval(rate: Rate) -> String {
    match (rate.low, rate.high) {
        (Some(low), Some(high)) => format!("{:.1} to {:.1} %", low * 100.0, high * 100.0),
        _ => String::new(),
    }
}

fn totals(reports: &[LabReport], out: &Out) {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut sums = [(0, 0); 6];
    for report in reports {
        let m = &report.metrics;
        let rates = [
            m.missed_true_positives,
            m.closing.auto_close_precision,
            m.closing.coverage,
            m.escalation_rate,
            m.verdict_accuracy,
            m.technique_f1,
        ];
        for (sum, rate) in sums.iter_mut().zip(rates) {
            sum.0 += rate.k;
            sum.1 += rate.n;
        }
        rows.push(
            [
                vec![report.lab.clone(), m.alerts.to_string()],
                rates.map(short).to_vec(),
            ]
            .concat(),
        );
    }
    let alerts: usize = reports.iter().map(|r| r.metrics.alerts).sum();
    let all = sums.map(|(k, n)| Rate::of(k, n));
    rows.push(
        [
            vec!["all".to_owned(), alerts.to_string()],
            all.map(|r| format!("{} = {}", short(r), percent(r.value)))
                .to_vec(),
        ]
        .concat(),
    );
    let header = [
        "lab",
        "alerts",
        "missed TP",
        "close precision",
        "coverage",
        "escalated",
        "accuracy",
        "technique F1",
    ];
    out.line("");
    out.line(&table(&header, rows));
}
