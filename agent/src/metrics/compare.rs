//! Sets the numbers of earlier periods beside those of this one; which change matters is for the reader.

use std::collections::BTreeMap;

use super::numbers::Number;
use super::stats::median;

/// Fills in the earlier numbers; `earlier` are the periods before, the oldest first. Periods before the first alert ever
/// are not measured: nothing was there to count.
pub(super) fn compare(numbers: &mut [Number], mut earlier: Vec<Vec<Number>>) {
    let empty = |period: &Vec<Number>| {
        let volume = period.iter().find(|n| n.metric == "alert_volume");
        volume.is_none_or(|n| n.n == 0)
    };
    let unborn = earlier.iter().take_while(|p| empty(p)).count();
    for period in earlier.iter_mut().take(unborn) {
        period.clear();
    }
    let found: Vec<BTreeMap<Place<'_>, Option<f64>>> = earlier
        .iter()
        .map(|period| period.iter().map(|n| (place(n), n.value)).collect())
        .collect();
    for number in numbers {
        number.earlier = found
            .iter()
            .map(|period| period.get(&place(number)).copied().flatten())
            .collect();
        number.before = number.earlier.last().copied().flatten();
        let known: Vec<f64> = number.earlier.iter().copied().flatten().collect();
        number.median = median(&known);
    }
}

type Place<'n> = (&'n str, &'n str, &'n str, &'static str);

fn place(number: &Number) -> Place<'_> {
    (
        &number.metric,
        &number.dimension,
        &number.dimension_value,
        number.stat,
    )
}
