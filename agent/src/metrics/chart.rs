//! Bars, a line and sparklines as SVG that stands in the page: no script, no font of its own, a title and a description for
//! those who do not see it. Colours are the page's, by class.

use std::fmt::Write as _;

use html_escape::encode_text;

/// Most characters of a label.
const LABEL: usize = 34;

fn label(text: &str) -> String {
    encode_text(&plain(text)).into_owned()
}

/// Outside text: short, and no link for a mail program.
fn plain(text: &str) -> String {
    crate::text::defang(&crate::text::oneline(text, LABEL))
}

fn shown(v: f64) -> String {
    super::shown::value("alerts", v)
}

/// Opening of a drawing, with what it shows in words.
fn open(class: &str, (width, height): (f64, f64), (title, told): (&str, &str)) -> String {
    format!(
        "<svg class=\"{class}\" role=\"img\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\"><title>{}</title><desc>{}</desc>",
        encode_text(title),
        encode_text(told)
    )
}

/// Horizontal bars with their labels and numbers; nothing for nothing.
pub(super) fn bars(bars: &[(String, f64)], title: &str) -> String {
    let most = bars.iter().map(|(_, v)| *v).fold(0.0, f64::max);
    if most <= 0.0 {
        return String::new();
    }
    const ROW: f64 = 22.0;
    const LEFT: f64 = 230.0;
    const WIDE: f64 = 330.0;
    let told: Vec<String> = bars
        .iter()
        .map(|(name, v)| format!("{}: {}", plain(name), shown(*v)))
        .collect();
    let height = super::stats::float(i64::try_from(bars.len()).unwrap_or_default()) * ROW + 4.0;
    let mut out = open(
        "bars",
        (LEFT + WIDE + 60.0, height),
        (title, &told.join("; ")),
    );
    let mut y = 2.0;
    for (name, v) in bars {
        let width = (v / most * WIDE).max(if *v > 0.0 { 1.0 } else { 0.0 });
        let middle = y + 14.0;
        let _ = write!(
            out,
            "<text class=\"label\" x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text><rect x=\"{LEFT}\" y=\"{}\" width=\"{width:.1}\" height=\"14\" rx=\"2\"/><text x=\"{:.1}\" y=\"{middle}\">{}</text>",
            LEFT - 8.0,
            label(name),
            y + 3.0,
            LEFT + width + 6.0,
            shown(*v)
        );
        y += ROW;
    }
    out.push_str("</svg>");
    out
}

/// A line through the values that are there, each with its name below and its number above.
pub(super) fn line(points: &[(String, Option<f64>)], title: &str) -> String {
    let known: Vec<f64> = points.iter().filter_map(|(_, v)| *v).collect();
    let most = known.iter().copied().fold(0.0, f64::max);
    if known.len() < 2 || most <= 0.0 {
        return String::new();
    }
    const STEP: f64 = 130.0;
    const HIGH: f64 = 74.0;
    const TOP: f64 = 24.0;
    let told: Vec<String> = points
        .iter()
        .map(|(name, v)| format!("{name}: {}", v.map_or("not measured".to_owned(), shown)))
        .collect();
    let count = super::stats::float(i64::try_from(points.len()).unwrap_or_default());
    let size = (count * STEP, HIGH + TOP + 26.0);
    let mut out = open("line", size, (title, &told.join("; ")));
    let ground = HIGH + TOP;
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"0\" y1=\"{ground}\" x2=\"{}\" y2=\"{ground}\"/>",
        size.0
    );
    let mut path = String::new();
    let mut x = STEP / 2.0;
    for (name, v) in points {
        let _ = write!(
            out,
            "<text class=\"label\" x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            ground + 18.0,
            label(name)
        );
        if let Some(v) = v {
            let y = ground - v / most * HIGH;
            let verb = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{verb}{x} {y:.1}");
            let _ = write!(
                out,
                "<circle cx=\"{x}\" cy=\"{y:.1}\" r=\"3.5\"/><text x=\"{x}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                y - 9.0,
                shown(*v)
            );
        }
        x += STEP;
    }
    let _ = write!(out, "<path class=\"run\" d=\"{path}\"/></svg>");
    out
}

/// A line as small as a word; nothing for fewer than two values.
pub(super) fn spark(points: &[Option<f64>], title: &str) -> String {
    let known: Vec<f64> = points.iter().copied().flatten().collect();
    if known.len() < 2 {
        return String::new();
    }
    let most = known.iter().copied().fold(f64::MIN, f64::max);
    let least = known.iter().copied().fold(f64::MAX, f64::min);
    let reach = if most > least { most - least } else { 1.0 };
    let told: Vec<String> = points
        .iter()
        .map(|v| v.map_or("not measured".to_owned(), |v| format!("{v:.3}")))
        .collect();
    const STEP: f64 = 18.0;
    let mut out = open("spark", (84.0, 22.0), (title, &told.join(", ")));
    let (mut path, mut last, mut x) = (String::new(), (0.0, 0.0), 6.0);
    for v in points {
        if let Some(v) = v {
            let y = if most > least {
                18.0 - (v - least) / reach * 14.0
            } else {
                11.0
            };
            let verb = if path.is_empty() { 'M' } else { 'L' };
            let _ = write!(path, "{verb}{x} {y:.1}");
            last = (x, y);
        }
        x += STEP;
    }
    let _ = write!(
        out,
        "<path class=\"run\" d=\"{path}\"/><circle cx=\"{}\" cy=\"{:.1}\" r=\"2.5\"/></svg>",
        last.0, last.1
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_from_outside_are_text() {
        let evil = "</text><script>alert(1)</script>".to_owned();
        let drawn = bars(&[(evil.clone(), 3.0), ("a & b".to_owned(), 0.0)], "t <b>");
        assert!(
            !drawn.contains("<script") && drawn.contains("a &amp; b"),
            "{drawn}"
        );
        assert!(!line(&[(evil, Some(1.0)), ("b".to_owned(), Some(2.0))], "t").contains("<script"));
        assert_eq!(bars(&[("none".to_owned(), 0.0)], "t"), "");
        assert_eq!(spark(&[Some(1.0), None], "t"), "");
        assert!(spark(&[Some(1.0), None, Some(1.0)], "t").contains("<title>t</title>"));
    }
}
