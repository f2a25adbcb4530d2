//! The little statistics that a report needs beside what SQL counts: an interval, an agreement, a median.

use state::store::metrics::Pair;

/// Figures over fewer than this are marked.
pub(super) const SMALL: i64 = 20;

/// Quantile of the normal distribution for 95 % on both sides.
const Z: f64 = 1.959_963_984_540_054;

#[allow(
    clippy::cast_precision_loss,
    reason = "counts of alerts are far below 2^52"
)]
pub(super) fn float(n: i64) -> f64 {
    n as f64
}

/// `k` of `n`; none when there was nothing.
pub(crate) fn ratio(k: i64, n: i64) -> Option<f64> {
    (n > 0).then(|| float(k) / float(n))
}

/// An end of an interval this near to 0 or 1 is it: what is left is rounding.
const NOTHING: f64 = 1e-12;

/// Wilson's interval for `k` of `n` at 95 %, both ends in 0 to 1; none when there was nothing.
pub(crate) fn wilson(k: i64, n: i64) -> Option<(f64, f64)> {
    let p = ratio(k, n)?;
    let n = float(n);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    let end = |e: f64| match e / whole {
        e if e < NOTHING => 0.0,
        e if e > 1.0 - NOTHING => 1.0,
        e => e,
    };
    Some((end(middle - half), end(middle + half)))
}

/// How many were judged alike, of how many, and Cohen's kappa; kappa is none when chance alone would agree on all.
pub(super) fn agreement(pairs: &[Pair]) -> (i64, i64, Option<f64>) {
    let sum =
        |of: &dyn Fn(&Pair) -> bool| -> i64 { pairs.iter().filter(|p| of(p)).map(|p| p.n).sum() };
    let n = sum(&|_| true);
    let alike = sum(&|p| p.machine == p.human);
    let Some(observed) = ratio(alike, n) else {
        return (0, 0, None);
    };
    let chance: f64 = state::model::VerdictKind::ALL
        .iter()
        .map(|kind| float(sum(&|p| p.machine == *kind)) * float(sum(&|p| p.human == *kind)))
        .sum::<f64>()
        / (float(n) * float(n));
    let kappa = (chance < 1.0).then(|| (observed - chance) / (1.0 - chance));
    (alike, n, kappa)
}

/// The middle value, or the mean of the two middle ones.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    match sorted.len() % 2 {
        0 => Some((sorted.get(half - 1)? + upper) / 2.0),
        _ => Some(upper),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use state::model::VerdictKind as V;

    #[test]
    fn intervals_are_wilsons() {
        // Computed by hand from the formula, and as printed in textbooks.
        for (k, n, low, high) in [
            (0, 10, 0.0, 0.277_533),
            (10, 10, 0.722_467, 1.0),
            (15, 20, 0.531_299, 0.888_138),
            (48, 50, 0.865_396, 0.988_954),
        ] {
            let (a, b) = wilson(k, n).unwrap();
            assert!(
                (a - low).abs() < 1e-5 && (b - high).abs() < 1e-5,
                "{k}/{n}: {a} {b}"
            );
        }
        // Newcombe 1998, table I, to four places.
        for (k, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (a, b) = wilson(k, n).unwrap();
            assert!(
                (a - low).abs() < 5e-5 && (b - high).abs() < 5e-5,
                "{k}/{n}: {a} {b}"
            );
        }
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn what_can_not_be_less_or_more_ends_at_it() {
        for n in 1..5000 {
            assert_eq!(wilson(0, n).unwrap().0, 0.0, "0 of {n}");
            assert_eq!(wilson(n, n).unwrap().1, 1.0, "{n} of {n}");
        }
        // One of as many as there could be is more than none.
        assert!(wilson(1, 1_000_000_000).unwrap().0 > 0.0);
    }

    #[test]
    fn kappa_takes_chance_away() {
        let pair = |machine, human, n| Pair { machine, human, n };
        // The textbook's 20, 5, 10, 15: observed 0.7, by chance 0.5.
        let pairs = [
            pair(V::TruePositive, V::TruePositive, 20),
            pair(V::TruePositive, V::FalsePositive, 5),
            pair(V::FalsePositive, V::TruePositive, 10),
            pair(V::FalsePositive, V::FalsePositive, 15),
        ];
        let (alike, n, kappa) = agreement(&pairs);
        assert_eq!((alike, n), (35, 50));
        assert!((kappa.unwrap() - 0.4).abs() < 1e-12);
        // All of one kind on both sides: nothing is shown.
        assert_eq!(
            agreement(&[pair(V::FalsePositive, V::FalsePositive, 9)]),
            (9, 9, None)
        );
        assert_eq!(agreement(&[]), (0, 0, None));
    }

    #[test]
    fn medians_of_few() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[4.0, 1.0]), Some(2.5));
        assert_eq!(median(&[4.0, 1.0, 3.0]), Some(3.0));
    }
}
