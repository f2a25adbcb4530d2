//! The fit: a logistic regression whose weights are drawn towards the shipped ones and held in their bands; it reads no
//! store. The minimum is found by the L-BFGS of the crate `argmin`.

use argmin::core::{CostFunction, Executor, Gradient, State as _};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

use super::words::{Row, Weight};

/// Most steps of one minimisation; a convex problem of this kind takes some tens.
const STEPS: u64 = 500;
/// Gradient at which the minimum is reached.
const FLAT: f64 = 1e-6;
/// Gradient above which what was found is no minimum.
const STEEP: f64 = 1e-3;
/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 7;

/// Learned log-odds, signed, one a weight, in thousandths.
pub type Fitted = Vec<f64>;

/// Why nothing could be fitted.
#[derive(Debug, thiserror::Error)]
#[error("the weights could not be fitted: {0}")]
pub struct FitError(String);

/// Fits the weights on rows. A weight that would leave its band is held at its end and the others are fitted again.
///
/// # Errors
/// When no minimum is found.
pub fn fit(rows: &[&Row], weights: &[Weight]) -> Result<Fitted, FitError> {
    let mut problem = Problem {
        rows,
        weights,
        values: weights.iter().map(|w| w.shipped).collect(),
        free: (0..weights.len()).collect(),
    };
    loop {
        let found = problem.minimum()?;
        problem.put(&found);
        let mut held = false;
        problem.free.retain(|&i| {
            let (low, high) = weights[i].band;
            let within = problem.values[i].clamp(low, high);
            let inside = (within - problem.values[i]).abs() < f64::EPSILON;
            problem.values[i] = within;
            held |= !inside;
            inside
        });
        if !held {
            let rounded = problem.values.iter().map(|v| (v * 1000.0).round() / 1000.0);
            return Ok(rounded.collect());
        }
    }
}

/// Minus the log of the posterior over the free weights; the others stand as they are.
#[derive(Clone)]
struct Problem<'d> {
    rows: &'d [&'d Row],
    weights: &'d [Weight],
    /// Log-odds of every weight.
    values: Vec<f64>,
    /// Indices of those that move.
    free: Vec<usize>,
}

impl Problem<'_> {
    fn put(&mut self, found: &[f64]) {
        for (&i, value) in self.free.iter().zip(found) {
            self.values[i] = *value;
        }
    }

    fn with(&self, at: &[f64]) -> Vec<f64> {
        let mut values = self.values.clone();
        for (&i, value) in self.free.iter().zip(at) {
            values[i] = *value;
        }
        values
    }

    fn slope(&self, at: &[f64]) -> Vec<f64> {
        let values = self.with(at);
        let mut all: Vec<f64> = self
            .weights
            .iter()
            .zip(&values)
            .map(|(w, v)| (v - w.shipped) / w.sd.powi(2))
            .collect();
        for row in self.rows {
            let residual = probability(row, &values) - f64::from(u8::from(row.malicious));
            for &i in &row.weights {
                all[i] += residual;
            }
        }
        self.free.iter().map(|&i| all[i]).collect()
    }

    fn minimum(&self) -> Result<Vec<f64>, FitError> {
        let start: Vec<f64> = self.free.iter().map(|&i| self.values[i]).collect();
        // At a minimum the line search has no way to go.
        if steepest(&self.slope(&start)) < FLAT {
            return Ok(start);
        }
        let wrong = |e: argmin::core::Error| FitError(e.to_string());
        let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
        let solver = solver.with_tolerance_grad(FLAT).map_err(wrong)?;
        let run = Executor::new(self.clone(), solver)
            .configure(|state| state.param(start).max_iters(STEPS))
            .run()
            .map_err(wrong)?;
        let found = run.state().get_best_param().cloned();
        let found = found.ok_or_else(|| FitError("nothing was found".to_owned()))?;
        let left = steepest(&self.slope(&found));
        // Also false for what is not a number.
        if left < STEEP {
            Ok(found)
        } else {
            Err(FitError(format!("the slope at the end is still {left}")))
        }
    }
}

fn steepest(slope: &[f64]) -> f64 {
    slope.iter().fold(0.0, |most: f64, s| match s.is_nan() {
        true => f64::INFINITY,
        false => most.max(s.abs()),
    })
}

impl CostFunction for Problem<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> Result<f64, argmin::core::Error> {
        let values = self.with(at);
        let belief = self.weights.iter().zip(&values);
        let belief: f64 = belief
            .map(|(w, v)| ((v - w.shipped) / w.sd).powi(2) / 2.0)
            .sum();
        let said: f64 = self.rows.iter().map(|r| surprise(r, &values)).sum();
        Ok(belief + said)
    }
}

impl Gradient for Problem<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> Result<Vec<f64>, argmin::core::Error> {
        Ok(self.slope(at))
    }
}

fn log_odds(row: &Row, values: &[f64]) -> f64 {
    row.offset + row.weights.iter().map(|&i| values[i]).sum::<f64>()
}

/// Probability of malicious, 0 to 1.
pub(super) fn probability(row: &Row, values: &[f64]) -> f64 {
    1.0 / (1.0 + (-log_odds(row, values)).exp())
}

/// Log loss of one row.
pub(super) fn surprise(row: &Row, values: &[f64]) -> f64 {
    let z = log_odds(row, values);
    let against = if row.malicious { -z } else { z };
    // ln(1 + e^x) without overflow.
    against.max(0.0) + (-against.abs()).exp().ln_1p()
}
