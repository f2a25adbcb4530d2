//! A drawing as inline SVG: shapes whose classes the page styles, and text that is escaped here and nowhere else.

use std::fmt::Write as _;

use html_escape::{encode_double_quoted_attribute, encode_text};
use serde::{Serialize, Serializer};

use crate::text::oneline;

/// A drawing. Lengths are pixels.
#[derive(Debug, Clone)]
pub struct Svg {
    width: i32,
    height: i32,
    label: String,
    told: String,
    body: String,
}

impl Svg {
    /// An empty drawing; `label` says what it shows to who can't see it.
    #[must_use]
    pub fn new(width: i32, height: i32, label: &str) -> Self {
        Self {
            width,
            height,
            label: oneline(label, 200),
            told: String::new(),
            body: String::new(),
        }
    }

    /// Says in words what the drawing shows.
    pub fn describe(&mut self, told: &str) {
        self.told = oneline(told, 900);
    }

    /// Text that begins at a point of its base line; the caller has made it [`fit`].
    pub fn text(&mut self, (x, y): (i32, i32), class: &str, text: &str) {
        let text = oneline(text, 400);
        let (class, text) = (encode_double_quoted_attribute(class), encode_text(&text));
        let _ = write!(
            self.body,
            "<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>"
        );
    }

    /// A box with round corners: left, top, width, height.
    pub fn rect(&mut self, at: (i32, i32, i32, i32), class: &str) {
        let ((x, y, w, h), class) = (at, encode_double_quoted_attribute(class));
        let _ = write!(
            self.body,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"5\" class=\"{class}\"/>"
        );
    }

    /// A straight line.
    pub fn line(&mut self, (x1, y1): (i32, i32), (x2, y2): (i32, i32), class: &str) {
        let class = encode_double_quoted_attribute(class);
        let _ = write!(
            self.body,
            "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" class=\"{class}\"/>"
        );
    }

    /// A curve that leaves and arrives level.
    pub fn curve(&mut self, (x1, y1): (i32, i32), (x2, y2): (i32, i32), class: &str) {
        let (middle, class) = (i32::midpoint(x1, x2), encode_double_quoted_attribute(class));
        let _ = write!(
            self.body,
            "<path d=\"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}\" class=\"{class}\"/>"
        );
    }

    /// Straight lines from point to point.
    pub fn run(&mut self, points: &[(i32, i32)], class: &str) {
        let class = encode_double_quoted_attribute(class);
        let steps = points.iter().map(|(x, y)| format!("{x} {y}"));
        let path = steps.collect::<Vec<_>>().join("L");
        let _ = write!(self.body, "<path d=\"M{path}\" class=\"{class}\"/>");
    }

    /// A dot.
    pub fn dot(&mut self, (x, y): (i32, i32), r: i32, class: &str) {
        let class = encode_double_quoted_attribute(class);
        let _ = write!(
            self.body,
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" class=\"{class}\"/>"
        );
    }

    /// Draws what belongs together, with a text that a pointer brings up, and a link to a row when one is given.
    pub fn group(&mut self, title: &str, link: Option<&str>, draw: impl FnOnce(&mut Self)) {
        let title = oneline(title, 300);
        let link = link.filter(|l| l.chars().all(|c| c.is_ascii_alphanumeric()));
        if let Some(link) = link {
            let _ = write!(self.body, "<a href=\"#{link}\">");
        }
        let _ = write!(self.body, "<g><title>{}</title>", encode_text(&title));
        draw(self);
        self.body.push_str("</g>");
        if link.is_some() {
            self.body.push_str("</a>");
        }
    }

    /// The whole element.
    #[must_use]
    pub fn markup(&self) -> String {
        let (w, h) = (self.width, self.height);
        let label = encode_double_quoted_attribute(&self.label);
        let told = match self.told.as_str() {
            "" => String::new(),
            told => format!("<desc>{}</desc>", encode_text(told)),
        };
        format!(
            "<svg role=\"img\" aria-label=\"{label}\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\">{told}{}</svg>",
            self.body
        )
    }
}

impl Serialize for Svg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.markup())
    }
}

/// So many of something as a length or a factor of one.
#[must_use]
pub fn px(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX / 1000)
}

/// The text on one line, cut to about so many pixels at 11 pixels' size, nothing invisible.
#[must_use]
pub fn fit(text: &str, pixels: i32) -> String {
    let text = oneline(text, 400);
    // Fonts differ: a tenth is kept free.
    let (mut used, most) = (0, pixels * 9);
    for (at, c) in text.char_indices() {
        used += tenths(c);
        if used > most {
            let mut cut = text[..at].to_owned();
            // Room for the dots.
            cut.pop();
            return format!("{}…", cut.trim_end());
        }
    }
    text
}

/// About how wide a character is, tenths of a pixel.
fn tenths(c: char) -> i32 {
    match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '!' | '\'' | ' ' => 31,
        'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '/' | '\\' | '-' => 40,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 98,
        c if c.is_ascii_uppercase() => 75,
        c if c.is_ascii() => 62,
        c if u32::from(c) >= 0x1100 => 115,
        _ => 66,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_text_and_fits() {
        let hostile = "</text></svg><script>alert(1)</script>\"><svg onload=\"x\"> \u{202e}gpj.exe";
        let mut svg = Svg::new(10, 10, hostile);
        svg.text((0, 0), "head", hostile);
        svg.group(hostile, Some("E1\" onclick=\"x"), |svg| {
            svg.dot((1, 1), 1, "dot")
        });
        let markup = svg.markup();
        assert!(
            !markup.contains("<script") && !markup.contains("<svg onload"),
            "{markup}"
        );
        assert!(
            !markup.contains('\u{202e}') && !markup.contains("onclick"),
            "{markup}"
        );
        assert_eq!(markup.matches("</svg>").count(), 1, "{markup}");
        for (text, pixels) in [
            ("a".repeat(5000), 100),
            ("漢".repeat(90), 100),
            ("WWWW".repeat(40), 50),
        ] {
            let cut = fit(&text, pixels);
            let wide: i32 = cut.chars().map(tenths).sum();
            assert!(cut.ends_with('…') && wide <= pixels * 10 + 66, "{cut}");
        }
        assert_eq!(fit("short", 100), "short");
    }
}
