//! Numbers for people: with their unit, as long as they say something, and the change against another.

use super::define::{Better, Definition};
use super::numbers::Number;

/// What stands where nothing was measured.
pub(super) const NOT_MEASURED: &str = "not measured";

/// The number with its unit, or that it was not measured.
pub(super) fn number(number: &Number) -> String {
    number
        .value
        .map_or_else(|| NOT_MEASURED.to_owned(), |v| value(number.unit, v))
}

/// A value with its unit.
pub(super) fn value(unit: &str, v: f64) -> String {
    match unit {
        "ratio" => format!("{:.1} %", v * 100.0),
        "seconds" => seconds(v),
        "hours" => format!("{v:.1} h"),
        "minutes" => format!("{v:.0} min"),
        "kappa" => format!("{v:.2}"),
        "usd" if v == 0.0 => "$0".to_owned(),
        "usd" if v.abs() < 1.0 => format!("${v:.4}"),
        "usd" => format!("${v:.2}"),
        _ if v.fract() == 0.0 || v.abs() >= 1e4 => grouped(v),
        _ => format!("{v:.1}"),
    }
}

fn seconds(s: f64) -> String {
    match s.abs() {
        x if x < 1.0 => format!("{:.0} ms", s * 1e3),
        x if x < 90.0 => format!("{s:.1} s"),
        x if x < 90.0 * 60.0 => format!("{:.1} min", s / 60.0),
        x if x < 48.0 * 3600.0 => format!("{:.1} h", s / 3600.0),
        _ => format!("{:.1} d", s / 86400.0),
    }
}

/// Whole numbers in groups of three.
fn grouped(v: f64) -> String {
    let digits = format!("{:.0}", v.abs());
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if v < 0.0 { format!("-{out}") } else { out }
}

/// How a number stands against another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// `▲ 12 %`, `▼ 2.0 points`, `unchanged`; empty when there is nothing to compare with.
    pub(super) text: String,
    /// `good`, `bad` or `flat`.
    pub(super) tone: &'static str,
}

/// The change from `other` to the number.
pub(super) fn change(of: &Number, other: Option<f64>) -> Change {
    let (Some(now), Some(then)) = (of.value, other) else {
        return Change {
            text: String::new(),
            tone: "flat",
        };
    };
    let by = now - then;
    let size = match of.unit {
        "ratio" => format!("{:.1} points", by.abs() * 100.0),
        "kappa" => format!("{:.2}", by.abs()),
        _ if then == 0.0 => value(of.unit, by.abs()),
        _ => format!("{:.0} %", (by / then).abs() * 100.0),
    };
    let nothing = size.chars().all(|c| !c.is_ascii_digit() || c == '0');
    if nothing {
        return Change {
            text: "unchanged".to_owned(),
            tone: "flat",
        };
    }
    let better = Definition::of(&of.metric).map_or(Better::Neither, |d| d.better);
    let tone = match (better, by > 0.0) {
        (Better::Neither, _) => "flat",
        (Better::More, true) | (Better::Less, false) => "good",
        (Better::More, false) | (Better::Less, true) => "bad",
    };
    let arrow = if by > 0.0 { '▲' } else { '▼' };
    Change {
        text: format!("{arrow} {size}"),
        tone,
    }
}

/// The interval of a share, and over how many; with a mark when these are few.
pub(super) fn ground(number: &Number) -> String {
    let few = if number.is_small() { ", few" } else { "" };
    match number.interval {
        Some((low, high)) => format!(
            "n = {}{few}; 95 %: {:.1} to {:.1} %",
            number.n,
            low * 100.0,
            high * 100.0
        ),
        None => format!("n = {}{few}", number.n),
    }
}

#[cfg(test)]
mod tests {
    use super::value;

    #[test]
    fn values_are_as_long_as_they_say_something() {
        for (unit, v, text) in [
            ("ratio", 0.934, "93.4 %"),
            ("seconds", 0.25, "250 ms"),
            ("seconds", 61.0, "61.0 s"),
            ("seconds", 5400.0, "1.5 h"),
            ("seconds", 259_200.0, "3.0 d"),
            ("alerts", 1_234_567.0, "1,234,567"),
            ("alerts", 999.0, "999"),
            ("usd", 0.0123, "$0.0123"),
            ("usd", 12.5, "$12.50"),
            ("hours", -1.25, "-1.2 h"),
            ("calls", 2.34, "2.3"),
        ] {
            assert_eq!(value(unit, v), text, "{unit} {v}");
        }
    }
}
