//! The learning curve of a lab: worked once for each cut point, from none of its labels given to most; it changes nothing.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use crate::config::Config;
use crate::daemon::data;
use crate::report::AlertResult;

use super::lab::run_lab;
use super::labels::read_labels;
use super::score::{Metrics, score};
use super::teach::FeedbackUntil;

/// What labels given as feedback change, cut point by cut point.
#[derive(Debug, Clone, Serialize)]
pub struct Curve {
    /// Name of the lab.
    pub lab: String,
    /// Which analyst was asked for.
    pub analyst: &'static str,
    /// One point a cut, in the order they were asked for.
    pub curve: Vec<Point>,
}

/// A lab worked with the labels before one cut given.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The cut, as it is written on the command line.
    pub feedback_until: String,
    /// Alerts whose labels were given.
    pub taught: usize,
    /// The figures over the alerts after this cut: other ones at each point.
    pub after: Metrics,
    /// The figures over the alerts after the last of all cuts: the same ones at each point, and never taught.
    pub held_out: Metrics,
}

/// Works a lab once for each cut point, each time in a fresh store.
///
/// # Errors
/// As [`run_lab`].
pub async fn run_curve(
    program: &Path,
    dir: &Path,
    (base, cuts): (Config, &[FeedbackUntil]),
) -> anyhow::Result<Curve> {
    let mut reports = Vec::new();
    for cut in cuts {
        let report = run_lab(program, dir, (base.clone(), Some(*cut))).await;
        reports.push(report.with_context(|| format!("feedback until {cut}"))?);
    }
    let last = reports.iter().max_by_key(|r| r.taught);
    let last = last.context("a curve needs a point")?;
    let held: BTreeSet<&str> = last.alerts[last.taught..].iter().map(id).collect();
    let labels = read_labels(dir)?;
    let labels = labels
        .into_iter()
        .filter(|(id, _)| held.contains(id.as_str()));
    let labels = labels.collect();
    let library = data(&base)?.library;
    let points = cuts.iter().zip(&reports).map(|(cut, report)| {
        let ours = report.alerts.iter().filter(|r| held.contains(id(r)));
        let ours: Vec<AlertResult> = ours.cloned().collect();
        Point {
            feedback_until: cut.to_string(),
            taught: report.taught,
            after: report.metrics.clone(),
            held_out: score(&ours, &labels, library.attack()),
        }
    });
    Ok(Curve {
        lab: last.lab.clone(),
        analyst: last.analyst,
        curve: points.collect(),
    })
}

fn id(result: &AlertResult) -> &str {
    &result.subject.source_alert_id
}
