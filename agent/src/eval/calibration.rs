//! How well probabilities that were said agree with what was: a table and the Brier score; nothing here changes one.

use serde::Serialize;

/// Lower ends of the bins; the last ends at 1.
const FROM: [f64; 6] = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9];

/// How well probabilities of "malicious" agree with labels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Mean squared difference of probability and truth, 0 to 1; 0.25 is what always saying 0.5 gives. Null without any.
    pub brier: Option<f64>,
    /// Alerts by the probability that was said, empty bins left out.
    pub bins: Vec<Bin>,
}

/// Alerts for which a probability in `from..to` was said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bin {
    /// Lower end.
    pub from: f64,
    /// Upper end.
    pub to: f64,
    /// How many.
    pub n: usize,
    /// Mean of what was said.
    pub said: f64,
    /// Share that was malicious.
    pub was: f64,
}

impl Calibration {
    /// Of pairs of a probability and whether it was malicious.
    #[must_use]
    pub fn of(pairs: impl Iterator<Item = (f64, bool)>) -> Self {
        let pairs: Vec<(f64, f64)> = pairs.map(|(p, m)| (p, f64::from(u8::from(m)))).collect();
        let ends = FROM.iter().skip(1).chain([&1.0]);
        let bins = FROM.iter().zip(ends).filter_map(|(&from, &to)| {
            let last = to >= 1.0;
            let here = |p: f64| p >= from && (p < to || last);
            let inside: Vec<&(f64, f64)> = pairs.iter().filter(|(p, _)| here(*p)).collect();
            Some(Bin {
                from,
                to,
                n: inside.len(),
                said: mean(inside.iter().map(|(p, _)| *p))?,
                was: mean(inside.iter().map(|(_, m)| *m))?,
            })
        });
        Self {
            brier: mean(pairs.iter().map(|(p, m)| (p - m).powi(2))),
            bins: bins.collect(),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut n, mut sum) = (0.0, 0.0);
    for value in values {
        n += 1.0;
        sum += value;
    }
    (n > 0.0).then(|| sum / n)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_probability_is_in_one_bin() {
        let said = [0.0, 0.1, 0.29, 0.5, 0.9, 1.0];
        let c = Calibration::of(said.iter().map(|p| (*p, *p >= 0.5)));
        assert_eq!(c.bins.iter().map(|b| b.n).sum::<usize>(), said.len());
        assert_eq!((c.bins[1].n, c.bins[1].was), (2, 0.0));
        assert_eq!((c.bins[3].n, c.bins[3].was), (2, 1.0));
        let wrong = Calibration::of([(1.0, false), (0.0, true)].into_iter());
        assert!((wrong.brier.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(Calibration::of(std::iter::empty()).brier, None);
    }
}
