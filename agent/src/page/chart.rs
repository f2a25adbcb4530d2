//! Bars, a line and sparklines; each says its numbers in words as well, and is nothing when there is nothing to draw.

use crate::text::{defang, oneline};

use super::svg::{Svg, fit, px};

/// Longest name in the words of a chart, characters.
const NAME: usize = 40;

#[allow(
    clippy::cast_possible_truncation,
    reason = "a drawing is a few thousand pixels wide"
)]
fn length(part: f64, of: i32) -> i32 {
    (part * f64::from(of)).round() as i32
}

fn word(value: Option<f64>, shown: &dyn Fn(f64) -> String) -> String {
    value.map_or_else(|| "not measured".to_owned(), shown)
}

fn words(points: &[(String, Option<f64>)], shown: &dyn Fn(f64) -> String) -> String {
    let said = points.iter().map(|(name, v)| {
        let name = defang(&oneline(name, NAME));
        format!("{name}: {}", word(*v, shown))
    });
    said.collect::<Vec<_>>().join("; ")
}

/// Horizontal bars with their names and numbers; `shown` writes a number.
#[must_use]
pub fn bars(all: &[(String, f64)], shown: &dyn Fn(f64) -> String, title: &str) -> Option<Svg> {
    const ROW: i32 = 22;
    const LEFT: i32 = 230;
    const WIDE: i32 = 330;
    let most = all.iter().map(|(_, v)| *v).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let mut svg = Svg::new(LEFT + WIDE + 80, px(all.len()) * ROW + 4, title);
    let points: Vec<_> = all.iter().map(|(n, v)| (n.clone(), Some(*v))).collect();
    svg.describe(&words(&points, shown));
    let mut y = 2;
    for (name, v) in all {
        let width = length(v / most, WIDE).max(i32::from(*v > 0.0));
        let base = y + 15;
        svg.text(
            (LEFT - 8, base),
            "quiet end",
            &fit(&defang(name), LEFT - 16),
        );
        if width > 0 {
            svg.rect((LEFT, y + 4, width, 14), "bar");
        }
        svg.text((LEFT + width + 6, base), "", &shown(*v));
        y += ROW;
    }
    Some(svg)
}

/// A line through the values that are there, each with its name below and its number above.
#[must_use]
pub fn line(
    points: &[(String, Option<f64>)],
    shown: &dyn Fn(f64) -> String,
    title: &str,
) -> Option<Svg> {
    const STEP: i32 = 130;
    const HIGH: i32 = 74;
    const GROUND: i32 = HIGH + 24;
    let known: Vec<f64> = points.iter().filter_map(|(_, v)| *v).collect();
    let most = known.iter().copied().fold(0.0, f64::max);
    if known.len() < 2 || most <= 0.0 {
        return None;
    }
    let wide = px(points.len()) * STEP;
    let mut svg = Svg::new(wide, GROUND + 26, title);
    svg.describe(&words(points, shown));
    svg.line((0, GROUND), (wide, GROUND), "axis");
    let mut run = Vec::new();
    let mut x = STEP / 2;
    for (name, v) in points {
        svg.text(
            (x, GROUND + 18),
            "quiet middle",
            &fit(&defang(name), STEP - 8),
        );
        if let Some(v) = v {
            let y = GROUND - length(v / most, HIGH);
            svg.dot((x, y), 4, "point");
            svg.text((x, y - 9), "middle", &shown(*v));
            run.push((x, y));
        }
        x += STEP;
    }
    svg.run(&run, "run");
    Some(svg)
}

/// A line as small as a word.
#[must_use]
pub fn spark(points: &[Option<f64>], shown: &dyn Fn(f64) -> String, title: &str) -> Option<Svg> {
    const STEP: i32 = 18;
    let known: Vec<f64> = points.iter().copied().flatten().collect();
    if known.len() < 2 {
        return None;
    }
    let most = known.iter().copied().fold(f64::MIN, f64::max);
    let least = known.iter().copied().fold(f64::MAX, f64::min);
    let told: Vec<String> = points.iter().map(|v| word(*v, shown)).collect();
    let mut svg = Svg::new(84, 22, &format!("{title}: {}", told.join(", ")));
    let mut run = Vec::new();
    let mut x = 6;
    for v in points {
        if let Some(v) = v {
            let y = match most > least {
                true => 18 - length((v - least) / (most - least), 14),
                false => 11,
            };
            run.push((x, y));
        }
        x += STEP;
    }
    svg.run(&run, "run");
    if let Some(last) = run.last() {
        svg.dot(*last, 3, "point");
    }
    Some(svg)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_from_outside_are_text_and_nothing_is_drawn_of_nothing() {
        let shown = |v: f64| format!("{v:.0}");
        let evil = "</text><script>alert(1)</script>".to_owned();
        let all = [(evil.clone(), 3.0), ("a & b".to_owned(), 0.0)];
        let drawn = bars(&all, &shown, "t <b>").unwrap().markup();
        assert!(
            !drawn.contains("<script") && drawn.contains("a &amp; b"),
            "{drawn}"
        );
        let points = [
            (evil, Some(1.0)),
            ("b".to_owned(), None),
            ("c".to_owned(), Some(2.0)),
        ];
        let drawn = line(&points, &shown, "t").unwrap().markup();
        assert!(
            !drawn.contains("<script") && drawn.contains("b: not measured"),
            "{drawn}"
        );
        assert!(bars(&[("none".to_owned(), 0.0)], &shown, "t").is_none());
        assert!(line(&points[..2], &shown, "t").is_none());
        assert!(spark(&[Some(1.0), None], &shown, "t").is_none());
        let same = spark(&[Some(1.0), None, Some(1.0)], &shown, "t").unwrap();
        assert!(same.markup().contains("t: 1, not measured, 1"));
    }
}
